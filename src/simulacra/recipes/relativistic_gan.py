"""The relativistic GAN."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.errors import UserError, nearest
from simulacra.gan import GAN, Hinge, LeastSquares, NonSaturating, Relativistic, StandardNormal
from simulacra.networks import critic_for, generator_for
from simulacra.recipes._parts import codec_for, need_layout, single, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("vector", "image")
PAPER = "Jolicoeur-Martineau 2018 arXiv 1807.00734"


def relativistic_gan(
    data: DataSpec,
    *,
    objective: str = "nonsaturating",
    average: bool = False,
    latent: int | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    rounds: int | None = None,
    batch: int | None = None,
    ema: float | None = None,
) -> Experiment:
    """The critic says which of two events is real; the generator wants its own to look more real than the data's.

    -log sigmoid(f(x) - f(g(z))) for the critic, with the sign turned for the generator, on pairs of one real event and
    one fake (RSGAN); the generator feels real events too. `objective` leastsquares or hinge compares by those losses
    (RLSGAN, RHingeGAN); with `average=True` every event meets the mean score of the other side (RaSGAN, RaLSGAN,
    RaHingeGAN). One turn each. Three hidden layers for points, DCGAN networks for pictures. The rates of pictures fall
    to 0 over the second half. Both networks are told the data's conditions, such as a label, the critic of pictures by
    a projection (Miyato and Koyama 2018, arXiv 1802.05637), with layer norm and Adam(0, 0.9); `--ignore label` leaves
    it aside.
    """
    need_layout(data, "relativistic_gan", *DOMAIN)
    inner = {"nonsaturating": NonSaturating(), "leastsquares": LeastSquares(), "hinge": Hinge()}
    if objective not in inner:
        raise UserError(f"expected an objective to make relativistic, came {objective!r}; {nearest(objective, inner)}")
    codec, picture = codec_for(data), data.layout == "image"
    spec = codec.spec(data)
    latent, width = latent or (100 if picture else 2), width or (32 if picture else 128)
    game = GAN(
        generator_for(spec, latent, **sized(data, width)),
        critic_for(spec, offset=False, **single(data, width)),
        Relativistic(inner[objective], average),
        StandardNormal(latent),
    )
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
