"""Growing pictures: how soon a distance falls, and what a stage that fades in changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from simulacra.figures.style import MADE, PALETTE, REAL, new, styled, thin


def race(runs: Sequence[Mapping[str, ArrayLike]]) -> Figure:
    """Distance against operations and against pictures, of a game that grows and one that does not; lines are seeds.

    Args:
        runs: `operations`, `pictures` and `distance` [T], each as `grown/...` and as `direct/...`; and `target`.
    """
    with styled():
        figure = new(6.2, 3.0)
        axes = figure.subplots(1, 2, sharey=True)
        for axis, cost, scale in zip(axes, ("operations", "pictures"), (1e12, 1e3), strict=True):
            for kind, colour in (("direct", REAL), ("grown", MADE)):
                for k, run in enumerate(runs):
                    x = np.asarray(run[f"{kind}/{cost}"], dtype=float) / scale
                    y = np.asarray(run[f"{kind}/distance"], dtype=float)
                    axis.plot(x, y, color=colour, lw=0.9, label=None if k else kind)
            for run in runs:
                axis.axhline(float(np.asarray(run["target"])), color="0.6", lw=0.5, ls=":")
            axis.set_yscale("log")
        axes[0].set(xlabel="operations / $10^{12}$", ylabel="sliced W1 of the pyramid / sd")
        axes[1].set(xlabel="pictures seen / 1,000")
        thin(axes[1].legend(loc="best"))
    return figure


def fades(alpha: ArrayLike, path: ArrayLike) -> Figure:
    """The root mean square change of a picture [stages, T] against the `alpha` [T] with which a stage is faded in."""
    with styled():
        figure = new(3.4, 2.6)
        axis = figure.subplots()
        for k, line in enumerate(np.asarray(path, dtype=float)):
            side = 8 << k
            axis.plot(
                np.asarray(alpha, dtype=float),
                line,
                "o-",
                ms=3,
                color=PALETTE[k % len(PALETTE)],
                label=f"{side} x {side}",
            )
        axis.set(xlabel="alpha", ylabel="change of a pixel, root mean square")
        thin(axis.legend(loc="best"))
    return figure
