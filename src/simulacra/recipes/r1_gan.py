"""The GAN with R1, lazily."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.gan import GAN, R1, R2, NonSaturating, StandardNormal, Term
from simulacra.networks import critic_for, generator_for
from simulacra.recipes._lazy import corrected, slope
from simulacra.recipes._parts import codec_for, need_layout, single, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("vector", "image")
PAPER = "Mescheder, Geiger and Nowozin 2018 arXiv 1801.04406"


def r1_gan(
    data: DataSpec,
    *,
    gamma: float | None = None,
    r2: bool = False,
    interval: int = 16,
    latent: int | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    rounds: int | None = None,
    batch: int | None = None,
    ema: float | None = None,
) -> Experiment:
    """The critic pays for its slope at real events, so that it lies still once the generator has found the data.

    R1 is `gamma/2 || grad f(x) ||^2`; `r2=True` adds the same at generated events. Lazy regularisation (Karras et al.
    2020, arXiv 1912.04958): the penalty is a player of its own on the critic's optimiser, which plays in every k-th
    round (`interval`) with k times the weight. The optimiser then steps k + 1 times where it would have stepped k
    times: with c = k / (k + 1), its rate is c lr, its betas are 0 and 0.99^c.

    gamma 1, batch 16 and DCGAN networks with layer norm in the critic for pictures, gamma 0.1, batch 256 and three
    hidden layers for points. The rates of pictures fall to 0 over the second half. Both networks are told the data's
    conditions, such as a label, the critic of pictures by a projection (Miyato and Koyama 2018, arXiv 1802.05637);
    `--ignore label` leaves it aside.
    """
    need_layout(data, "r1_gan", *DOMAIN)
    codec, picture = codec_for(data), data.layout == "image"
    spec = codec.spec(data)
    latent, width = latent or (128 if picture else 2), width or (32 if picture else 128)
    weight = (gamma if gamma is not None else (1.0 if picture else 0.1)) / 2
    terms: list[Term] = [R1(weight), *([R2(weight)] if r2 else [])]
    networks = generator_for(spec, latent, **sized(data, width)), critic_for(spec, **single(data, width))
    game = GAN(*networks, NonSaturating(), StandardNormal(latent))
    model, critic = game.averaged(), corrected(game.critic, lr, interval)
    generator = Adam(game.generator.parameters(), lr, betas=(0.0, 0.99))
    falling = linear_decay(0.5 if picture else 1.0)
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, schedule=falling),
            slope(game, terms, critic, interval, falling),
            Player("generator", game.generator, game.generator_loss, generator, schedule=falling),
        ],
        codec,
        rounds or (12_000 if picture else 6000),
        batch or (16 if picture else 256),
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema if ema is not None else (0.999 if picture else 0.995))],
    )
