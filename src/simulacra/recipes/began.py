"""The boundary equilibrium GAN."""

from __future__ import annotations

from typing import Any

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.gan import GAN, AutoencoderCritic, Equilibrium, UniformCube
from simulacra.networks import critic_for, generator_for
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
    rate: float = 3e-2,
    latent: int = 64,
    width: int = 32,
    lr: float = 1e-3,
    rounds: int = 1500,
    batch: int = 64,
    ema: float = 0.99,
) -> Experiment:
    """An autoencoder as critic, held in balance: fakes shall have `gamma` times the reconstruction error of data.

    The critic minimises E(x) - k E(g(z)) with E the mean absolute error of a picture, the generator E(g(z)), and k
    moves by `rate (gamma E(x) - E(g(z)))` after the critic's turn. E(x) + |gamma E(x) - E(g(z))| falls as the game
    converges, and is watched. z ~ U(-1, 1), as many numbers as a code.

    The networks are DCGAN's with layer norm, so that the energy of a picture is its own: the autoencoder is a critic's
    body and a second generator. The paper's 3 x 3 convolutions with ELU and no norm, of 64 to 128 maps, learn slowly
    on a CPU, and while the autoencoder blurs so do the pictures that please it.

    The paper has gamma 0.3 to 0.7 for faces, which are all as hard to reconstruct. In data of several kinds a gamma
    below 1 asks for the kinds that are easy. It also has rate 1e-3, Adam with 1e-4, halved when the measure stalls, and
    some 1e5 rounds of batch 16. For few rounds on a CPU k moves thirty times as fast and the weights ten times, and the
    rates fall linearly to 0.

    Pictures only: an autoencoder of two numbers copies every point, unless its code is a single number. Both networks
    are told the data's conditions, such as a label; `--ignore label` leaves it aside. Samples come from averaged
    weights.
    """
    need_layout(data, "began", *DOMAIN)
    codec = codec_for(data)
    spec = codec.spec(data)
    options: dict[str, Any] = {"base": width, "norm": "layer"}
    generator_net, decoder = (generator_for(spec, latent, **options) for _ in range(2))
    autoencoder = AutoencoderCritic(critic_for(spec, dense=latent, **options).body, decoder, power=1)
    objective = Equilibrium(gamma, rate)
    game = GAN(generator_net, autoencoder, objective, UniformCube(latent))
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
