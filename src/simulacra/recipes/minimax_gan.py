"""The minimax game of the first paper."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.gan import GAN, Minimax, UniformCube
from simulacra.networks import critic_for, generator_for
from simulacra.recipes._parts import codec_for, need_layout, single, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, from_round, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("vector", "image")
PAPER = "Goodfellow et al. 2014 arXiv 1406.2661"


def minimax_gan(
    data: DataSpec,
    *,
    steps: int = 1,
    pretrain: int = 0,
    latent: int | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    rounds: int | None = None,
    batch: int | None = None,
    ema: float | None = None,
) -> Experiment:
    """Discriminator and generator play for one value, E log d(x) + E log(1 - d(g(z))): one raises it, one lowers it.

    Algorithm 1 of the paper: `steps` turns of the discriminator, one of the generator, on the saturating loss. With
    many steps the discriminator is near its optimum, the value near 2 JS(p, q) - 2 log 2, and the generator's
    gradient near 0 wherever the two distributions lie apart; `gan` has the loss that does not saturate. With `pretrain`
    rounds the discriminator is pre-trained: the generator waits.

    z ~ U(-1, 1) as in the paper; Adam in place of its SGD with momentum. Three hidden layers for points, DCGAN networks
    for pictures. The rates of pictures fall to 0 over the second half. Both networks are told the data's conditions,
    such as a label, the critic of pictures by a projection (Miyato and Koyama 2018, arXiv 1802.05637), with layer norm
    and Adam(0, 0.9); `--ignore label` leaves it aside.
    """
    need_layout(data, "minimax_gan", *DOMAIN)
    codec, picture = codec_for(data), data.layout == "image"
    spec = codec.spec(data)
    latent, width = latent or (100 if picture else 2), width or (32 if picture else 128)
    networks = generator_for(spec, latent, **sized(data, width)), critic_for(spec, **single(data, width))
    game = GAN(*networks, Minimax(), UniformCube(latent))
    model = game.averaged()
    betas = (0.0, 0.9) if picture else (0.5, 0.999)
    critic, generator = (Adam(net.parameters(), lr, betas=betas) for net in (game.critic, game.generator))
    falling = linear_decay(0.5 if picture else 1.0)
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, repeats=steps, schedule=falling),
            Player(
                "generator",
                game.generator,
                game.generator_loss,
                generator,
                schedule=falling,
                when=from_round(pretrain),
            ),
        ],
        codec,
        rounds or (3000 if picture else 6000),
        batch or (64 if picture else 256),
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema if ema is not None else (0.999 if picture else 0.995))],
    )
