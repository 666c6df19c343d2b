"""The conditional GAN."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.errors import UserError
from simulacra.gan import GAN, NonSaturating, StandardNormal
from simulacra.networks import critic_for, generator_for
from simulacra.recipes._parts import codec_for, need_layout, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("vector", "image")
PAPER = "Mirza and Osindero 2014 arXiv 1411.1784"


def cgan(
    data: DataSpec,
    *,
    latent: int | None = None,
    projection: bool = False,
    width: int | None = None,
    lr: float | None = None,
    rounds: int = 4000,
    batch: int | None = None,
    ema: float = 0.999,
) -> Experiment:
    """Generator and critic are both told the conditions: d(x | y) judges g(z | y).

    Conditions enter beside z and beside x, classes one-hot, for pictures as constant maps. `projection=True` tells the
    critic's last layer instead, as an inner product (Miyato and Koyama 2018). DCGAN networks for pictures, MLPs of
    three hidden layers for points; the non-saturating game. The rates of pictures fall to 0 over the second half.
    """
    need_layout(data, "cgan", *DOMAIN)
    if not data.given:
        raise UserError(f"expected data with a condition for cgan, {data.name} has none; use dcgan, gan or wgan_gp")
    codec, picture = codec_for(data), data.layout == "image"
    spec = codec.spec(data)
    latent, width = latent or (100 if picture else 2), width or (32 if picture else 128)
    options = sized(data, width)
    critic_net = critic_for(spec, projection=projection, **options)
    game = GAN(generator_for(spec, latent, **options), critic_net, NonSaturating(), StandardNormal(latent))
    model, rate = game.averaged(), lr or (1e-3 if picture else 5e-4)
    critic, generator = (Adam(net.parameters(), rate, betas=(0.5, 0.999)) for net in (game.critic, game.generator))
    falling = linear_decay(0.5 if picture else 1.0)
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, schedule=falling),
            Player("generator", game.generator, game.generator_loss, generator, schedule=falling),
        ],
        codec,
        rounds,
        batch or (64 if picture else 256),
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema)],
    )
