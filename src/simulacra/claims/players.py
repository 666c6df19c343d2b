"""One player and two on the line: the same generator goes down a distance alone, or plays a game."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from simulacra.batch import Batch
from simulacra.claims.claim import Claim, Result
from simulacra.claims.line import HIDDEN, LINE, data, distance, energy, far, fresh, step
from simulacra.figures.curves import Curves, curves
from simulacra.gan import GAN, NonSaturating, Pushforward, StandardNormal
from simulacra.networks import critic_for
from simulacra.random import reseed

Array = np.ndarray
Turn = Callable[[], None]
BATCH, NOISE = 128, StandardNormal(1)


def adam(network: nn.Module, rate: float, tame: bool = True) -> Optimizer:
    """Adam with the decays of GANs, or with its own."""
    return Adam(network.parameters(), rate, betas=(0.5, 0.9) if tame else (0.9, 0.999))


def watched(generator: nn.Module, turn: Turn, turns: int, looks: int) -> Array:
    """W1 in standard deviations of the data, before the first turn and then at equal distances, [looks + 1]."""
    seen = [far(generator)]
    for k in range(1, turns + 1):
        turn()
        if k % (turns // looks) == 0:
            seen.append(far(generator))
    return np.array(seen)


def alone(generator: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], optimizer: Optimizer) -> Turn:
    """The generator takes a step down a distance of fresh events from the data."""
    game = Pushforward(generator, NOISE)
    return lambda: step(optimizer, generator, loss(game.push(game.noise(BATCH)).x, data(BATCH)))


def against(game: GAN, critic: Optimizer, generator: Optimizer) -> Turn:
    """The critic takes a step, then the generator."""

    def turn() -> None:
        step(critic, game.critic, game.critic_loss(Batch(data(BATCH))))
        step(generator, game.generator, game.generator_loss(Batch(data(BATCH))))

    return turn


def end(curve: Array) -> float:
    """The mean over the last fifth."""
    return float(curve[-max(len(curve) // 5, 1) :].mean())


def uphill(curve: Array, blocks: int = 10) -> float:
    """The share of a curve's way that goes up, between means of so many blocks; a half where it comes back.

    >>> uphill(np.array([4.0, 2.0, 3.0, 0.0]), blocks=4)
    0.16666666666666666
    """
    change = np.diff([block.mean() for block in np.array_split(curve, blocks)])
    return float(change[change > 0].sum() / np.abs(change).sum())


LOSSES = {"exact W1": distance, "energy distance": energy}
RATE, SLOW, HIGH = 5e-3, 2e-3, 5.0
UP = {name: f"one player, {name}: share of W1's way that goes up" for name in LOSSES}
END = {name: f"one player, {name}: W1 at the end / at the start" for name in LOSSES}
TWO, BESIDE = "share of W1's way that goes up, two players - one", "log2 of W1 at the end, two players / one"


def falling(seed: int, steps: int = 700, looks: int = 50) -> Result:
    """One generator alone with each of two losses, and in a game.

    In the control its rate is beyond all conditions, and the game is played by one.
    """
    reseed(seed, "claims", "one and two", "alone")
    first, judge = fresh(nn.SiLU), critic_for(LINE, hidden=HIDDEN, activation=nn.SiLU)

    def curve(turn: Callable[[nn.Module], Turn]) -> Array:
        generator = deepcopy(first)
        reseed(seed, "claims", "one and two", "turns")
        return watched(generator, turn(generator), steps, looks)

    def solo(loss: Callable[[Tensor, Tensor], Tensor], rate: float) -> Array:
        return curve(lambda generator: alone(generator, loss, adam(generator, rate, tame=False)))

    def play(rate: float, tame: bool) -> Array:
        def turn(generator: nn.Module) -> Turn:
            game = GAN(generator, deepcopy(judge), NonSaturating(), NOISE)
            return against(game, adam(game.critic, rate, tame), adam(generator, rate, tame))

        return curve(turn)

    held = {name: solo(loss, RATE) for name, loss in LOSSES.items()}
    wild = {name: solo(loss, HIGH) for name, loss in LOSSES.items()}
    held |= {"GAN": play(RATE, tame=False), "GAN, tamed": play(SLOW, tame=True)}
    one, other = (end(held[name]) for name in LOSSES)
    values = {
        **{UP[name]: uphill(held[name]) for name in LOSSES},
        **{END[name]: float(end(held[name]) / held[name][0]) for name in LOSSES},
        TWO: uphill(held["GAN"]) - uphill(held["exact W1"]),
        BESIDE: math.log2(end(held["GAN"]) / one),
    }
    control = {
        **{END[name]: float(end(wild[name]) / wild[name][0]) for name in LOSSES},
        BESIDE: math.log2(other / one),
    }
    return Result(values, control, held)


def draw_falling(results: Sequence[Result]) -> Figure:
    panels = []
    for seed, held in enumerate(r.arrays for r in results[:3]):
        lines = {name: (np.arange(len(held[name])), held[name]) for name in (*LOSSES, "GAN", "GAN, tamed")}
        panels.append(Curves(f"seed {seed}", "look", "W1 / standard deviations", lines, log="y"))
    return curves(panels, columns=3)


CLAIMS = (
    Claim(
        name="one-player-goes-down-where-two-may-not",
        statement="A single player who follows its gradient converges, if only to a local optimum; two players might "
        "not.",
        lecture="D:420-434",
        paper="Robbins and Monro 1951; Goodfellow 2016, arXiv 1701.00160",
        experiment=falling,
        bounds={
            **dict.fromkeys(UP.values(), (-math.inf, 0.25)),
            **dict.fromkeys(END.values(), (-math.inf, 0.25)),
            TWO: (0.0, math.inf),
            BESIDE: (1.0, math.inf),
        },
        control="a thousand times the learning rate; in the place of the game, one player with the other loss.",
        budget="700 generator steps on 128 + 128 events, six times",
        figure=draw_falling,
        seeds=6,
        note="Adam at 5e-3 with its own decays for one player and for both; the game is non-saturating, one turn each. "
        "W1 is exact, on quantiles; its way is between means of ten parts of the training. At 2e-3 and with a first "
        "decay of 0.5 the game comes near as well, and wanders there.",
    ),
)  # fmt: skip
