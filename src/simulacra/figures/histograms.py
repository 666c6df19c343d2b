"""Generated beside real events, one observable at a time, with the ratio below."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from simulacra.figures.style import MADE, PANEL, REAL, new, short, stacked, styled, thin

Array = np.ndarray


def finite(values: ArrayLike) -> Array:
    """Values as a flat float array without those that no axis can show."""
    x = np.asarray(values, dtype=float).reshape(-1)
    return x[np.isfinite(x)]


def edges_of(reference: ArrayLike, bins: int = 30) -> Array:
    """Bin edges that show the bulk of the reference: integers get a bin each where they are few.

    >>> edges_of([0, 1, 2, 2, 3]).tolist()
    [-0.5, 0.5, 1.5, 2.5, 3.5]
    """
    x = finite(reference)
    if not x.size:
        return np.linspace(0.0, 1.0, bins + 1)
    low, high = np.quantile(x, [0.001, 0.999])
    if pitch := _pitch(x):  # 3 of 72 cells: bins hold whole steps, or gaps would be seen where none are
        first, last = np.floor(low / pitch + 0.01), np.ceil(high / pitch - 0.01)
        step = max(1, int(np.ceil((last - first + 1) / bins)))
        return (np.arange(first, last + step + 1e-9, step) - 0.5) * pitch
    margin = 0.04 * (high - low)
    if not margin > 1e-9 * max(abs(low), abs(high)):  # one value only
        margin = max(0.5, abs(low))
        return np.linspace(low - margin, high + margin, bins + 2 - bins % 2)
    floor = 0.0 if x.min() >= 0 and low < 0.1 * high else low - margin  # what cannot be negative starts at 0
    return np.linspace(floor, high + margin, bins + 1)


def _pitch(x: Array, most: int = 400) -> float:
    """The step of values that are all multiples of it, 0 where there is none or all are equal."""
    seen = np.unique(x)
    if not 1 < len(seen) <= most:
        return 0.0
    gap = np.diff(seen)
    pitch = float(gap[gap > 1e-6 * np.abs(seen).max()].min(initial=np.inf))
    turns = seen / pitch if np.isfinite(pitch) else np.array([0.5])
    return pitch if np.all(np.abs(turns - np.round(turns)) < 0.01) and np.ptp(turns) < 2000 else 0.0


def histogram(reference: ArrayLike, generated: ArrayLike, label: str, note: str = "") -> Figure:
    """Shares of events per bin with statistical errors, and generated over reference below.

    Outliers are counted in the first and last bin. The shaded band of the ratio is the reference's own error.

    Args:
        reference: [N]; generated: [M].
        label: of the axis, with its unit; note: above the picture.
    """
    import hist
    import mplhep

    edges = edges_of(reference)
    inside = np.nextafter(edges[0], np.inf), np.nextafter(edges[-1], -np.inf)
    counted = []
    for values in (reference, generated):
        h = hist.Hist(hist.axis.Variable(edges), storage=hist.storage.Weight())
        h.fill(np.clip(finite(values), *inside))
        counted.append(h)
    real, made = counted
    n, m = max(finite(reference).size, 1), max(finite(generated).size, 1)
    with styled():
        figure, top, low = stacked()
        mplhep.histplot(real / n, ax=top, histtype="fill", color=REAL, alpha=0.22, label="reference")
        mplhep.histplot(made / m, ax=top, color=MADE, yerr=np.sqrt(made.values()) / m, lw=1.2, label="generated")
        top.set(ylabel="share of events", xlabel="", title=short(note))
        top.set_ylim(0, 1.18 * max((real / n).values().max(), (made / m).values().max(), 1e-9))
        thin(top.legend(loc="best"))
        a, b = real.values() / n, made.values() / m
        ratio_panel(low, edges, (a, np.sqrt(real.values()) / n), (b, np.sqrt(made.values()) / m), (0.5, 1.5))
        low.set_xlabel(short(label))
        low.set_xlim(edges[0], edges[-1])
    return figure


def ratio_panel(
    axis: Axes, edges: Array, real: tuple[Array, Array], made: tuple[Array, Array], limits: tuple[float, float]
) -> None:
    """Generated over reference, each (value [K], error [K]) between edges [K + 1]; arrows point outside."""
    (a, da), (b, db) = real, made
    known = np.isfinite(a) & np.isfinite(b) & (a > 0)
    safe = np.where(known, a, 1.0)
    ratio, error, band = np.where(known, b / safe, np.nan), db / safe, np.where(known, da / safe, 0.0)
    centre = (edges[1:] + edges[:-1]) / 2
    axis.stairs(np.minimum(1 + band, 9), edges, baseline=np.maximum(1 - band, -9), fill=True, color=REAL, alpha=0.18)
    axis.axhline(1, color=REAL, lw=0.7)
    bottom, top = limits
    shown = known & (ratio >= bottom) & (ratio <= top)
    axis.errorbar(centre[shown], ratio[shown], error[shown], fmt="o", ms=2.2, lw=0.8, color=MADE)
    for outside, at, mark in ((known & (ratio > top), top, "^"), (known & (ratio < bottom), bottom, "v")):
        axis.plot(centre[outside], np.full(outside.sum(), at), mark, ms=3.2, color=MADE, clip_on=False)
    axis.set_ylim(bottom, top)
    axis.set_ylabel("ratio")


def bars(reference: ArrayLike, generated: ArrayLike, label: str, errors: ArrayLike | None = None) -> Figure:
    """Shares of classes [K], reference beside generated, the latter with its errors [K]."""
    a, b = np.asarray(reference, dtype=float).reshape(-1), np.asarray(generated, dtype=float).reshape(-1)
    at = np.arange(len(a))
    with styled():
        figure = new(PANEL[0], 2.5)
        axis = figure.subplots()
        axis.bar(at - 0.2, a, 0.4, color=REAL, alpha=0.35, label="reference")
        axis.bar(at + 0.2, b, 0.4, yerr=errors, color=MADE, ecolor=REAL, error_kw={"lw": 0.8}, label="generated")
        axis.set_xticks(at)
        axis.set_ylim(0, 1.25 * max([*a, *b, 1e-9]))
        axis.set(xlabel=short(label), ylabel="share of events")
        thin(axis.legend(ncols=2, loc="upper center"))
    return figure
