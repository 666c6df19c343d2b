"""Maps that stretch space: how far, in which direction, and by what factor in volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from numpy.typing import ArrayLike

from simulacra.figures.style import MADE, OTHER, PALETTE, REAL, new, styled, thin

Array = np.ndarray


def singular_values(layers: Mapping[str, Sequence[ArrayLike]], matrix: ArrayLike, iterates: ArrayLike) -> Figure:
    """Singular values of the layers of networks, and how power iteration finds the largest stretch of a plane.

    Args:
        layers: network -> singular values of each of its layers.
        matrix: [2, 2], whose image of the unit circle is drawn.
        iterates: [K, 2] unit vectors, one per iteration.
    """
    w, steps = np.asarray(matrix, dtype=float), np.asarray(iterates, dtype=float)
    with styled():
        figure = new(7.4, 3.3)
        left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
        middles: list[float] = []
        for k, (network, spectra) in enumerate(layers.items()):
            start = 0.0
            middles = []
            for depth, spectrum in enumerate(spectra):
                values = np.sort(np.asarray(spectrum, dtype=float))[::-1]
                at = start + np.arange(len(values))
                label = network if depth == 0 else None
                left.plot(at, values, ("o-", "s-")[k % 2], color=PALETTE[k], ms=2.2, lw=0.8, label=label)
                middles.append(start + (len(values) - 1) / 2)
                start += len(values) + 8
        left.axhline(1, color=REAL, lw=0.8, ls=":")
        left.set_xticks(middles, [f"layer {k + 1}" for k in range(len(middles))], fontsize=7)
        left.tick_params(axis="x", length=0)
        left.set_yscale("log")
        left.set_ylim(bottom=1e-2)
        left.set(xlabel="singular values of each layer, in falling order", ylabel="singular value")
        thin(left.legend(loc="upper right"))
        angle = np.linspace(0, 2 * np.pi, 200)
        circle = np.stack([np.cos(angle), np.sin(angle)])
        right.plot(*circle, ":", color=REAL, label="unit vectors")
        right.plot(*(w @ circle), color=MADE, label="W times them")
        for k, vector in enumerate(steps):
            tip, shade = w @ vector, 0.35 + 0.65 * k / max(len(steps) - 1, 1)
            right.annotate(
                "", tip, (0, 0),
                arrowprops={"arrowstyle": "-|>", "color": OTHER, "lw": 1.2, "alpha": shade},
            )  # fmt: skip
            right.text(*(tip * 1.12), str(k), color=OTHER, ha="center", va="center", fontsize=8)
        size = float(np.linalg.norm(w, 2))
        found = float(np.linalg.norm(w @ steps[-1]))
        right.set_title(f"σ = {size:.3f}; power iteration: {found:.3f} after {len(steps) - 1}")
        right.set_aspect("equal")
        right.margins(0.12)
        right.set(xlabel="first coordinate", ylabel="second coordinate")
        thin(right.legend(loc="lower right"))
    return figure


def deformed_grid(before: ArrayLike, after: ArrayLike, cell: tuple[ArrayLike, ArrayLike], factor: ArrayLike) -> Figure:
    """A grid of the plane [H, W, 2] before and after a map, a square and its image, and the map's |det| [H, W].

    Args:
        cell: corners [4, 2] of a square, and of the parallelogram that the Jacobian makes of it.
        factor: |det| of the Jacobian at the grid's points.
    """
    start, end, size = (np.asarray(v, dtype=float) for v in (before, after, factor))
    square, image = (np.asarray(v, dtype=float) for v in cell)
    grown = _area(image) / _area(square)
    scale: Any = _log_about_one(size)
    with styled():
        figure = new(7.4, 3.3)
        axes = figure.subplots(1, 2)
        for axis, grid, corners, title, label in (
            (axes[0], start, square, "latent plane", "z"),
            (axes[1], end, image, f"its image: the square's area × {grown:.2f}", "x"),
        ):
            drawn = axis.pcolormesh(
                grid[..., 0], grid[..., 1], size, shading="gouraud", cmap="RdBu_r", rasterized=True,
                norm=scale,
            )  # fmt: skip
            for lines in (grid, grid.swapaxes(0, 1)):
                for line in lines[:: max(1, len(lines) // 16)]:
                    axis.plot(*line.T, color=REAL, lw=0.5)
            axis.add_patch(Polygon(corners, closed=True, fill=False, ec="black", lw=2.2, zorder=5))
            axis.set_aspect("equal")
            axis.set(title=title, xlabel=f"{label}$_1$", ylabel=f"{label}$_2$")
        ticks = np.geomspace(scale.vmin, scale.vmax, 5)
        bar = figure.colorbar(drawn, ax=axes, label="|det| of the Jacobian", shrink=0.8)
        bar.set_ticks(ticks, labels=[f"{tick:.2f}" for tick in ticks])
        bar.minorticks_off()
    return figure


def _area(corners: Array) -> float:
    x, y = corners.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _log_about_one(values: Array) -> LogNorm:
    reach = float(np.exp(np.abs(np.log(values)).max()))
    return LogNorm(1 / reach, reach)
