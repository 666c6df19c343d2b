"""Generated beside real events, one observable at a time, with the ratio below."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from simulacra.figures.style import MADE, REAL, new, styled


def edges_of(reference: ArrayLike, bins: int = 40) -> np.ndarray:
    """Bin edges that show the bulk of the reference: integers get a bin each where they are few.

    >>> edges_of([0, 1, 2, 2, 3]).tolist()
    [-0.5, 0.5, 1.5, 2.5, 3.5]
    """
    x = np.asarray(reference, dtype=float)
    low, high = np.quantile(x, [0.0005, 0.9995])
    if np.all(x == np.round(x)) and high - low < 4 * bins:
        step = max(1, int(np.ceil((high - low + 1) / bins)))
        return np.arange(np.floor(low), np.ceil(high) + step + 1e-9, step) - 0.5
    if high <= low:
        low, high = low - 0.5, high + 0.5
    margin = 0.04 * (high - low)
    return np.linspace(low - margin, high + margin, bins + 1)


def histogram(reference: ArrayLike, generated: ArrayLike, label: str, note: str = "") -> Figure:
    """Both densities [N], [M] with statistical errors, and generated over reference; outliers go to the end bins."""
    import hist
    import mplhep

    edges = edges_of(reference)
    inside = (edges[0] + 1e-9 * abs(edges[0]), np.nextafter(edges[-1], -np.inf))
    counted = []
    for values in (reference, generated):
        h = hist.Hist(hist.axis.Variable(edges), storage=hist.storage.Weight())
        h.fill(np.clip(np.asarray(values, dtype=float), *inside))
        counted.append(h)
    real, made = counted
    n, m = max(np.size(reference), 1), max(np.size(generated), 1)
    with styled():
        figure = new(3.4, 2.9)
        top, low = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        mplhep.histplot(real / n, ax=top, histtype="fill", color=REAL, alpha=0.25, label="reference")
        mplhep.histplot(made / m, ax=top, color=MADE, yerr=True, label="generated")
        top.set_ylabel("share of events")
        top.set_xlabel("")
        top.set_title(note)
        top.legend(loc="best", handlelength=1.2)
        a, b = real.values() / n, made.values() / m
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio, error = b / a, np.sqrt(made.values()) / m / a
            band = np.nan_to_num(1 / np.sqrt(real.values()), posinf=0)
        centre = (edges[1:] + edges[:-1]) / 2
        fine = a > 0
        low.fill_between(centre, 1 - band, 1 + band, step="mid", color=REAL, alpha=0.2, lw=0)
        low.errorbar(centre[fine], ratio[fine], error[fine], fmt=".", ms=3, lw=0.8, color=MADE)
        low.axhline(1, color=REAL, lw=0.7)
        low.set_ylim(0.5, 1.5)
        low.set_ylabel("ratio")
        low.set_xlabel(label)
    return figure


def response(
    reference: tuple[ArrayLike, ArrayLike], generated: tuple[ArrayLike, ArrayLike], width: float = 5.0
) -> Figure:
    """Bias and resolution ratio of the response per energy bin, each side given as (response, energy in GeV)."""
    (r, e), (s, f) = ((np.asarray(a, dtype=float) for a in side) for side in (reference, generated))
    edges = np.arange(np.floor(e.min() / width) * width, e.max() + width, width)
    rows = []
    for low, high in pairwise(edges):
        a, b = r[(e >= low) & (e < high)], s[(f >= low) & (f < high)]
        if min(len(a), len(b)) > 10 and a.std() > 0:
            error = np.hypot(a.std() / np.sqrt(len(a)), b.std() / np.sqrt(len(b))) / a.mean()
            spread = b.std() / a.std()
            rows.append(
                (
                    (low + high) / 2,
                    100 * (b.mean() / a.mean() - 1),
                    100 * error,
                    spread,
                    spread * np.sqrt(0.5 / len(a) + 0.5 / len(b)),
                )
            )
    x, bias, bias_error, ratio, ratio_error = np.array(rows).T if rows else np.zeros((5, 0))
    with styled():
        figure = new(7.0, 2.4)
        left, right = figure.subplots(1, 2)
        for axis, value, error, ideal, words in (
            (left, bias, bias_error, 0, "response bias / %"),
            (right, ratio, ratio_error, 1, "resolution, generated / reference"),
        ):
            axis.errorbar(x, value, error, xerr=width / 2, fmt="o", ms=3, color=MADE)
            axis.axhline(ideal, color=REAL, lw=0.7)
            axis.set_xlabel("incident energy / GeV")
            axis.set_ylabel(words)
    return figure


def profile(reference: ArrayLike, generated: ArrayLike, label: str, log: bool = False) -> Figure:
    """The mean of a vector-valued observable [N, K] over events, entry by entry, with errors and ratio."""
    a, b = (np.asarray(v, dtype=float) for v in (reference, generated))
    at = np.arange(a.shape[1])
    with styled():
        figure = new(3.4, 2.9)
        top, low = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        for values, colour, name in ((a, REAL, "reference"), (b, MADE, "generated")):
            error = values.std(0) / np.sqrt(max(len(values), 1))
            top.errorbar(
                at, values.mean(0), error, fmt="o-" if name == "reference" else "s", ms=3, color=colour, label=name
            )
        if log and (a.mean(0) > 0).any():
            top.set_yscale("log")
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = b.mean(0) / a.mean(0)
            error = b.std(0) / np.sqrt(max(len(b), 1)) / a.mean(0)
        fine = np.isfinite(ratio) & np.isfinite(error)
        low.errorbar(at[fine], ratio[fine], np.abs(error[fine]), fmt="s", ms=3, color=MADE)
        low.axhline(1, color=REAL, lw=0.7)
        low.set_ylim(0.8, 1.2)
        top.set_ylabel("mean")
        low.set_ylabel("ratio")
        low.set_xlabel(label)
        top.legend()
    return figure
