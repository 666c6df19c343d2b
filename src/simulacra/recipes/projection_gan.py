"""The GAN whose critic is told the conditions by an inner product."""

from __future__ import annotations

from typing import Any

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.errors import UserError
from simulacra.gan import GAN, Hinge, StandardNormal
from simulacra.networks import critic_for, generator_for, spectrally_normalised
from simulacra.recipes._parts import codec_for, need_layout, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("vector", "image")
PAPER = "Miyato and Koyama 2018 arXiv 1802.05637"


def projection_gan(
    data: DataSpec,
    *,
    latent: int | None = None,
    n_critic: int | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    rounds: int | None = None,
    batch: int | None = None,
    ema: float = 0.999,
) -> Experiment:
    """A critic `phi(x) . V y + psi(phi(x))`: the conditions meet the event only in an inner product at the end.

    That is the form of the log-ratio of data to generator where classes are log-linear in features. Hinge losses; every
    weight of the critic, the embedding V included, is divided by its spectral norm; Adam(0, 0.9), one critic turn for
    pictures (the paper has 5, which leave the generator few steps in a short training) and 2 for points, rates falling
    linearly to 0. The paper's networks are residual and its generator has conditional batch norm; here they are DCGAN's
    (points: MLPs of three hidden layers) and conditions join the latent.
    """
    need_layout(data, "projection_gan", *DOMAIN)
    if not data.given:
        raise UserError(
            f"expected data with a condition for projection_gan, {data.name} has none; use dcgan, gan or wgan_gp"
        )
    codec, picture = codec_for(data), data.layout == "image"
    spec = codec.spec(data)
    latent, options = latent or (128 if picture else 2), sized(data, width or (32 if picture else 128))
    plain: dict[str, Any] = {"norm": "none"} if picture else {}
    critic_net = critic_for(spec, projection=True, **options, **plain)
    spectrally_normalised(critic_net)
    game = GAN(generator_for(spec, latent, **options), critic_net, Hinge(), StandardNormal(latent))
    model = game.averaged()
    critic, generator = (Adam(net.parameters(), lr, betas=(0.0, 0.9)) for net in (game.critic, game.generator))
    turns, falling = n_critic or (1 if picture else 2), linear_decay()
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, repeats=turns, schedule=falling),
            Player("generator", game.generator, game.generator_loss, generator, schedule=falling),
        ],
        codec,
        rounds or (4000 if picture else 6000),
        batch or (64 if picture else 256),
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema)],
    )
