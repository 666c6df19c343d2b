"""Panels of the plane: a field as colours, contours, clouds of points and arrows, all in one frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from simulacra.figures.style import OTHER, PALETTE, new, short, styled, thin

Frame = tuple[float, float, float, float]
"""Left, right, bottom and top of what is shown."""


@dataclass(frozen=True)
class Plane:
    """What one panel shows, from back to front; everything but the title may be left out.

    Attributes:
        title: above the panel.
        values: [H, W] over the frame, from bottom to top, as colours.
        limits: of the colours, the field's own where there are none.
        cmap: matplotlib's name of the colours: `viridis` for amounts, `RdBu_r` for what has a middle.
        contours: name -> (values [H, W], levels), in the palette's colours from its start.
        clouds: name -> points [N, 2], in the palette's colours from its start.
        stars: name -> points [N, 2] drawn large.
        arrows: starts and ends, [K, 2] each.
    """

    title: str
    values: ArrayLike | None = None
    limits: tuple[float, float] | None = None
    cmap: str = "viridis"
    contours: Mapping[str, tuple[ArrayLike, Sequence[float]]] = field(default_factory=dict)
    clouds: Mapping[str, ArrayLike] = field(default_factory=dict)
    stars: Mapping[str, ArrayLike] = field(default_factory=dict)
    arrows: tuple[ArrayLike, ArrayLike] | None = None


def mesh(frame: Frame, size: int = 120) -> np.ndarray:
    """The points [size, size, 2] on which a field over `frame` is asked for, from bottom to top.

    >>> mesh((0, 1, 0, 2), 2).tolist()
    [[[0.0, 0.0], [1.0, 0.0]], [[0.0, 2.0], [1.0, 2.0]]]
    """
    x, y = np.meshgrid(np.linspace(frame[0], frame[1], size), np.linspace(frame[2], frame[3], size))
    return np.stack([x, y], -1)


def planes(
    panels: Sequence[Plane], frame: Frame, columns: int = 3, size: float = 2.3, names: tuple[str, str] = ("x", "y")
) -> Figure:
    """Panels of one frame beside each other, with one legend and a bar of colours for each field.

    Example:
        >>> panel = Plane("a bump", np.exp(-(mesh((-1, 1, -1, 1)) ** 2).sum(-1)), clouds={"points": [[0.0, 0.5]]})
        >>> [axis.get_title(loc="left") for axis in planes([panel], (-1, 1, -1, 1)).axes][0]
        'a bump'
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    tall = (frame[3] - frame[2]) / (frame[1] - frame[0])
    with styled():
        figure = new(columns * (size + 0.35) + 0.2, rows * (size * tall + 0.5) + 0.5)
        figure.set_layout_engine("compressed")  # panels of a fixed shape
        axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        handles: dict[str, Any] = {}
        for number, axis in enumerate(axes.flat):
            if number >= len(panels):
                axis.set_axis_off()
                continue
            _panel(figure, axis, panels[number], frame, handles)
            if number % columns == 0:
                axis.set_ylabel(names[1])
            if number >= len(panels) - columns:
                axis.set_xlabel(names[0])
                axis.tick_params(labelbottom=True)
        if handles:
            thin(
                figure.legend(
                    list(handles.values()), list(handles), loc="outside lower center", ncols=6, columnspacing=1.2
                )
            )
    return figure


def _panel(figure: Figure, axis: Axes, panel: Plane, frame: Frame, handles: dict[str, Any]) -> None:
    left, right, bottom, top = frame
    if panel.values is not None:
        low, high = panel.limits or (None, None)
        drawn = axis.imshow(
            np.asarray(panel.values, dtype=float), extent=frame, origin="lower", cmap=panel.cmap, vmin=low, vmax=high,
            aspect="equal", interpolation="bilinear", alpha=0.45 if panel.clouds else 1.0,
        )  # fmt: skip
        figure.colorbar(drawn, ax=axis, shrink=0.8, pad=0.02, aspect=18)
    for k, (name, points) in enumerate(panel.clouds.items()):
        xy = np.asarray(points, dtype=float)
        colour = PALETTE[k]
        axis.scatter(*xy.T, s=4, color=colour, alpha=0.45, lw=0, rasterized=True)
        handles.setdefault(name, axis.plot([], [], "o", ms=4, color=colour)[0])
    for k, (name, (values, levels)) in enumerate(panel.contours.items()):
        x, y = np.linspace(left, right, np.shape(values)[1]), np.linspace(bottom, top, np.shape(values)[0])
        line = {"colors": "black", "linewidths": 1.6} if len(levels) == 1 else {"colors": PALETTE[k], "linewidths": 0.9}
        axis.contour(x, y, np.asarray(values, dtype=float), levels=sorted(levels), **line)
        handles.setdefault(name, axis.plot([], [], color=line["colors"], lw=line["linewidths"])[0])
    for name, points in panel.stars.items():
        xy = np.asarray(points, dtype=float)
        mark = axis.plot(xy[:, 0], xy[:, 1], "*", ms=11, color=OTHER, mec="white", mew=0.8, ls="none")[0]
        handles.setdefault(name, mark)
    if panel.arrows is not None:
        start, end = (np.asarray(v, dtype=float) for v in panel.arrows)
        axis.quiver(
            *start.T, *(end - start).T, angles="xy", scale_units="xy", scale=1, width=0.012, color="black", zorder=5
        )
    axis.set_xlim(left, right)
    axis.set_ylim(bottom, top)
    axis.set_aspect("equal")
    axis.set_title(short(panel.title, 60))
