"""The first GAN."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.gan import GAN, Minimax, NonSaturating, StandardNormal
from simulacra.networks import critic_for, generator_for
from simulacra.recipes._parts import codec_for, need_layout
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, from_round, modules

FAMILY = "gan"
DOMAIN = ("vector",)
PAPER = "Goodfellow et al. 2014 arXiv 1406.2661"


def gan(
    data: DataSpec,
    *,
    latent: int = 2,
    saturating: bool = False,
    pretrain: int = 0,
    hidden: int = 128,
    lr: float = 1e-3,
    rounds: int = 6000,
    batch: int = 256,
    ema: float = 0.995,
) -> Experiment:
    """A generator against a discriminator that estimates the probability that an event is real.

    One turn each per round, both MLPs of three hidden layers. The generator maximises log d(g(z)), whose gradient
    does not die; `saturating=True` makes it minimise log(1 - d(g(z))), the minimax game itself. Prone to mode
    collapse: the control for `wgan_gp`. With `pretrain` rounds the discriminator is pre-trained: the generator waits.
    Both networks are told the data's conditions, such as a label; `--ignore label` leaves it aside.
    """
    need_layout(data, "gan", *DOMAIN)
    codec = codec_for(data)
    spec = codec.spec(data)
    sizes = (hidden, hidden, hidden)
    game = GAN(
        generator_for(spec, latent, hidden=sizes),
        critic_for(spec, hidden=sizes),
        Minimax() if saturating else NonSaturating(),
        StandardNormal(latent),
    )
    model = game.averaged()
    critic = Adam(game.critic.parameters(), lr, betas=(0.5, 0.9))
    generator = Adam(game.generator.parameters(), lr, betas=(0.5, 0.9))
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic),
            Player("generator", game.generator, game.generator_loss, generator, when=from_round(pretrain)),
        ],
        codec,
        rounds,
        batch,
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema)],
    )
