"""Games of larger batches and of wider networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from simulacra.claims.claim import Claim, Result
from simulacra.claims.ingredients import OTHER_DICE, reached
from simulacra.claims.momentum import DIGITS
from simulacra.figures.curves import Curves, curves
from simulacra.recipes.dcgan import dcgan

Array = np.ndarray
BATCHES, WIDTHS, ROUNDS = (16, 64, 256), (8, 16, 32), 240
DOUBLING = "log2 of the distance per doubling of "
BY_BATCH, BY_EVENTS, BY_WIDTH = DOUBLING + "the batch", DOUBLING + "the batch, at equal events", DOUBLING + "the width"


def per_doubling(sizes: Sequence[int], distances: ArrayLike) -> float:
    """The slope of log2 of the distance against log2 of the size."""
    return float(np.polyfit(np.log2(sizes), np.log2(distances), 1)[0])


def distance(seed: int, rounds: int, batch: int = BATCHES[1], width: int = WIDTHS[1]) -> float:
    """Of a DCGAN after so many rounds."""
    return reached(partial(dcgan, DIGITS, latent=32, base=width, lr=2e-3, batch=batch), seed, rounds)


def enlarging(seed: int, rounds: int = ROUNDS) -> Result:
    """Slopes over sizes; control: games of one size, with other dice, in the place of other sizes."""
    middle = distance(seed, rounds)
    small, _, large = BATCHES

    def beside(below: float, above: float) -> Array:
        return np.array([below, middle, above])

    def at_equal_events(batch: int) -> float:
        return distance(seed, max(rounds * BATCHES[1] // batch, 1), batch=batch)

    found = {
        BY_BATCH: beside(distance(seed, rounds, batch=small), distance(seed, rounds, batch=large)),
        BY_EVENTS: beside(at_equal_events(small), at_equal_events(large)),
        BY_WIDTH: beside(distance(seed, rounds, width=WIDTHS[0]), distance(seed, rounds, width=WIDTHS[2])),
    }
    dice = beside(distance(OTHER_DICE + seed, rounds), distance(2 * OTHER_DICE + seed, rounds))
    sizes = {name: WIDTHS if name == BY_WIDTH else BATCHES for name in found}
    values = {name: per_doubling(sizes[name], ends) for name, ends in found.items()}
    control = {name: per_doubling(sizes[name], dice) for name in found}
    return Result(values, control, found)


def draw_enlarging(results: Sequence[Result]) -> Figure:
    panels = []
    for name, title, label, sizes in (
        (BY_BATCH, "equal rounds", "log2 of the batch", BATCHES),
        (BY_EVENTS, "equal events", "log2 of the batch", BATCHES),
        (BY_WIDTH, "equal rounds", "log2 of the width", WIDTHS),
    ):
        lines = {f"seed {k}": (np.log2(sizes), r.arrays[name]) for k, r in enumerate(results)}
        panels.append(Curves(title, label, "Frechet distance of pixels", lines, log="y"))
    return curves(panels, columns=3)


CLAIMS = (
    Claim(
        name="larger-gans-are-better",
        statement="Larger batches and wider networks make better GANs.",
        lecture="C:735-757, A:545",
        paper="Brock et al. 2019, arXiv 1809.11096",
        experiment=enlarging,
        bounds={BY_BATCH: (-math.inf, -0.1), BY_EVENTS: (-math.inf, -0.1), BY_WIDTH: (-math.inf, -0.2)},
        control="games of one size, with other dice, in the place of other sizes.",
        budget="240 rounds of DCGAN on 64 digits of 8 x 8, nine games, two of them at other batches and equal events",
        figure=draw_enlarging,
        seeds=6,
        note="Frechet distance of pixels, the mean over the last third; a slope of -0.1 is 7 % nearer per doubling. At "
        "equal rounds neither size matters; at equal events, where larger batches leave fewer rounds, a doubling costs "
        "a third. One learning rate for all sizes, and short games on 1,797 digits of 8 x 8 pixels: that long games on "
        "ImageNet gain is not refuted.",
    ),
)  # fmt: skip
