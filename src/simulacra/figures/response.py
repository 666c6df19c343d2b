"""The visible energy per energy bin: its mean, its spread, and how far generated lies from real."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from simulacra.figures.histograms import Array, finite
from simulacra.figures.style import MADE, REAL, stacked, styled, thin

FEWEST = 10
"""Events that a bin must have to be drawn."""
Side = tuple[ArrayLike, ArrayLike]
"""Response [N] and energy [N] in GeV."""


def edges_in(energy: ArrayLike, width: float = 5.0, most: int = 40) -> Array:
    """Edges of bins of `width` GeV over the energies seen; of a factor of two where those would be too many.

    >>> edges_in([1.0, 12.0]).tolist()
    [0.0, 5.0, 10.0, 15.0]
    >>> edges_in([1.0, 900.0])[:3].tolist()
    [1.0, 2.0, 4.0]
    """
    e = finite(energy)
    low, high = (float(e.min()), float(e.max())) if e.size else (0.0, 1.0)
    if (high - low) / width <= most:
        return np.arange(np.floor(low / width), np.floor(high / width) + 1.5) * width
    return 2.0 ** np.arange(np.floor(np.log2(max(low, 1e-3))), np.ceil(np.log2(high)) + 0.5)


def _binned(side: Side, edges: Array) -> Array:
    """Mean, its error, relative spread and its error per bin, [4, K]; NaN where there are few events.

    The spread is relative to the mean; its error follows from the kurtosis, (k - 1)/(4 n) for its logarithm.
    """
    r, e = np.asarray(side[0], dtype=float), np.asarray(side[1], dtype=float)
    out = np.full((4, len(edges) - 1), np.nan)
    for k in range(len(edges) - 1):
        x = r[(e >= edges[k]) & (e < edges[k + 1])]
        if len(x) >= FEWEST and x.std() > 0 and x.mean() > 0:
            n, mean, sd = len(x), x.mean(), x.std(ddof=1)
            kurtosis = ((x - mean) ** 4).mean() / x.var() ** 2
            width = sd / mean
            out[:, k] = mean, sd / np.sqrt(n), width, width * np.sqrt(max(kurtosis - 1, 0) / (4 * n))
    return out


def response(reference: Side, generated: Side, edges: ArrayLike | None = None) -> Figure:
    """Mean visible over incident energy per energy bin; below, the relative difference in percent, with errors."""
    return _pair(reference, generated, edges, 0, "mean response", "bias / %")


def resolution(reference: Side, generated: Side, edges: ArrayLike | None = None) -> Figure:
    """Spread of the response over its mean per energy bin; below, generated over reference, with errors."""
    return _pair(reference, generated, edges, 2, "resolution, σ / mean", "ratio")


def _pair(reference: Side, generated: Side, edges: ArrayLike | None, row: int, label: str, below: str) -> Figure:
    cut = edges_in(reference[1]) if edges is None else np.asarray(edges, dtype=float)
    a, b = _binned(reference, cut), _binned(generated, cut)
    centre, half = (cut[1:] + cut[:-1]) / 2, np.diff(cut) / 2
    with styled():
        figure, top, low = stacked(2.0)
        for table, colour, mark, name in ((a, REAL, "s", "reference"), (b, MADE, "o", "generated")):
            fill = "white" if name == "reference" else colour
            top.errorbar(centre, table[row], table[row + 1], half, fmt=mark, color=colour, mfc=fill, lw=0.9, label=name)
        top.set_ylabel(label)
        top.margins(y=0.22)
        thin(top.legend(loc="best"))
        value = b[row] / a[row]
        error = value * np.hypot(a[row + 1] / a[row], b[row + 1] / b[row])
        ideal = 1.0
        if row == 0:
            value, error, ideal = 100 * (value - 1), 100 * error, 0.0
        low.axhline(ideal, color=REAL, lw=0.7)
        low.errorbar(centre, value, error, half, fmt="o", color=MADE, lw=0.9)
        _room(low, value, error, ideal)
        low.set(xlabel="incident energy / GeV", ylabel=below)
        if cut[0] > 0 and cut[-1] > 40 * cut[0]:
            low.set_xscale("log")
    return figure


def _room(axis: Axes, value: Array, error: Array, ideal: float) -> None:
    """Limits about the ideal that hold every point."""
    reach = np.abs(value - ideal) + error
    known = reach[np.isfinite(reach)]
    size = 1.15 * float(known.max()) if known.size and known.max() > 0 else 1.0
    axis.set_ylim(ideal - size, ideal + size)
