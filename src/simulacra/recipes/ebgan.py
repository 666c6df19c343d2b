"""The energy-based GAN."""

from __future__ import annotations

from typing import Any

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.gan import GAN, AutoencoderCritic, EnergyMargin, PullingAway, StandardNormal
from simulacra.networks import critic_for, generator_for
from simulacra.recipes._parts import codec_for, need_layout, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("vector", "image")
PAPER = "Zhao, Mathieu and LeCun 2017 arXiv 1609.03126"


def ebgan(
    data: DataSpec,
    *,
    margin: float | None = None,
    pull: float | None = None,
    code: int = 32,
    latent: int | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    rounds: int | None = None,
    batch: int | None = None,
    ema: float = 0.995,
) -> Experiment:
    """An autoencoder as critic: what it reconstructs badly has much energy, and the generator seeks little.

    The critic makes the energy of data small and that of fakes at least `margin`, in encoded units squared; `pull`
    times the pulling-away term spreads the codes of fakes. Scores are minus energies. The autoencoder is a critic's
    body down to `code` numbers and a second generator back: DCGAN networks for pictures, with a margin of 0.05, near
    the energy of data (at 1, beyond the variance of a pixel, all fakes become one picture), and a pull of 0.3; MLPs for
    points, 1 and 0.1. The rates of pictures fall to 0 over the second half. Both networks are told the data's
    conditions, such as a label; `--ignore label` leaves it aside.
    """
    need_layout(data, "ebgan", *DOMAIN)
    codec, picture = codec_for(data), data.layout == "image"
    spec = codec.spec(data)
    latent, width = latent or (100 if picture else 2), width or (32 if picture else 128)
    options = sized(data, width)
    narrow: dict[str, Any] = options | ({"dense": code} if picture else {"hidden": (width, width, code)})
    autoencoder = AutoencoderCritic(critic_for(spec, **narrow).body, generator_for(spec, code, **options))
    margin = (0.05 if picture else 1.0) if margin is None else margin
    pull = (0.3 if picture else 0.1) if pull is None else pull
    terms = [PullingAway(pull)] if pull else []
    game = GAN(
        generator_for(spec, latent, **options),
        autoencoder,
        EnergyMargin(margin),
        StandardNormal(latent),
        generator_terms=terms,
    )
    model = game.averaged()
    critic, generator = (Adam(net.parameters(), lr, betas=(0.5, 0.9)) for net in (game.critic, game.generator))
    falling = linear_decay(0.5 if picture else 1.0)
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, schedule=falling),
            Player("generator", game.generator, game.generator_loss, generator, schedule=falling),
        ],
        codec,
        rounds or (2000 if picture else 6000),
        batch or (64 if picture else 256),
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema)],
    )
