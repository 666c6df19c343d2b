"""Separation powers as the CaloChallenge prints them, and freed of their bias: any histogram, one or many entries each.

An event may fill a histogram once (its width) or many times (its voxels). What it filled stays together: errors come
from the scatter of events, not of entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.measurement import Measurement

OUTSIDE = 0.01
"""Share of the reference that a stated range may leave out before the reference's own range takes its place."""


def edges(reference: Any, low: float | None, high: float | None, count: int, log: bool = False) -> Array:
    """Edges of equal bins, of the value or of its log10: the stated range, or the reference's own.

    A bound that is `None`, or a range that leaves more than 1 % of a reference out, is replaced by the reference's
    smallest and largest (positive, where log) value.

    >>> edges([0.2, 0.8], 0.0, 1.0, 2).round(6).tolist(), edges([1.0, 100.0], 1.0, None, 2, True).round(6).tolist()
    ([0.0, 0.5, 1.0], [1.0, 10.0, 100.0])
    """
    values = numbers(reference, "the reference")
    known = values[values > 0] if log else values
    if not len(known):
        known = np.array([1.0])
    if low is not None and high is not None and ((values < low) | (values > high)).mean() > OUTSIDE:
        low = high = None
    first = float(known.min()) if low is None else low
    last = float(known.max()) if high is None else high
    if not last > first:  # one value only
        first, last = (first / 2, first * 2) if log else (first - 0.5, first + 0.5)
    out = np.geomspace(first, last, count + 1) if log else np.linspace(first, last, count + 1)
    out[-1] = max(out[-1], np.nextafter(last, np.inf))  # the largest value lies in the last bin
    return out


@dataclass(frozen=True, eq=False)
class Histogram:
    """What n events filled: sums and squares are enough for shares in any of the bins, and their covariance.

    Attributes:
        edges: [K + 1].
        sums: entries before, in and after the K bins, [K + 2].
        squares: sum over events of h h^T, h an event's entries, [K + 2, K + 2].
        n: events.
    """

    edges: Array
    sums: Array
    squares: Array
    n: int

    @staticmethod
    def of_values(values: Any, edges: Array) -> Histogram:
        """One entry for each event; values [n]."""
        x = numbers(values)
        sums = np.bincount(np.searchsorted(edges, x, side="right"), minlength=len(edges) + 1).astype(np.float64)
        return Histogram(edges, sums, np.diag(sums), len(x))

    @staticmethod
    def of_counts(counts: Any, edges: Array) -> Histogram:
        """Many entries for each event; counts [n, K + 2].

        Raises:
            UserError: the counts do not fit the edges.
        """
        h = np.asarray(counts, dtype=np.float64)
        if h.ndim != 2 or h.shape[1] != len(edges) + 1:
            raise UserError(f"expected counts [n, {len(edges) + 1}], came {h.shape}; count before and after the bins")
        return Histogram(edges, h.sum(0), h.T @ h, len(h))

    def shares(self, inside: bool = False) -> tuple[Array, Array]:
        """Share of the entries in each bin and its covariance; only in the K bins, or with what lies before and after.

        cov = n/(n - 1) (1 - p 1^T) S (1 - p 1^T)^T / N^2 with S the squares and N all entries:
        (p - p p^T)/(n - 1) where every event enters once.
        """
        part = slice(1, -1) if inside else slice(None)
        sums, squares = self.sums[part], self.squares[part, part]
        total = sums.sum()
        if total <= 0:
            return np.zeros_like(sums), np.zeros_like(squares)
        p = sums / total
        free = np.eye(len(p)) - p[:, None]
        return p, free @ squares @ free.T / total**2 * self.n / max(self.n - 1, 1)

    @property
    def outside(self) -> float:
        """Share of the entries before and after the bins."""
        return float((self.sums[0] + self.sums[-1]) / max(self.sums.sum(), 1e-300))


class Separation(NamedTuple):
    """`raw` as the challenge defines it, `unbiased` as it should be read."""

    raw: Measurement
    unbiased: Measurement


def separation(reference: Histogram, generated: Histogram) -> Separation:
    """Triangular discrimination 1/2 sum_k (p - q)^2/(p + q): 0 for equal distributions, 1 for disjoint ones.

    `raw`: of the shares inside the bins, entries outside left out, as the challenge defines it. With A = diag 1/(2 (p +
    q)) and C the covariance of p - q, equal distributions give tr(A C) on average, its floor, and sqrt(2 tr(A C A C))
    as spread. `unbiased`: with what lies before and after the bins, and less tr(A C): zero on average where the
    distributions are equal; may be negative. (Where they differ and bins hold a few entries it comes out low: by 9 %
    with 400 events in 22 bins, by 1 % with 2,000.) Errors: v = max(g^T C g - 2 v0, 0) + v0, with the gradient g and the
    squared spread v0.

    Raises:
        UserError: the bins differ, or one histogram is empty.

    Example:
        >>> bins = np.linspace(0.0, 1.0, 11)
        >>> a, b = (Histogram.of_values(np.full(50, x), bins) for x in (0.25, 0.75))
        >>> separation(a, b).raw.value, separation(a, a).raw.value
        (1.0, 0.0)

    Krause et al., CaloChallenge (2024, arXiv 2410.21611); Topsoe (2000) for the discrimination.
    """
    if not np.array_equal(reference.edges, generated.edges):
        raise UserError("expected two histograms with the same edges, came others; fill both in the reference's bins")
    if min(reference.sums.sum(), generated.sums.sum()) <= 0:
        raise UserError("expected two filled histograms, came an empty one; check the range and the threshold")
    n = min(reference.n, generated.n)
    raw, floor, error, spread = _triangular(reference.shares(inside=True), generated.shares(inside=True))
    whole, bias, whole_error, whole_spread = _triangular(reference.shares(), generated.shares())
    if whole < 1:  # at the upper limit there is nothing to correct
        whole -= bias
    return Separation(
        Measurement(raw, error, floor, spread, n), Measurement(whole, whole_error, 0.0, whole_spread, n)
    )  # fmt: skip


def _triangular(a: tuple[Array, Array], b: tuple[Array, Array]) -> tuple[float, float, float, float]:
    """Value, what equal distributions give, error, and the spread for equal distributions."""
    (p, of_p), (q, of_q) = a, b
    if not p.any() or not q.any():  # one sample lies outside altogether
        return float(p.any() != q.any()), 0.0, 0.0, 0.0
    both = p + q
    keep = both > 0
    p, q, both = p[keep], q[keep], both[keep]
    of_p, of_q = of_p[np.ix_(keep, keep)], of_q[np.ix_(keep, keep)]
    scaled = (of_p + of_q) / np.sqrt(both[:, None] * both[None, :]) / 2  # similar to A C
    bias, v0 = float(np.trace(scaled)), float(2 * (scaled**2).sum())
    value = float(((p - q) ** 2 / both).sum() / 2)
    if not np.any(p * q):
        return 1.0, bias, 0.0, float(np.sqrt(v0))
    slope_p, slope_q = (p - q) * (p + 3 * q) / (2 * both**2), (q - p) * (q + 3 * p) / (2 * both**2)
    v1 = float(slope_p @ of_p @ slope_p + slope_q @ of_q @ slope_q)
    return value, bias, float(np.sqrt(max(v1 - 2 * v0, 0) + v0)), float(np.sqrt(v0))


def mean(separations: Sequence[Separation]) -> Separation:
    """The mean over layers; its error is the mean of theirs, an upper limit however the layers are correlated."""

    def of(each: Sequence[Measurement]) -> Measurement:
        columns = np.array([[m.value, m.error, m.floor, m.floor_error] for m in each]).mean(0)
        return Measurement(*(float(c) for c in columns), n=min(m.n for m in each))

    return Separation(of([s.raw for s in separations]), of([s.unbiased for s in separations]))
