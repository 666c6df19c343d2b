"""The deep convolutional GAN."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn
from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.errors import UserError, nearest
from simulacra.gan import GAN, NonSaturating, UniformCube
from simulacra.networks import critic_for, generator_for
from simulacra.networks.dcgan import NORMS
from simulacra.recipes._parts import codec_for, need_layout
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, modules

FAMILY = "gan"
DOMAIN = ("image",)
PAPER = "Radford, Metz and Chintala 2016 arXiv 1511.06434"

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


def dcgan(
    data: DataSpec,
    *,
    latent: int = 100,
    base: int = 32,
    strided: bool = True,
    norm: str = "batch",
    dense: int = 0,
    activation: str = "relu",
    slope: float = 0.2,
    lr: float = 1e-3,
    rounds: int = 5000,
    batch: int = 64,
    ema: float = 0.999,
) -> Experiment:
    """Convolutional networks that train stably as generator and critic, with the non-saturating game.

    Its five rules, each of which can be left out: `strided` convolutions (else doubling of pixels and pooling), `norm`
    batch in both (else layer or none), no hidden `dense` layer (else its width, in both), `activation` relu in the
    generator (else tanh; at the output always tanh), LeakyReLU of `slope` 0.2 in the critic (0 for ReLU). z ~ U(-1, 1),
    weights N(0, 0.02), Adam(1e-3, 0.5). The paper has Adam(2e-4, 0.5), base 128 and batch 128 for 64 x 64; the defaults
    fit a CPU. The data's conditions are left aside (see `cgan`); samples come from averaged weights.
    """
    need_layout(data, "dcgan", *DOMAIN)
    for name, word, known in (("norm", norm, NORMS), ("activation", activation, ACTIVATIONS)):
        if word not in known:
            raise UserError(f"expected --{name} {' or '.join(known)}, came {word!r}; {nearest(word, known)}")
    codec = codec_for(data)
    spec = replace(codec.spec(data), given={})
    rules: dict[str, Any] = {"base": base, "strided": strided, "norm": norm, "dense": dense}
    generator_net = generator_for(spec, latent, **rules, activation=ACTIVATIONS[activation])
    game = GAN(generator_net, critic_for(spec, **rules, slope=slope), NonSaturating(), UniformCube(latent))
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
