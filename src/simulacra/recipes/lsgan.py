"""The least squares GAN."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.gan import GAN, LeastSquares, StandardNormal
from simulacra.networks import critic_for, generator_for
from simulacra.recipes._parts import codec_for, need_layout, single, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("vector", "image")
PAPER = "Mao et al. 2017 arXiv 1611.04076"


def lsgan(
    data: DataSpec,
    *,
    fake: float = -1.0,
    real: float = 1.0,
    wish: float = 0.0,
    latent: int | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    rounds: int | None = None,
    batch: int | None = None,
    ema: float | None = None,
) -> Experiment:
    """The critic regresses labels by least squares; fakes on the right side but far from the data still feel a pull.

    The critic is to say `real` (the paper's b) to data and `fake` (a) to fakes, of which the generator wishes that it
    says `wish` (c). With b - c = 1 and b - a = 2, the default, the generator makes Pearson's chi2 of p + q against 2q
    small; the paper's other choice (0, 1, 1) has no such reading. One turn each. Three hidden layers for points, DCGAN
    networks for pictures. Nothing holds the critic's slope: of eight small modes (`toys:ring8`) it covers about three,
    with other rates, momenta and critic turns between one and six; `gan_gp` and `sngan` cover all. The rates of
    pictures fall to 0 over the second half. Both networks are told the data's conditions, such as a label, the critic
    of pictures by a projection (Miyato and Koyama 2018, arXiv 1802.05637), with layer norm and Adam(0, 0.9); `--ignore
    label` leaves it aside.
    """
    need_layout(data, "lsgan", *DOMAIN)
    codec, picture = codec_for(data), data.layout == "image"
    spec = codec.spec(data)
    latent, width = latent or (100 if picture else 2), width or (32 if picture else 128)
    networks = generator_for(spec, latent, **sized(data, width)), critic_for(spec, **single(data, width))
    game = GAN(*networks, LeastSquares(fake, real, wish), StandardNormal(latent))
    model = game.averaged()
    betas = (0.0, 0.9) if picture else (0.5, 0.999)
    critic, generator = (Adam(net.parameters(), lr, betas=betas) for net in (game.critic, game.generator))
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
