"""The adversarial autoencoder."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from torch.optim import Adam

from simulacra.autoencoders import AAE, Autoencoder, CodeDensity
from simulacra.autoencoders.shapes import Flower, SwissRoll
from simulacra.batch import DataSpec, Field
from simulacra.domains.images import ImageCodec
from simulacra.domains.standard import Standardize
from simulacra.errors import UserError
from simulacra.gan import NonSaturating
from simulacra.networks import critic_for
from simulacra.recipes._autoencoders import decoder_for, encoder_for
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "autoencoder"
DOMAIN = ("vector", "image")
PAPER = "Makhzani et al. 2016 arXiv:1511.05644"
PRIORS = ("normal", "flower", "swissroll")


def aae(
    data: DataSpec,
    *,
    prior: str = "normal",
    told: str = "decoder",
    labelled: int = 0,
    stochastic: bool = False,
    latent: int | None = None,
    width: int | None = None,
    critic_width: int = 128,
    lr: float = 1e-3,
    critic_lr: float = 5e-4,
    batch: int | None = None,
    rounds: int | None = None,
) -> Experiment:
    """An autoencoder whose codes a critic cannot tell from a prior, so that draws of the prior decode to new events.

    Each round the autoencoder lowers its squared error, the critic learns to tell codes from draws of the prior, and
    the encoder to fool it (the non-saturating game). The prior needs no density, and may be anything that can be drawn.
    Classes are told to encoder and decoder, so that the code is what a class leaves open; or each class has its piece
    of the prior, a petal or a stretch of the roll, which only the critic is told. It has no likelihood.

    Args:
        prior: `normal`, or in the plane `flower` or `swissroll`.
        told: what is told the class, `decoder` or `prior`.
        labelled: rows of every class that show it to the critic, the others being of the whole prior; 0: all.
        stochastic: whether a code is drawn, `N(mu(x), sigma(x)^2)`, or a function of the event.

    Raises:
        UserError: there is no such prior, it has no pieces, or the data have no class for them.
    """
    need_layout(data, "aae", *DOMAIN)
    picture = data.layout == "image"
    codec = ImageCodec(data, size=0) if picture else Standardize(data)
    spec, name = codec.spec(data), _classes(data, prior, told, labelled)
    pieces = (name, data.given[name].levels) if name else None
    spec = replace(spec, given={}) if pieces else spec
    latent, width = latent or (16 if picture and prior == "normal" else 2), width or (16 if picture else 128)
    if prior != "normal" and latent != 2:
        raise UserError(f"expected a latent of 2 for a {prior}, which lies in the plane, came {latent}; leave it out")
    shapes: dict[str, Any] = {
        "normal": lambda: CodeDensity(latent),
        "flower": lambda: Flower(pieces[1] if pieces else 10),
        "swissroll": SwissRoll,
    }
    model = Autoencoder(
        encoder_for(spec, latent, width, deterministic=not stochastic),
        decoder_for(spec, latent, width),
        shapes[prior](),
        pieces=pieces,
    )
    known = {pieces[0]: Field((), "class", pieces[1] + (labelled > 0))} if pieces else {}
    codes = DataSpec("codes", "vector", Field((latent,)), known)
    game = AAE(model, critic_for(codes, hidden=(critic_width, critic_width)), NonSaturating())
    encoder, falling = model.nets["encoder"], linear_decay(0.5)
    both, critic = Adam(model.nets.parameters(), lr), Adam(game.critic.parameters(), critic_lr, betas=(0.5, 0.999))
    fool = Adam(encoder.parameters(), critic_lr, betas=(0.5, 0.999))

    def play(words: str, stream: str, known: bool) -> list[Player]:
        losses = partial(game.critic_loss, known=known), partial(game.encoder_loss, known=known)
        return [
            Player(f"critic{words}", game.critic, losses[0], critic, schedule=falling, stream=stream),
            Player(f"encoder{words}", encoder, losses[1], fool, schedule=falling, stream=stream),
        ]

    return Experiment(
        model,
        [
            Player("autoencoder", model.nets, model.loss, both, clip=100.0, schedule=falling),
            *play("", "data", not labelled),
            *(play(" of labelled", "labelled", True) if labelled else []),
        ],
        codec,
        rounds or (2000 if picture else 4000),
        batch or (64 if picture else 256),
        modules(game=game),
        streams={"labelled": lambda stream: stream.few(name, labelled)} if labelled else {},
    )


def _classes(data: DataSpec, prior: str, told: str, labelled: int) -> str:
    """The class that has pieces of the prior, "" where none has."""
    if prior not in PRIORS:
        raise UserError(f"expected a prior among {', '.join(PRIORS)}, came {prior!r}; choose one")
    if told not in ("decoder", "prior"):
        raise UserError(f"expected told to be decoder or prior, came {told!r}; choose one")
    if told == "decoder":
        if labelled:
            raise UserError(f"expected told prior for {labelled} labelled rows, came decoder; set --told prior")
        return ""
    if prior == "normal":
        raise UserError("expected a prior with pieces, flower or swissroll, to be told, came normal; choose one")
    kinds = [name for name, field in data.given.items() if field.kind == "class" and field.shape == ()]
    if not kinds:
        raise UserError(f"expected data with a class for pieces of the prior, {data.name} has none; set --told decoder")
    return kinds[0]
