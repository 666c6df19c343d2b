"""Events as pictures: showers layer by layer, grids of images, points of the plane, curves of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from simulacra.figures.style import MADE, OTHER, REAL, new, styled


def layers(
    rows: Mapping[str, Tensor], parts: Mapping[str, tuple[int, ...]], unit: str = "MeV", most: int = 6
) -> Figure:
    """Events x [V], one per row of the figure under its name, cut into the layers named by `parts` (row, column)."""
    chosen = list(parts.items())
    chosen = chosen[:: max(1, -(-len(chosen) // most))]
    at, where = 0, {}
    for name, shape in parts.items():
        where[name] = slice(at, at + int(np.prod(shape)))
        at += int(np.prod(shape))
    high = max(float(x.max()) for x in rows.values()) or 1.0
    scale = LogNorm(high * 1e-5, high)
    with styled():
        figure = new(7.2, 1.05 * len(rows) + 0.5)
        axes = figure.subplots(len(rows), len(chosen), squeeze=False)
        drawn = None
        for number, (line, (title, x)) in enumerate(zip(axes, rows.items(), strict=True)):
            for axis, (name, shape) in zip(line, chosen, strict=True):
                picture = np.ma.masked_less_equal(x[where[name]].reshape(shape).numpy(), 0)
                axis.set_facecolor("#f2f2f2")
                drawn = axis.imshow(picture, norm=scale, aspect="auto", origin="lower", interpolation="nearest")
                axis.set_xticks([])
                axis.set_yticks([])
                if number == 0:
                    axis.set_title(name)
            line[0].set_ylabel(title, rotation=0, ha="right", va="center")
        if drawn is not None:
            figure.colorbar(drawn, ax=axes, label=unit, shrink=0.8, pad=0.01)
    return figure


def image_grid(x: Tensor, columns: int = 10) -> Figure:
    """Images [N, C, H, W] in [0, 1], in rows of `columns`."""
    n, channels, height, width = x.shape
    rows = -(-n // columns)
    canvas = np.ones((rows * (height + 2), columns * (width + 2), channels))
    for k, image in enumerate(x.clamp(0, 1).permute(0, 2, 3, 1).numpy()):
        top, left = k // columns * (height + 2) + 1, k % columns * (width + 2) + 1
        canvas[top : top + height, left : left + width] = image
    with styled():
        figure = new(6.0, 6.0 * canvas.shape[0] / canvas.shape[1])
        figure.set_layout_engine("none")
        axis = figure.add_axes((0, 0, 1, 1))
        axis.imshow(canvas[..., :3] if channels >= 3 else canvas[..., 0], cmap="gray", vmin=0, vmax=1)
        axis.axis("off")
    return figure


def scatter(generated: Tensor, reference: Tensor | None = None, most: int = 4000) -> Figure:
    """Points [N, 2] of the plane, generated over reference."""
    with styled():
        figure = new(4.2, 4.0)
        axis = figure.subplots()
        if reference is not None:
            axis.scatter(*reference[:most, :2].T.numpy(), s=2, color=REAL, alpha=0.25, lw=0, label="reference")
        axis.scatter(*generated[:most, :2].T.numpy(), s=2, color=MADE, alpha=0.5, lw=0, label="generated")
        axis.set_aspect("equal")
        axis.set_xlabel("x")
        axis.set_ylabel("y")
        axis.legend(markerscale=3, loc="upper right")
    return figure


def training(curves: Mapping[str, Sequence[tuple[int, float]]], points: int = 400) -> Figure:
    """What the players saw against rounds, one panel per player, averaged over short stretches."""
    players = sorted({name.split("/")[0] for name in curves})
    with styled():
        figure = new(7.0, 2.3)
        axes = figure.subplots(1, max(1, len(players)), squeeze=False)[0]
        colours = (MADE, OTHER, REAL, "#009E73", "#CC79A7")
        for axis, player in zip(axes, players, strict=False):
            mine = [(name, c) for name, c in curves.items() if name.split("/")[0] == player and c]
            for k, (name, curve) in enumerate(mine):
                rounds, values = np.array(curve, dtype=float).T
                step = max(1, len(rounds) // points)
                cut = len(rounds) // step * step
                short = (v[:cut].reshape(-1, step).mean(1) for v in (rounds, values))
                axis.plot(*short, color=colours[k % len(colours)], label=name.split("/", 1)[1])
            axis.set_title(player)
            axis.set_xlabel("round")
            axis.legend()
    return figure


def bars(reference: ArrayLike, generated: ArrayLike, label: str) -> Figure:
    """Shares of classes [K], reference beside generated."""
    a, b = np.asarray(reference, dtype=float), np.asarray(generated, dtype=float)
    at = np.arange(len(a))
    with styled():
        figure = new(3.4, 2.6)
        axis = figure.subplots()
        axis.bar(at - 0.2, a, 0.4, color=REAL, alpha=0.4, label="reference")
        axis.bar(at + 0.2, b, 0.4, color=MADE, label="generated")
        axis.set_xticks(at)
        axis.set_xlabel(label)
        axis.set_ylabel("share of events")
        axis.legend()
    return figure
