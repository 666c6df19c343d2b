"""The ordinary GAN with a gradient penalty."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.gan import GAN, GradientPenalty, NonSaturating, StandardNormal
from simulacra.networks import critic_for, generator_for
from simulacra.recipes._parts import codec_for, need_layout, single, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("vector", "image")
PAPER = "Fedus et al. 2018 arXiv 1710.08446"


def gan_gp(
    data: DataSpec,
    *,
    gp: float | None = None,
    n_critic: int = 1,
    latent: int | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    rounds: int | None = None,
    batch: int | None = None,
    ema: float | None = None,
) -> Experiment:
    """The non-saturating game with WGAN-GP's penalty on the slope of the discriminator's logit.

    The penalty `gp (|| grad f || - 1)^2` on lines between real and generated events helps beyond the Wasserstein
    objective: GANs need not decrease a divergence at every step. One turn each, layer norm in place of the critic's
    batch norm. gp 10 and DCGAN networks for pictures, gp 0.1 and three hidden layers for points. The rates of pictures
    fall to 0 over the second half. Both networks are told the data's conditions, such as a label, the critic of
    pictures by a projection (Miyato and Koyama 2018, arXiv 1802.05637); `--ignore label` leaves it aside.
    """
    need_layout(data, "gan_gp", *DOMAIN)
    codec, picture = codec_for(data), data.layout == "image"
    spec = codec.spec(data)
    latent, width = latent or (100 if picture else 2), width or (32 if picture else 128)
    penalty = GradientPenalty(gp if gp is not None else (10.0 if picture else 0.1))
    networks = generator_for(spec, latent, **sized(data, width)), critic_for(spec, **single(data, width))
    game = GAN(*networks, NonSaturating(), StandardNormal(latent), [penalty])
    model = game.averaged()
    critic, generator = (Adam(net.parameters(), lr, betas=(0.5, 0.9)) for net in (game.critic, game.generator))
    falling = linear_decay(0.5 if picture else 1.0)
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, repeats=n_critic, schedule=falling),
            Player("generator", game.generator, game.generator_loss, generator, schedule=falling),
        ],
        codec,
        rounds or (3000 if picture else 6000),
        batch or (64 if picture else 256),
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema if ema is not None else (0.999 if picture else 0.995))],
    )
