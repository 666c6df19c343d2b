"""Coupled generative adversarial networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.errors import UserError, nearest
from simulacra.gan import GAN, CoGAN, NonSaturating, StandardNormal
from simulacra.gan.coupled import DOMAINS, unpaired
from simulacra.networks import critic_for, generator_for, tied
from simulacra.recipes._parts import codec_for, need_layout
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("image",)
PAPER = "Liu and Tuzel 2016 arXiv 1606.07536"


def cogan(
    data: DataSpec,
    *,
    second: str = "negative",
    tied_generator: int | None = None,
    tied_critic: int | None = None,
    latent: int = 100,
    width: int = 32,
    lr: float = 1e-3,
    rounds: int = 3000,
    batch: int = 64,
    ema: float = 0.999,
) -> Experiment:
    """Two GANs with tied layers learn pairs of pictures from two domains, though they never see a pair.

    One half of the rows is shown as it is, of the other half only the `second` domain: its `negative` or its `edges`.
    The first `tied_generator` layers of the generators are the same, and the last `tied_critic` of the critics with
    their head; by default all but one, as in the paper, and 0 ties nothing (the control). Samples are those of the
    first domain, and a grid of them has both; `model.push(noise)` and `surrogate.sample(n, raw=True)` have the second
    as `given["partner"]`, from -1 to 1. DCGAN networks, Adam(1e-3, 0.5). Conditions are left aside. The rates fall to 0
    over the second half.
    """
    need_layout(data, "cogan", *DOMAIN)
    if second not in DOMAINS:
        raise UserError(f"expected --second negative or edges, came {second!r}; {nearest(second, DOMAINS)}")
    codec = codec_for(data)
    spec = replace(codec.spec(data), given={})
    doublings = spec.x.shape[1].bit_length() - 3
    early, late = (doublings if count is None else count for count in (tied_generator, tied_critic))
    generators: list[Any] = [generator_for(spec, latent, base=width) for _ in range(2)]
    critics: list[Any] = [critic_for(spec, base=width) for _ in range(2)]
    (one, other), (judge, peer) = generators, critics
    other.layers = tied(one.layers, other.layers, early)
    if late:
        peer.body.layers, peer.head = tied(judge.body.layers, peer.body.layers, 1 - late), judge.head
    noise = StandardNormal(latent)
    game = CoGAN(GAN(one, judge, NonSaturating(), noise), GAN(other, peer, NonSaturating(), noise))
    model, makers, judges = game.averaged(), game.generators(), game.critics()
    generator, critic = (Adam(nets.parameters(), lr, betas=(0.5, 0.999)) for nets in (makers, judges))
    falling = linear_decay(0.5)
    return Experiment(
        model,
        [
            Player("critics", judges, game.critic_loss, critic, stream="domains", schedule=falling),
            Player("generators", makers, game.generator_loss, generator, stream="domains", schedule=falling),
        ],
        codec,
        rounds,
        batch,
        modules(game=game, model=model),
        [EMA(makers, model, ema)],
        streams={"domains": lambda stream: unpaired(stream, DOMAINS[second])},
    )
