"""Samples of the plane, with the modes they should reach."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure

from simulacra.figures.style import MADE, OTHER, REAL, new, styled, thin


def scatter(generated: Any, reference: Any = None, most: int = 4000, modes: Any = None, sigma: float = 0.0) -> Figure:
    """Points [N, 2] of the plane, generated over reference; the modes [K, 2] as circles of three `sigma`.

    The axes follow the reference where there is one: what the model puts far outside is counted in the title.
    """
    made = np.asarray(generated, dtype=float)[:most, :2]
    real = None if reference is None else np.asarray(reference, dtype=float)[:most, :2]
    frame = made if real is None or not len(real) else real
    with styled():
        figure = new(3.4, 3.5)
        axis = figure.subplots()
        if real is not None:
            axis.scatter(*real.T, s=3, color=REAL, alpha=0.25, lw=0, rasterized=True, label="reference")
        axis.scatter(*made.T, s=3, color=MADE, alpha=0.5, lw=0, rasterized=True, label="generated")
        if modes is not None and len(modes):
            centres = np.asarray(modes, dtype=float)[:, :2]
            size = np.full(len(centres), 6 * sigma)
            axis.add_collection(
                EllipseCollection(
                    size, size, 0 * size, units="xy", offsets=centres, offset_transform=axis.transData,
                    facecolor="none", edgecolor=OTHER, lw=0.8,
                )
            )  # fmt: skip
            axis.plot([], [], "o", ms=2.4, mfc="none", color=OTHER, label="mode, 3 σ")
            frame = np.concatenate([frame, centres])
        frame = frame[np.isfinite(frame).all(1)]
        low, high = (frame.min(0), frame.max(0)) if len(frame) else (np.zeros(2), np.ones(2))
        margin = np.maximum(0.08 * (high - low), 1e-6 + 1e-3 * np.abs(high))
        low, high = low - margin, high + margin
        axis.set_xlim(low[0], high[0])
        axis.set_ylim(low[1], high[1])
        outside = int((~((made >= low) & (made <= high)).all(1)).sum())
        axis.set_title(f"{outside:,} generated points outside" if outside else "")
        axis.set_aspect("equal")
        axis.set(xlabel="x", ylabel="y")
        thin(figure.legend(loc="outside lower center", ncols=3, markerscale=2.5, columnspacing=1.0, handletextpad=0.3))
    return figure
