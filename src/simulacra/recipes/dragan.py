"""DRAGAN."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.gan import DRAGAN, GAN, NonSaturating, StandardNormal
from simulacra.networks import critic_for, generator_for
from simulacra.recipes._parts import codec_for, need_layout, single, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("vector", "image")
PAPER = "Kodali, Abernethy, Hays and Kira 2017 arXiv 1705.07215"


def dragan(
    data: DataSpec,
    *,
    penalty: float | None = None,
    spread: float = 0.5,
    latent: int | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    rounds: int | None = None,
    batch: int | None = None,
    ema: float | None = None,
) -> Experiment:
    """The non-saturating game with a critic whose slope is pushed towards 1 around the data, not on lines to fakes.

    `penalty (|| grad f(x') || - 1)^2` with x' beside real events, up to `spread` standard deviations away. Steep slopes
    at the data make sharp local equilibria, in which modes are lost. One turn each, layer norm in place of the critic's
    batch norm. 10 and DCGAN networks for pictures, 0.1 and three hidden layers for points. The rates of pictures fall
    to 0 over the second half. Both networks are told the data's conditions, such as a label, the critic of pictures by
    a projection (Miyato and Koyama 2018, arXiv 1802.05637); `--ignore label` leaves it aside.
    """
    need_layout(data, "dragan", *DOMAIN)
    codec, picture = codec_for(data), data.layout == "image"
    spec = codec.spec(data)
    latent, width = latent or (100 if picture else 2), width or (32 if picture else 128)
    term = DRAGAN(penalty if penalty is not None else (10.0 if picture else 0.1), spread=spread)
    networks = generator_for(spec, latent, **sized(data, width)), critic_for(spec, **single(data, width))
    game = GAN(*networks, NonSaturating(), StandardNormal(latent), [term])
    model = game.averaged()
    critic, generator = (Adam(net.parameters(), lr, betas=(0.5, 0.9)) for net in (game.critic, game.generator))
    falling = linear_decay(0.5 if picture else 1.0)
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, schedule=falling),
            Player("generator", game.generator, game.generator_loss, generator, schedule=falling),
        ],
        codec,
        rounds or (3000 if picture else 6000),
        batch or (64 if picture else 256),
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema if ema is not None else (0.999 if picture else 0.995))],
    )
