"""Observables of many numbers: profiles along the shower, across it, spectra of cells, and correlations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from simulacra.figures.histograms import Array, ratio_panel
from simulacra.figures.style import MADE, PANEL, REAL, new, short, stacked, styled, thin


def profile(
    reference: ArrayLike,
    generated: ArrayLike,
    label: str,
    log: bool = False,
    edges: Sequence[float] = (),
    across: str = "",
) -> Figure:
    """The mean over events of an observable of K numbers, entry by entry, with errors and ratio.

    Args:
        reference: [N, K]; generated [M, K].
        label: of the numbers, and their unit.
        log: logarithmic in the numbers.
        edges: [K + 1] of the bins that the numbers belong to; logarithmic where they span decades.
        across: what the edges measure.
    """
    a, b = (np.asarray(v, dtype=float) for v in (reference, generated))
    k = a.shape[1]
    cut = np.asarray(edges, dtype=float) if len(edges) == k + 1 else np.arange(k + 1) - 0.5
    sides = [_mean(v) for v in (a, b)]
    with styled():
        figure, top, low = stacked()
        (x, _), (y, dy) = sides
        if log and (x > 0).any():
            seen = np.concatenate([v[v > 0] for v in (x, y)])
            top.set_yscale("log")
            top.set_ylim(seen.min() / 3, seen.max() * 3)
            x, y = (np.where(v > 0, v, np.nan) for v in (x, y))
        top.stairs(x, cut, fill=not log, color=REAL, alpha=0.9 if log else 0.22, lw=1.0, label="reference")
        middle = (cut[1:] + cut[:-1]) / 2
        if cut[0] > 0 and cut[-1] > 100 * cut[0]:
            low.set_xscale("log")
            middle = np.sqrt(cut[1:] * cut[:-1])
        top.errorbar(middle, y, dy, fmt="o", ms=2.4, lw=0.9, color=MADE, label="generated")
        top.set_ylabel(short(label, 34), fontsize=8)
        thin(top.legend(loc="best"))
        ratio_panel(low, cut, sides[0], sides[1], (0.8, 1.2))
        low.set_xlabel(short(across or "entry"))
        low.set_xlim(cut[0], cut[-1])
        if np.all(2 * cut == np.round(2 * cut)) and len(cut) < 100 and low.get_xscale() == "linear":
            low.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _mean(values: Array) -> tuple[Array, Array]:
    if not len(values):
        return np.zeros(values.shape[1]), np.zeros(values.shape[1])
    return values.mean(0), values.std(0) / np.sqrt(len(values))


def correlation(values: ArrayLike) -> Array:
    """Pearson correlations between columns [N, K] -> [K, K]; 0 for a column that never varies.

    >>> correlation([[0.0, 1.0], [1.0, 3.0], [2.0, 5.0]]).round(6).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    x = np.asarray(values, dtype=float)
    if not len(x):
        return np.zeros((x.shape[1], x.shape[1]))
    x = x - x.mean(0)
    spread = np.sqrt((x**2).mean(0))
    fine = spread > 1e-12 * np.maximum(np.abs(x).max(0), 1e-300)
    x = np.where(fine, x / np.where(fine, spread, 1.0), 0.0)
    return x.T @ x / len(x)


def correlations(reference: ArrayLike, generated: ArrayLike, names: Sequence[str]) -> Figure:
    """Correlations of K quantities, [N, K] and [M, K]: reference below the diagonal, generated above.

    Where both agree the picture is symmetric.
    """
    a, b = correlation(reference), correlation(generated)
    both = np.tril(a, -1) + np.triu(b, 1)
    return _matrix(both, names, 1.0)


def correlation_difference(reference: ArrayLike, generated: ArrayLike, names: Sequence[str]) -> Figure:
    """Difference of Fisher's z = artanh(r) between generated and reference, in its standard errors.

    Var z = 1/(N - 3) + 1/(M - 3) for Gaussian quantities: a map of where to look, not a test.
    """
    n, m = len(np.asarray(reference)), len(np.asarray(generated))
    limit = 1 - 1e-9
    z = [np.arctanh(np.clip(correlation(v), -limit, limit)) for v in (reference, generated)]
    pull = (z[1] - z[0]) / np.sqrt(1 / max(n - 3, 1) + 1 / max(m - 3, 1))
    np.fill_diagonal(pull, 0.0)
    return _matrix(pull, names, 5.0)


def _matrix(values: Array, names: Sequence[str], limit: float) -> Figure:
    with styled():
        figure = new(PANEL[0], 3.3)
        axis = figure.subplots()
        drawn = axis.imshow(np.clip(values, -limit, limit), cmap="RdBu_r", vmin=-limit, vmax=limit)
        size = 7 if len(names) <= 12 else 5
        step = 1 if len(names) <= 30 else 2
        at = list(range(0, len(names), step))
        axis.set_xticks(at, [short(str(names[k]), 14) for k in at], rotation=90, fontsize=size)
        axis.set_yticks(at, [short(str(names[k]), 14) for k in at], fontsize=size)
        axis.tick_params(length=0)
        for side in axis.spines.values():
            side.set_visible(False)
        figure.colorbar(drawn, ax=axis, shrink=0.75, pad=0.02)
    return figure
