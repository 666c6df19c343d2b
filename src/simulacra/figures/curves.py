"""Curves of known functions, in panels beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from simulacra.figures.style import PALETTE, REAL, new, styled, thin


@dataclass(frozen=True)
class Curves:
    """What one panel shows.

    Attributes:
        title: above the panel; x and y: the labels of its axes.
        lines: name -> (x [N], y [N]).
        marks: name -> (x [K], y [K]), drawn as points in the colour of the line of this name, or the next one.
        steps: name -> (edges [K + 1], heights [K]), drawn as a filled outline.
        log: the logarithmic axes, "", "x", "y" or "xy".
        at: name -> height of a level line, dashed, dotted or both.
        limits: of y.
    """

    title: str
    x: str
    y: str
    lines: Mapping[str, tuple[ArrayLike, ArrayLike]] = field(default_factory=dict)
    marks: Mapping[str, tuple[ArrayLike, ArrayLike]] = field(default_factory=dict)
    steps: Mapping[str, tuple[ArrayLike, ArrayLike]] = field(default_factory=dict)
    log: str = ""
    at: Mapping[str, float] = field(default_factory=dict)
    limits: tuple[float, float] | None = None


def curves(panels: Sequence[Curves], columns: int = 2, width: float = 3.3, height: float = 2.7) -> Figure:
    """Panels of curves; colours and dashes tell the curves of a panel apart, also in grey.

    Example:
        >>> x = np.linspace(0, 1)
        >>> curves([Curves("a line", "x", "y", {"y = x": (x, x)})]).axes[0].get_xlabel()
        'x'
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    with styled():
        figure = new(columns * width, rows * height)
        axes = figure.subplots(rows, columns, squeeze=False)
        for axis in list(axes.flat)[len(panels) :]:
            axis.set_axis_off()
        for axis, panel in zip(axes.flat, panels, strict=False):
            names = dict.fromkeys([*panel.steps, *panel.lines, *panel.marks])
            look = {name: (PALETTE[k % len(PALETTE)], ("-", "--", "-.", ":")[k % 4]) for k, name in enumerate(names)}
            for name, (edges, heights) in panel.steps.items():
                tall, cut = np.asarray(heights, dtype=float), np.asarray(edges, dtype=float)
                axis.stairs(tall, cut, fill=True, color=look[name][0], alpha=0.25)
                axis.stairs(tall, cut, color=look[name][0], ls=look[name][1], label=name, baseline=None)
            for name, (x, y) in panel.lines.items():
                axis.plot(np.asarray(x), np.asarray(y), look[name][1], color=look[name][0], label=name)
            for name, (x, y) in panel.marks.items():
                label = None if name in panel.lines else name
                axis.plot(np.asarray(x), np.asarray(y), "o", ms=4, color=look[name][0], label=label)
            for k, (name, level) in enumerate(panel.at.items()):
                axis.axhline(level, color=REAL, lw=0.8, ls=(0, ((6, 3), (1, 2), (6, 2, 1, 2))[k % 3]), label=name)
            if "x" in panel.log:
                axis.set_xscale("log")
            if "y" in panel.log:
                axis.set_yscale("log")
            if panel.limits is not None:
                axis.set_ylim(*panel.limits)
            axis.set(title=panel.title, xlabel=panel.x, ylabel=panel.y)
            if len(names) + len(panel.at) > 1:
                thin(axis.legend(loc="best"))
    return figure
