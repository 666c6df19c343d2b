"""The boundary equilibrium GAN."""

from __future__ import annotations

from dataclasses import replace

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.gan import GAN, AutoencoderCritic, Equilibrium, UniformCube
from simulacra.networks.elu import ELUDecoder, ELUEncoder
from simulacra.networks.layout import channels_last
from simulacra.recipes._parts import codec_for, need_layout
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("image",)
PAPER = "Berthelot, Schumm and Metz 2017 arXiv 1703.10717"


def began(
    data: DataSpec,
    *,
    gamma: float = 1.0,
    rate: float = 1e-2,
    latent: int = 32,
    width: int = 16,
    lr: float = 1e-3,
    rounds: int = 3000,
    batch: int = 16,
    ema: float = 0.99,
) -> Experiment:
    """An autoencoder as critic, held in balance: fakes shall have `gamma` times the reconstruction error of data.

    The critic minimises E(x) - k E(g(z)) with E the mean absolute error of a picture, the generator E(g(z)), and k
    moves by `rate (gamma E(x) - E(g(z)))` after the critic's turn. E(x) + |gamma E(x) - E(g(z))| falls as the game
    converges, and is watched. Generator and decoder are alike: 3 x 3 convolutions with ELU, no norm; z ~ U(-1, 1).

    The paper has gamma 0.3 to 0.7 for faces, which are all as hard to reconstruct. In data of several kinds a gamma
    below 1 asks for the kinds that are easy: Fashion-MNIST at 0.7 gives sneakers only, at 1 most kinds.

    The paper also has rate 1e-3, Adam with 1e-4, halved when the measure stalls, width and latent 64 to 128 and some
    1e5 rounds of batch 16. For few rounds on a CPU k and the weights move ten times faster and the rates fall linearly
    to 0: while k is near 0 the generator makes dark, empty pictures, which any autoencoder copies. Pictures only: an
    autoencoder of two numbers copies every point, unless its code is a single number. The data's conditions are left
    aside; samples come from averaged weights.
    """
    need_layout(data, "began", *DOMAIN)
    codec = codec_for(data)
    shape = replace(codec.spec(data), given={}).x.shape
    objective = Equilibrium(gamma, rate)
    generator_net, decoder = (ELUDecoder(shape, latent, width=width) for _ in range(2))
    autoencoder = AutoencoderCritic(ELUEncoder(shape, latent, width=width), decoder, power=1)
    game = channels_last(GAN(generator_net, autoencoder, objective, UniformCube(latent)))
    model = game.averaged()
    critic, generator = (Adam(net.parameters(), lr, betas=(0.5, 0.999)) for net in (game.critic, game.generator))
    falling = linear_decay()
    return Experiment(
        model,
        [
            Player(
                "critic",
                game.critic,
                lambda batch: objective.watched(game.critic_loss(batch)),
                critic,
                schedule=falling,
                after=[objective.balance],
            ),
            Player("generator", game.generator, game.generator_loss, generator, schedule=falling),
        ],
        codec,
        rounds,
        batch,
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema)],
    )
