"""Histograms that were filled elsewhere: reference and generated shares in given bins, one small panel each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from simulacra.figures.style import MADE, PANEL, REAL, new, short, styled

Array = np.ndarray


class Panel(NamedTuple):
    """One histogram.

    Attributes:
        title: above it.
        edges: [K + 1]; reference, generated: shares [K]; error: of the generated ones.
        log: whether the axis is logarithmic.
    """

    title: str
    edges: Array
    reference: Array
    generated: Array
    error: Array
    log: bool = False


def panels(shown: Sequence[Panel], label: str, across: int = 5) -> Figure:
    """Small panels side by side: the reference filled, the generated as a line with its error as a band.

    A single panel has the size of all other pictures. Empty ends of a range are not shown.

    Args:
        label: of the common axis, with its unit.
    """
    columns = min(across, len(shown))
    rows = -(-len(shown) // columns)
    with styled():
        figure = new(*(PANEL if len(shown) == 1 else (1.9 * columns, 1.35 * rows + 0.4)))
        axes = figure.subplots(rows, columns, squeeze=False).reshape(-1)
        for axis, panel in zip(axes, shown, strict=False):
            p, q, error = panel.reference, panel.generated, panel.error
            axis.stairs(p, panel.edges, fill=True, color=REAL, alpha=0.22, label="reference")
            low, high = np.maximum(q - error, 0), q + error
            axis.stairs(high, panel.edges, baseline=low, fill=True, color=MADE, alpha=0.3)
            axis.stairs(q, panel.edges, color=MADE, lw=0.8, label="generated")
            if panel.log:
                axis.set_xscale("log")
            filled = np.flatnonzero((p > 0) | (q > 0))
            if len(filled):
                axis.set_xlim(panel.edges[filled[0]], panel.edges[filled[-1] + 1])
            axis.set_ylim(0, 1.1 * max(float(p.max(initial=0)), float(high.max(initial=0)), 1e-9))
            axis.set_yticks([])
            axis.set_title(short(panel.title), fontsize=7 if len(shown) > 1 else 9)
            axis.tick_params(labelsize=6 if len(shown) > 1 else 8)
        for axis in axes[len(shown) :]:
            axis.set_axis_off()
        figure.supxlabel(short(label), fontsize=9)
    return figure
