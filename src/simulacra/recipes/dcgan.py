"""The deep convolutional GAN."""

from __future__ import annotations

from dataclasses import replace

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.gan import GAN, NonSaturating, UniformCube
from simulacra.networks import critic_for, generator_for
from simulacra.recipes._parts import codec_for, need_layout
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, modules

FAMILY = "gan"
DOMAIN = ("image",)
PAPER = "Radford, Metz and Chintala 2016 arXiv 1511.06434"


def dcgan(
    data: DataSpec,
    *,
    latent: int = 100,
    base: int = 32,
    lr: float = 2e-4,
    rounds: int = 5000,
    batch: int = 64,
    ema: float = 0.999,
) -> Experiment:
    """Convolutional networks that train stably as generator and critic, with the non-saturating game.

    Strided convolutions, batch norm, no hidden dense layer, ReLU and tanh in the generator, LeakyReLU 0.2 in the
    critic; z ~ U(-1, 1), weights N(0, 0.02), Adam(2e-4, 0.5). The paper has base 128 and batch 128 for 64 x 64; the
    defaults fit a CPU. The data's conditions are left aside (see `cgan`); samples come from averaged weights.
    """
    need_layout(data, "dcgan", *DOMAIN)
    codec = codec_for(data)
    spec = replace(codec.spec(data), given={})
    game = GAN(
        generator_for(spec, latent, base=base), critic_for(spec, base=base), NonSaturating(), UniformCube(latent)
    )
    model = game.averaged()
    critic = Adam(game.critic.parameters(), lr, betas=(0.5, 0.999))
    generator = Adam(game.generator.parameters(), lr, betas=(0.5, 0.999))
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic),
            Player("generator", game.generator, game.generator_loss, generator),
        ],
        codec,
        rounds,
        batch,
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema)],
    )
