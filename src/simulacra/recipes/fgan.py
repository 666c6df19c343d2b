"""The GAN of any f-divergence."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.errors import UserError, nearest
from simulacra.gan import DIVERGENCES, GAN, R1, R2, StandardNormal, Variational
from simulacra.networks import critic_for, generator_for
from simulacra.recipes._parts import codec_for, need_layout, single, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("vector", "image")
PAPER = "Nowozin, Cseke and Tomioka 2016 arXiv 1606.00709"


def fgan(
    data: DataSpec,
    *,
    divergence: str = "jensen_shannon",
    saturating: bool = False,
    gamma: float | None = None,
    clip: float = 1.0,
    latent: int | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    rounds: int | None = None,
    batch: int | None = None,
    ema: float | None = None,
) -> Experiment:
    """The critic estimates an f-divergence from below, which the generator makes small.

    `divergence` is kl, reverse_kl, pearson, hellinger, jensen_shannon or gan. The generator maximises the critic's
    output as in section 3.2 of the paper, or plays the minimax game with `saturating=True`. One turn each.

    Some conjugates are exponentials, which overflow where the distributions lie apart. Therefore gradients are cut to
    the norm `clip`, and the critic's slope is penalised on both sides, gamma/2 || grad ||^2 (after Roth et al. 2017,
    arXiv 1705.09367); `gamma=0` is the paper's game. gamma 1, batch 16 and DCGAN networks with layer norm in the critic
    for pictures, gamma 0.1, batch 256 and three hidden layers for points. The rates of pictures fall to 0 over the
    second half. Both networks are told the data's conditions, such as a label, the critic of pictures by a projection
    (Miyato and Koyama 2018, arXiv 1802.05637); `--ignore label` leaves it aside.
    """
    need_layout(data, "fgan", *DOMAIN)
    if divergence not in DIVERGENCES:
        raise UserError(f"expected an f-divergence, came {divergence!r}; {nearest(divergence, DIVERGENCES)}")
    codec, picture = codec_for(data), data.layout == "image"
    spec = codec.spec(data)
    latent, width = latent or (100 if picture else 2), width or (32 if picture else 128)
    weight = (gamma if gamma is not None else (1.0 if picture else 0.1)) / 2
    networks = generator_for(spec, latent, **sized(data, width)), critic_for(spec, **single(data, width))
    terms = [R1(weight), R2(weight)] if weight else []
    game = GAN(*networks, Variational(DIVERGENCES[divergence], saturating), StandardNormal(latent), terms)
    model = game.averaged()
    critic, generator = (Adam(net.parameters(), lr, betas=(0.5, 0.999)) for net in (game.critic, game.generator))
    falling = linear_decay(0.5 if picture else 1.0)
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, clip=clip, schedule=falling),
            Player("generator", game.generator, game.generator_loss, generator, clip=clip, schedule=falling),
        ],
        codec,
        rounds or (12_000 if picture else 6000),
        batch or (16 if picture else 256),
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema if ema is not None else (0.999 if picture else 0.995))],
    )
