"""Whether games of convolutions are steadier than games of dense layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from torch.optim import Adam

from simulacra.claims.claim import Claim, Result
from simulacra.claims.growing import SPEC
from simulacra.claims.ingredients import OTHER_DICE
from simulacra.claims.small_games import Pictures, end, fashion, path, swing
from simulacra.figures.curves import Curves, curves
from simulacra.gan import GAN, NonSaturating, UniformCube
from simulacra.networks import critic_for, generator_for
from simulacra.networks.dense import DenseBody, DenseGenerator
from simulacra.networks.heads import Critic, LinearHead
from simulacra.recipes._parts import codec_for
from simulacra.training.game import Experiment, Player, modules

Array = np.ndarray
LATENT, BASE, BATCH, ROUNDS, LOOKS = 32, 16, 32, 600, 12
HIDDEN = (48, 48, 48)
"""Of both dense networks, which have about as many parameters as those of convolutions."""
RATES = (3e-4, 1e-3, 3e-3, 1e-2)
KINDS = ("convolutions", "dense layers")


def game(kind: str, lr: float) -> Experiment:
    """The game of the recipe `dcgan`, or the same of MLPs."""
    codec = codec_for(SPEC)
    spec = codec.spec(SPEC)
    if kind == "convolutions":
        maker, judge = generator_for(spec, LATENT, base=BASE), critic_for(spec, base=BASE)
    else:
        maker = DenseGenerator(spec.x.shape, LATENT, hidden=HIDDEN)
        judge = Critic(DenseBody(spec.x.shape, hidden=HIDDEN), LinearHead(HIDDEN[-1]))
    duel = GAN(maker, judge, NonSaturating(), UniformCube(LATENT))
    critic, generator = (Adam(net.parameters(), lr, betas=(0.5, 0.999)) for net in (judge, maker))
    players = [
        Player("critic", duel.critic, duel.critic_loss, critic),
        Player("generator", duel.generator, duel.generator_loss, generator),
    ]
    return Experiment(duel, players, codec, ROUNDS, BATCH, modules(game=duel))


FARTHER, SPREAD, SWING = (
    "log2 of the distance, dense / convolutions",
    "spread of log2 of the distance over rates, dense - convolutions",
    "swing of log2 of the distance, dense - convolutions",
)


def compared(first: Array, second: Array) -> dict[str, float]:
    """The second kind of games against the first; distances [rates, looks]."""
    ends = [np.log2([end(line) for line in kind]) for kind in (first, second)]
    swings = [np.mean([swing(line) for line in kind]) for kind in (first, second)]
    return {
        FARTHER: float(ends[1].mean() - ends[0].mean()),
        SPREAD: float(ends[1].std(ddof=1) - ends[0].std(ddof=1)),
        SWING: float(swings[1] - swings[0]),
    }


def steadying(seed: int, rounds: int = ROUNDS, data: Pictures | None = None) -> Result:
    """Games of both kinds at several rates; control: convolutions with other dice in the place of dense layers."""
    data = data or fashion()

    def held(kind: str, dice: int) -> Array:
        return np.array([path(partial(game, kind, lr), data, dice, rounds, LOOKS) for lr in RATES])

    found: Mapping[str, Array] = {kind: held(kind, seed) for kind in KINDS}
    again = held(KINDS[0], OTHER_DICE + seed)
    return Result(compared(*found.values()), compared(found[KINDS[0]], again), found)


def draw_steadying(results: Sequence[Result]) -> Figure:
    panels = []
    for kind in KINDS:
        mean = np.exp2(np.mean([np.log2(r.arrays[kind]) for r in results], 0))
        time = (1 + np.arange(mean.shape[1])) / mean.shape[1]
        lines = {f"rate {lr:g}": (time, line) for lr, line in zip(RATES, mean, strict=True)}
        panels.append(Curves(kind, "share of the game", "sliced W1 / sd", lines, log="y"))
    return curves(panels)


CLAIMS = (
    Claim(
        name="convolutions-are-steadier",
        statement="GANs of deep convolutional networks show improved stability.",
        lecture="A:394, A:414",
        paper="Radford, Metz and Chintala 2016, arXiv 1511.06434",
        experiment=steadying,
        bounds={FARTHER: (0.25, math.inf), SPREAD: (0.1, math.inf), SWING: (0.05, math.inf)},
        control="convolutions with other dice in the place of dense layers.",
        budget="600 rounds on 32 Fashion-MNIST pictures of 16 x 16 for each of two networks at four learning rates",
        figure=draw_steadying,
        note="The distance is sliced W1 of the bands of a Laplacian pyramid; the mean over rates from 3e-4 to 1e-2 and "
        "over the last third of a game. The swing is the standard deviation over the second half, less a line. 0.25 is "
        "a fifth farther. Dense layers of as many parameters end almost four times as far, and depend more on the "
        "rate; within a game they swing no more.",
    ),
)  # fmt: skip
