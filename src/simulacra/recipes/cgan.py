"""The conditional GAN."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.errors import UserError
from simulacra.gan import GAN, NonSaturating, StandardNormal
from simulacra.networks import Critic, critic_for, generator_for
from simulacra.networks.joint import JointHead
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
    joint: int | None = None,
    width: int | None = None,
    lr: float | None = None,
    rounds: int | None = None,
    batch: int | None = None,
    ema: float = 0.999,
) -> Experiment:
    """Generator and critic are both told the conditions: d(x | y) judges g(z | y).

    Conditions enter the generator beside z, classes one-hot. The critic of pictures meets them in a hidden layer of
    `joint` units on top of its features, as in the paper; `joint=0` puts them beside the pixels, as constant maps, and
    beside x for points. `projection=True` tells the critic's last layer instead, as an inner product (Miyato and Koyama
    2018). DCGAN networks for pictures, MLPs of three hidden layers for points; the non-saturating game. Where
    conditions are joined, the critic of pictures has layer norm, batches are of 16 and not 64 and moments are those of
    Adam(0, 0.9). The rates of pictures fall to 0 over the second half.
    """
    need_layout(data, "cgan", *DOMAIN)
    if not data.given:
        raise UserError(f"expected data with a condition for cgan, {data.name} has none; use dcgan, gan or wgan_gp")
    if projection and joint:
        raise UserError("expected projection or joint for cgan, came both; leave one of them out")
    codec, picture = codec_for(data), data.layout == "image"
    spec = codec.spec(data)
    latent, width = latent or (100 if picture else 2), width or (32 if picture else 128)
    options = sized(data, width)
    hidden = (256 if picture and not projection else 0) if joint is None else joint
    if hidden:
        quiet: dict[str, Any] = {"norm": "layer"} if picture else {}
        body: Any = critic_for(replace(spec, given={}), **options, **quiet).body
        critic_net = Critic(body, JointHead(body.features, spec.given, hidden))
    else:
        critic_net = critic_for(spec, projection=projection, **options)
    game = GAN(generator_for(spec, latent, **options), critic_net, NonSaturating(), StandardNormal(latent))
    model, rate, betas = game.averaged(), lr or (1e-3 if picture else 5e-4), (0.0, 0.9) if hidden else (0.5, 0.999)
    critic, generator = (Adam(net.parameters(), rate, betas=betas) for net in (game.critic, game.generator))
    falling = linear_decay(0.5 if picture else 1.0)
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, schedule=falling),
            Player("generator", game.generator, game.generator_loss, generator, schedule=falling),
        ],
        codec,
        rounds or (16_000 if hidden and picture else 4000),
        batch or (256 if not picture else 16 if hidden else 64),
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema)],
    )
