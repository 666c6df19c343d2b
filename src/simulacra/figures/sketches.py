"""Diagrams: how the models of a zoo work, and how they are related."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from simulacra.figures.style import MADE, OTHER, REAL, new, short, styled

LOOKS = {"noise": ("#E69F00", "circle"), "network": (MADE, "round"), "data": (REAL, "square"), "loss": (OTHER, "round")}
"""Colour and outline of a node by its kind."""


@dataclass(frozen=True)
class Sketch:
    """A model as a flow of data.

    Attributes:
        title: of the model.
        nodes: name -> (kind, column, row), with the kinds of `LOOKS`; `\\n` breaks a name.
        arrows: pairs of names.
    """

    title: str
    nodes: Mapping[str, tuple[str, float, float]]
    arrows: Sequence[tuple[str, str]]


def zoo(rows: Sequence[tuple[Sketch, ArrayLike]], reference: ArrayLike, most: int = 3000) -> Figure:
    """One row per model: its data flow, then its samples [N, 2] over the reference [M, 2] in the reference's frame.

    Example:
        >>> sketch = Sketch("a model", {"z": ("noise", 0, 0), "x": ("data", 1, 0)}, [("z", "x")])
        >>> len(zoo([(sketch, np.zeros((5, 2)))], np.ones((5, 2))).axes)
        2
    """
    real = np.asarray(reference, dtype=float)[:most]
    low, high = real.min(0), real.max(0)
    margin = np.maximum(0.15 * (high - low), 1e-3)
    with styled():
        figure = new(6.6, 1.95 * len(rows) + 0.15)
        axes = figure.subplots(len(rows), 2, squeeze=False, width_ratios=[2.2, 1.0])
        for line, (sketch, samples) in zip(axes, rows, strict=True):
            _flow(line[0], sketch)
            points = np.asarray(samples, dtype=float)[:most]
            line[1].scatter(*real.T, s=3, color=REAL, alpha=0.3, lw=0, rasterized=True)
            line[1].scatter(*points.T, s=3, color=MADE, alpha=0.45, lw=0, rasterized=True)
            line[1].set_xlim(low[0] - margin[0], high[0] + margin[0])
            line[1].set_ylim(low[1] - margin[1], high[1] + margin[1])
            line[1].set_aspect("equal")
            line[1].set(ylabel="y")
        axes[-1][1].set_xlabel("x")
        axes[0][1].set_title("data (grey), samples (blue)")
    return figure


def _flow(axis: Axes, sketch: Sketch) -> None:
    """Nodes as boxes, arrows between their edges."""
    axis.set_axis_off()
    axis.set_title(short(sketch.title, 60))
    drawn: dict[str, Any] = {}
    for name, (kind, column, row) in sketch.nodes.items():
        colour, outline = LOOKS[kind]
        drawn[name] = axis.text(
            column, row, name, ha="center", va="center", fontsize=8, color=colour,
            bbox={"boxstyle": f"{outline},pad=0.35", "fc": "white", "ec": colour, "lw": 1.2},
        )  # fmt: skip
    for start, end in sketch.arrows:
        axis.annotate(
            "", sketch.nodes[end][1:], sketch.nodes[start][1:],
            arrowprops={
                "arrowstyle": "-|>", "color": REAL, "lw": 0.9, "shrinkA": 2, "shrinkB": 2,
                "patchA": drawn[start].get_bbox_patch(), "patchB": drawn[end].get_bbox_patch(),
            },
        )  # fmt: skip
    columns = [column for _, column, _ in sketch.nodes.values()]
    rows = [row for _, _, row in sketch.nodes.values()]
    axis.set_xlim(min(columns) - 0.6, max(columns) + 0.6)
    axis.set_ylim(min(rows) - 0.6, max(rows) + 0.6)


def tree(branches: Mapping[str, Any], root: str) -> Figure:
    """A tree from left to right: mappings are branches, sequences of names are leaves.

    Example:
        >>> len(tree({"explicit": {"exact": ["flow"]}, "implicit": ["gan", "wgan"]}, "models").axes[0].texts)
        7
    """
    with styled():
        places: list[tuple[str, int, float, bool]] = []
        lines: list[tuple[int, float, float]] = []
        taken = [0.0]

        def place(name: str, below: Any, depth: int) -> float:
            names = below if isinstance(below, Mapping) else dict.fromkeys(below)
            if not names:
                at = taken[0]
                taken[0] += 1.0
            else:
                heights = [place(child, names[child] or (), depth + 1) for child in names]
                at = (heights[0] + heights[-1]) / 2
                lines.extend((depth, at, height) for height in heights)
                taken[0] += 0.35
            places.append((name, depth, at, not names))
            return at

        place(root, branches, 0)
        deep = max(depth for _, depth, _, _ in places)
        figure = new(1.75 * (deep + 1) + 0.2, 0.24 * taken[0] + 0.3)
        axis = figure.add_subplot()
        axis.set_axis_off()
        for depth, start, end in lines:
            bend = depth + 0.8
            axis.plot([depth, bend, bend, depth + 1], [-start, -start, -end, -end], color=REAL, lw=0.8, zorder=0)
        for name, depth, at, leaf in places:
            axis.text(
                depth, -at, short(name, 30), va="center", ha="left", fontsize=8, color=MADE if leaf else "black",
                family="monospace" if leaf else None,
                bbox={"boxstyle": "square,pad=0.25", "fc": "white", "ec": "none"},
            )  # fmt: skip
        axis.set_xlim(-0.05, deep + 0.95)
        axis.set_ylim(-taken[0] + 0.2, 0.8)
    return figure
