"""How many kinds of pictures there are at low resolution, and how much they differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from simulacra.claims.claim import Claim, Result
from simulacra.domains.images.canonical import open_canonical
from simulacra.figures.curves import Curves, curves

Array = np.ndarray
SIDES = (4, 8, 16, 32)
FEWER, ALIKE = "log2 of the number of modes, 4 x 4 / 32 x 32", "log2 of the difference of two pictures, 4 x 4 / 32 x 32"


@cache
def pictures(rows: int) -> Tensor:
    """MNIST with an empty frame, from 0 to 1, [rows, 1, 32, 32]."""
    return pad(open_canonical("mnist")[torch.arange(rows)].x, (2, 2, 2, 2))


def reduced(x: Tensor, side: int) -> Tensor:
    """Means of square pieces, [N, 1, side, side]."""
    return avg_pool2d(x, x.shape[-1] // side)


def apart(x: Tensor) -> Tensor:
    """The root mean square of the differences of pixels, for each two of N pictures, [N, N]."""
    flat = x.flatten(1)
    return torch.cdist(flat, flat).fill_diagonal_(0) / math.sqrt(flat.shape[1])


def modes(far: Tensor, radius: float, first: int) -> int:
    """Balls of this radius that it takes to cover all points, each about the point that is farthest from the others'.

    Args:
        far: distances [N, N].
        first: the point about which the first ball is.

    Source: Gonzalez (1985), at most twice as far as the best centres.
    """
    nearest, count = far[first].clone(), 1
    while nearest.max() > radius:
        nearest = torch.minimum(nearest, far[int(nearest.argmax())])
        count += 1
    return count


def shrinking(seed: int, rows: int = 10_000, n: int = 1500) -> Result:
    """Modes and differences of digits at every side; in the control pictures of 4 x 4 are blown up."""
    draw = np.random.default_rng(seed)
    x = pictures(rows)[torch.from_numpy(draw.choice(rows, n, replace=False))]
    blown = interpolate(reduced(x, SIDES[0]), scale_factor=x.shape[-1] // SIDES[0], mode="nearest")
    others = ~torch.eye(n, dtype=torch.bool)
    radius = 0.6 * float(apart(x)[others].square().mean().sqrt())
    found = {}
    for name, kept in {"digits": x, "blown up": blown}.items():
        far = [apart(reduced(kept, side)) for side in SIDES]
        found[name] = (
            np.array([modes(each, radius, 0) for each in far], float),
            np.array([float(each[others].square().mean().sqrt()) for each in far]),
        )
    values, control = (
        {FEWER: math.log2(count[0] / count[-1]), ALIKE: math.log2(size[0] / size[-1])} for count, size in found.values()
    )
    arrays = {
        f"{name}, {what}": y for name, both in found.items() for what, y in zip(("modes", "size"), both, strict=True)
    }
    return Result(values, control, arrays)


def draw_shrinking(results: Sequence[Result]) -> Figure:
    panels = []
    for what, y in {"modes": "balls that cover all", "size": "difference of two, RMS of pixels"}.items():
        kinds = ("digits", "blown up")
        lines = {k: (SIDES, np.mean([r.arrays[f"{k}, {what}"] for r in results], 0)) for k in kinds}
        panels.append(Curves(y, "pixels a side", y, lines, marks=lines, log="xy"))
    return curves(panels)


CLAIMS = (
    Claim(
        name="low-resolution-has-few-modes",
        statement="At low resolution pictures have only few modes, with small differences.",
        lecture="B:511",
        paper="Karras et al. 2018, arXiv 1710.10196",
        experiment=shrinking,
        bounds={FEWER: (-math.inf, -1.0), ALIKE: (-math.inf, -0.2)},
        control="pictures of 4 x 4 pixels, blown up to 32 x 32.",
        budget="1,500 MNIST digits at four resolutions",
        figure=draw_shrinking,
        fast=True,
        note="A mode is a ball whose radius is 0.6 of the usual difference of two pictures of 32 x 32; pixels are "
        "means of squares, so that fine detail averages out.",
    ),
)
