"""Distances between distributions, as what must be moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from numpy.typing import ArrayLike

from simulacra.figures.style import MADE, OTHER, REAL, new, styled, thin

Array = np.ndarray


def transport_plan(place: ArrayLike, start: ArrayLike, end: ArrayLike, plan: ArrayLike, cost: float) -> Figure:
    """A plan that moves one histogram onto another: as a matrix between them, and as bars built of what was moved.

    Args:
        place: [K] of the bins.
        start: shares [K]; end: shares [K]; plan: [K, K], its rows add up to `start` and its columns to `end`.
        cost: mass times distance.
    """
    x, a, b, moved = (np.asarray(v, dtype=float) for v in (place, start, end, plan))
    width = float(np.diff(x).min()) if len(x) > 1 else 1.0
    frame = (x[0] - width / 2, x[-1] + width / 2)
    colours = _shades(len(x))
    with styled():
        figure = new(7.4, 3.7)
        halves: Any = figure.subfigures(1, 2, width_ratios=[1, 1.1])
        left, right = halves
        axes = left.subplots(2, 2, width_ratios=[3, 1], height_ratios=[1, 3], sharex="col", sharey="row")
        top, corner, matrix, side = axes.flat
        corner.set_axis_off()
        top.bar(x, b, width * 0.9, color=OTHER)
        top.set_ylabel("to: Q")
        side.barh(x, a, width * 0.9, color=colours)
        side.set_xlabel("from: P")
        matrix.imshow(
            np.ma.masked_less_equal(moved, 0),
            origin="lower",
            extent=(*frame, *frame),
            cmap="Greys",
            vmin=0,
            aspect="auto",
        )
        matrix.plot(frame, frame, ":", color=REAL, lw=0.8)
        matrix.set(xlabel="to y", ylabel="from x")
        top.set_title("plan γ(x, y)")
        upper, lower = right.subplots(2, 1, sharex=True, sharey=True)
        upper.bar(x, a, width * 0.9, color=colours)
        upper.set(ylabel="share", title="earth at P, each column in its shade")
        height = np.zeros(len(x))
        for k in range(len(x)):
            lower.bar(x, moved[k], width * 0.9, bottom=height, color=colours[k])
            height = height + moved[k]
        lower.step([frame[0], *(x + width / 2)], [b[0], *b], where="pre", color=OTHER, label="Q")
        lower.set(xlabel="x", ylabel="share", title=f"moved to Q: mass × distance = {cost:.3f}")
        thin(lower.legend())
    return figure


def _shades(n: int) -> list[tuple[float, ...]]:
    from matplotlib import colormaps

    return [tuple(c) for c in colormaps["viridis"](np.linspace(0.0, 0.92, n))]


def vertical_and_horizontal(
    grid: ArrayLike, pairs: Mapping[str, tuple[ArrayLike, ArrayLike, Sequence[str]]], levels: ArrayLike
) -> Figure:
    """Two densities [N] on a grid [N], compared at the same x and at the same share of the mass, a row for each pair.

    Args:
        pairs: title -> (p, q, two notes, one for each comparison).
        levels: [K] shares in (0, 1) at which quantiles are joined by arrows.
    """
    x, share = np.asarray(grid, dtype=float), np.asarray(levels, dtype=float)
    with styled():
        figure = new(7.0, 2.15 * len(pairs) + 0.3)
        axes = figure.subplots(len(pairs), 2, squeeze=False, sharex=True)
        for (down, across), (title, (p, q, notes)) in zip(axes, pairs.items(), strict=True):
            a, b = np.asarray(p, dtype=float), np.asarray(q, dtype=float)
            down.plot(x, a, color=REAL, label="p")
            down.plot(x, b, "--", color=MADE, label="q")
            at = np.linspace(0, len(x) - 1, 45).astype(int)
            shown = at[np.abs(a - b)[at] > 0.01 * max(a.max(), b.max())]
            down.vlines(x[shown], np.minimum(a, b)[shown], np.maximum(a, b)[shown], color=OTHER, lw=1.4)
            down.set(title=f"{title}: {notes[0]}", ylabel="density")
            f, g = _cumulative(x, a), _cumulative(x, b)
            across.plot(x, f, color=REAL)
            across.plot(x, g, "--", color=MADE)
            for level in share:
                start, end = np.interp(level, f, x), np.interp(level, g, x)
                across.annotate(
                    "", (start, level), (end, level), arrowprops={"arrowstyle": "-|>", "color": OTHER, "lw": 1.0}
                )
            across.set(title=notes[1], ylabel="cumulative share")
        for axis in axes[-1]:
            axis.set_xlabel("x")
        handles, names = axes[0][0].get_legend_handles_labels()
        thin(figure.legend(handles, names, loc="outside lower center", ncols=2))
    return figure


def _cumulative(x: Array, density: Array) -> Array:
    steps = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(x))])
    return steps / steps[-1] + 1e-12 * np.arange(len(x))  # strictly rising, so that it can be inverted


def lipschitz_cones(
    grid: ArrayLike, functions: Mapping[str, ArrayLike], at: Sequence[float], reach: float = 0.9
) -> Figure:
    """Functions [N] with the steep cones |y - f(a)| > |x - a| at some points a: who enters none is 1-Lipschitz.

    Args:
        reach: height of the cones that are drawn; values inside them are drawn thick.
    """
    x = np.asarray(grid, dtype=float)
    with styled():
        figure = new(3.3 * len(functions), 2.9)
        axes = figure.subplots(1, len(functions), squeeze=False, sharey=True)[0]
        handles = {}
        for axis, (name, values) in zip(axes, functions.items(), strict=True):
            y = np.asarray(values, dtype=float)
            inside = np.zeros(len(x), dtype=bool)
            for point in at:
                height = float(np.interp(point, x, y))
                for sign in (-1, 1):
                    corners = [(point, height), *((point + side * reach, height + sign * reach) for side in (-1, 1))]
                    cone = axis.add_patch(Polygon(corners, color="#E69F00", alpha=0.28, lw=0, label="slope above 1"))
                    handles["slope above 1"] = cone
                axis.plot(point, height, "o", color=REAL, ms=3.5)
                away = np.abs(y - height)
                inside |= (away > np.abs(x - point) + 1e-9) & (away <= reach)
            handles["f"] = axis.plot(x, y, color="black")[0]
            if inside.any():
                handles["f in a cone"] = axis.plot(x, np.where(inside, y, np.nan), color=MADE, lw=3.0)[0]
            slope = float(np.abs(np.gradient(y, x)).max())
            axis.set(title=f"{name}: largest slope {slope:.2f}", xlabel="x")
            axis.set_aspect("equal")
        axes[0].set_ylabel("f(x)")
        thin(figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=3))
    return figure
