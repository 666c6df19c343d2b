"""The Wasserstein GAN with gradient penalty."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.gan import GAN, GradientPenalty, StandardNormal, Wasserstein
from simulacra.networks import critic_for, generator_for
from simulacra.recipes._parts import codec_for, need_layout, single, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("vector", "image")
PAPER = "Gulrajani et al. 2017 arXiv 1704.00028"


def wgan_gp(
    data: DataSpec,
    *,
    latent: int | None = None,
    n_critic: int = 2,
    gp: float | None = None,
    one_sided: bool = False,
    lr: float = 1e-3,
    width: int | None = None,
    rounds: int | None = None,
    batch: int | None = None,
    ema: float | None = None,
) -> Experiment:
    """A critic whose slope is pushed towards 1 estimates the Wasserstein distance; the generator makes it small.

    `n_critic` critic turns per round with the penalty `gp (|| grad f || - 1)^2` on lines between real and generated
    events. Adam(1e-3, 0.5, 0.9), rates falling linearly to 0. No batch norm in the critic. The paper has five critic
    turns at 1e-4, and some 1e5 rounds for them.

    Defaults follow the layout. Points: gp 0.1 as in the paper, latent 2, three hidden layers of 128, batch 256.
    Pictures: gp 10, latent 128, DCGAN networks, batch 16. Both networks are told the data's conditions, such as a
    label, the critic of pictures by a projection (Miyato and Koyama 2018, arXiv 1802.05637); `--ignore label` leaves it
    aside.
    """
    need_layout(data, "wgan_gp", *DOMAIN)
    codec, picture = codec_for(data), data.layout == "image"
    spec = codec.spec(data)
    latent, width = latent or (128 if picture else 2), width or (32 if picture else 128)
    gp = gp if gp is not None else (10.0 if picture else 0.1)
    ema = ema if ema is not None else (0.999 if picture else 0.995)
    critic_net = critic_for(spec, offset=False, **single(data, width))
    penalty = GradientPenalty(gp, one_sided=one_sided)
    game = GAN(
        generator_for(spec, latent, **sized(data, width)), critic_net, Wasserstein(), StandardNormal(latent), [penalty]
    )
    model = game.averaged()
    critic, generator = (Adam(net.parameters(), lr, betas=(0.5, 0.9)) for net in (game.critic, game.generator))
    falling = linear_decay()
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, repeats=n_critic, schedule=falling),
            Player("generator", game.generator, game.generator_loss, generator, schedule=falling),
        ],
        codec,
        rounds or (8000 if picture else 6000),
        batch or (16 if picture else 256),
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema)],
    )
