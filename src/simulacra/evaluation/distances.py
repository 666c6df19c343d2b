"""How far two one-dimensional samples are from each other: separation power, Wasserstein-1, Kolmogorov-Smirnov."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from simulacra.evaluation.arrays import Array, pair
from simulacra.evaluation.measurement import Measurement
from simulacra.evaluation.weights import Weights, effective, shares, variance_of_mean

CLEAR = 1.5
"""How many floors from which the largest gap of two distribution functions stays where it is."""


def bins(reference: Array, count: int = 20) -> Array:
    """Edges of equally filled bins of the reference; a value that is often taken exactly gets a bin of its own.

    Bin k holds `edges[k-1] <= v < edges[k]`; before the first and after the last edge lies what the reference does
    not have.

    >>> bins(np.arange(8.0), 4).round(2).tolist()
    [-0.35, 1.75, 3.5, 5.25, 7.35]
    """
    inner = np.unique(np.quantile(reference, np.arange(1, count) / count))
    ordered = np.sort(reference)
    repeats = np.searchsorted(ordered, inner, side="right") - np.searchsorted(ordered, inner)
    atoms = inner[repeats > len(reference) / (2 * count)]
    margin = np.ptp(ordered) / 20
    outer = [ordered[0] - margin, np.nextafter(ordered[-1] + margin, np.inf)]  # what lies far outside is by itself
    return np.unique(np.concatenate([inner, atoms, np.nextafter(atoms, np.inf), outer]))


@dataclass(frozen=True)
class Histograms:
    """Two samples in common bins, those that any event fills.

    Attributes:
        p, q: share of the reference and of the generated events in each bin, [K].
        square_p, square_q: sums of squared weights in each bin, [K]; p / n and q / m where weights are equal.
        n: effective events of the reference; m: of the generated.
    """

    p: Array
    q: Array
    square_p: Array
    square_q: Array
    n: float
    m: float

    @staticmethod
    def fill(reference: Any, generated: Any, count: int = 20, weights: Weights = None) -> Histograms:
        """In `count` equally filled bins of the reference, or fewer where it has fewer than five events for each."""
        a, b = pair(reference, generated)
        of_a, of_b = shares(weights, len(a), len(b))
        n, m = effective(of_a), effective(of_b)
        edges = bins(a, max(2, min(count, round(n) // 5)))
        size = len(edges) + 1
        at_a, at_b = np.searchsorted(edges, a, side="right"), np.searchsorted(edges, b, side="right")
        columns, squares = np.zeros((2, 2, size))
        for k, (at, share) in enumerate([(at_a, of_a), (at_b, of_b)]):
            whole = share / share.max()  # ones where weights are equal, which add up exactly
            columns[k] = np.bincount(at, whole, size) / whole.sum()
            squares[k] = np.bincount(at, whole**2, size) / whole.sum() ** 2
        filled = columns.sum(0) > 0
        (p, q), (square_p, square_q) = columns[:, filled], squares[:, filled]
        return Histograms(p, q, square_p, square_q, n, m)

    def noise(self) -> tuple[Array, Array]:
        """Variances of p and of q; p (1 - p) / (n - 1) where weights are equal."""
        return _noise(self.p, self.square_p), _noise(self.q, self.square_q)

    def variance(self, slope_p: Array, slope_q: Array) -> float:
        """Variance of a statistic with these derivatives by p and by q."""
        of_p = (self.square_p * (slope_p - self.p @ slope_p) ** 2).sum()
        return float(of_p + (self.square_q * (slope_q - self.q @ slope_q) ** 2).sum())

    def null(self) -> float:
        """Variance of sum_k (p - q)^2 / (p + q) / 2 for equal distributions, (K - 1)/8 (1/n + 1/m)^2."""
        per_p = np.divide(self.square_p, self.p, out=np.full(len(self.p), 1 / self.n), where=self.p > 0)
        per_q = np.divide(self.square_q, self.q, out=np.full(len(self.q), 1 / self.m), where=self.q > 0)
        return float((len(self.p) - 1) / 8 * ((per_p + per_q) ** 2).mean())

    @property
    def disjoint(self) -> bool:
        return not np.any(self.p * self.q)

    @property
    def smaller(self) -> int:
        return round(min(self.n, self.m))


def _noise(share: Array, square: Array) -> Array:
    total = min(square.sum(), 0.5)  # a single event tells nothing of its spread
    return (square * (1 - 2 * share) + share**2 * total) / (1 - total)


def separation(reference: Any, generated: Any, count: int = 20, *, weights: Weights = None) -> Measurement:
    """Separation power (triangular discrimination) in equally filled bins of the reference, without its bias.

    S = 1/2 sum_k [(p - q)^2 - p(1-p)/(n-1) - q(1-q)/(m-1)] / (p + q): 0 for equal distributions (it may come out
    negative), 1 for disjoint ones. The floor, (K - 1)/4 (1/n + 1/m) for K filled bins, is already removed, so what
    real against real gives is 0 with the spread sqrt((K - 1)/8) (1/n + 1/m). Weights enter by their sums and the sums
    of their squares in each bin.

    Args:
        reference: [n]; generated: [m].
        weights: of the reference and of the generated events, each [n], [m] or None.

    Raises:
        UserError: a number is not finite, or a weight is negative.

    Example:
        >>> print(separation(np.arange(100.0), np.arange(200.0, 300.0)))
        1.00 ± 0.00 (floor 0.00 ± 0.03)

    Diefenbacher et al., CaloFlow and the CaloChallenge (2021, arXiv:2106.05285); Tosic (2000) for the discrimination.
    """
    held = Histograms.fill(reference, generated, count, weights)
    p, q, both = held.p, held.q, held.p + held.q
    v0 = held.null()
    if held.disjoint:  # the upper limit, whatever the draw, and nothing to correct
        return Measurement(1.0, 0.0, 0.0, float(np.sqrt(v0)), held.smaller)
    value = 0.5 * float((((p - q) ** 2 - sum(held.noise())) / both).sum())
    v1 = held.variance((p - q) * (p + 3 * q) / (2 * both**2), (q - p) * (q + 3 * p) / (2 * both**2))
    error = np.sqrt(max(v1 - 2 * v0, 0) + v0)
    return Measurement(value, float(error), 0.0, float(np.sqrt(v0)), held.smaller)


class Pooled:
    """Two samples sorted into one, with the distances of any relabelling of it.

    A relabelling deals the weights, with their sign (+ for the reference, - for the generated), anew to the values.

    Attributes:
        values: [N], ascending; gaps: [N - 1] between them.
        apart: F - G at each value, [N].
        wasserstein: int |F - G| dx; kolmogorov: max |F - G|; cramer: int (F - G)^2 dx; each [1 + permutations].
    """

    def __init__(self, a: Array, b: Array, seed: int, permutations: int, weights: Weights = None) -> None:
        self.shares = shares(weights, len(a), len(b))
        pooled = np.concatenate([a, b])
        order = np.argsort(pooled, kind="stable")
        self.values, self.order = pooled[order], order
        self.gaps = np.diff(self.values)
        last = np.append(self.gaps > 0, True)  # the last of equal values: only there do step functions stand
        last = slice(None) if last.all() else last
        if weights is None:  # whole numbers: equal steps cancel exactly
            signed, unit = np.repeat([float(len(b)), -float(len(a))], [len(a), len(b)]), float(len(a) * len(b))
        else:
            signed, unit = np.concatenate([self.shares[0], -self.shares[1]]), 1.0
        self.apart = np.cumsum(signed[order]) / unit
        self.apart[np.abs(self.apart) < 1e-12] = 0.0  # rounding has no sign
        self.wasserstein, self.kolmogorov, self.cramer = np.empty((3, permutations + 1))
        draw = np.random.default_rng(seed)
        height = np.empty(len(order))
        for k in range(permutations + 1):
            np.take(draw.permuted(signed) if k else signed, order, out=height)
            np.abs(np.cumsum(height, out=height), out=height)
            self.kolmogorov[k] = height[last].max()
            self.wasserstein[k] = height[:-1] @ self.gaps
            self.cramer[k] = np.square(height, out=height)[:-1] @ self.gaps
        self.kolmogorov /= unit
        self.wasserstein /= unit
        self.cramer /= unit**2

    def variance(self, path: Array) -> float:
        """Variance of a distance whose change with one more event at a value is `path`, [N], as `values`."""
        back = np.empty_like(path)
        back[self.order] = path
        n = len(self.shares[0])
        return variance_of_mean(back[:n], self.shares[0]) + variance_of_mean(back[n:], self.shares[1])

    @property
    def smaller(self) -> int:
        return round(min(effective(share) for share in self.shares))


def wasserstein(
    reference: Any,
    generated: Any,
    *,
    scale: float | None = None,
    weights: Weights = None,
    permutations: int = 99,
    seed: int = 0,
) -> Measurement:
    """Wasserstein-1 distance, in standard deviations of the reference: how far mass must be moved on average.

    W = int |F - G| dx is never zero for finite samples; f, the mean of W over random relabellings, is what it is for
    equal distributions. The value is sqrt(max(W^2 - f^2, 0)), right at any size; its floor is the same expression of
    the relabelled samples. The error counts that the unit is measured, too.

    Args:
        reference: [n]; generated: [m].
        scale: the unit of the distance; the reference's standard deviation (the pooled one where that is zero).
        weights: of the reference and of the generated events, each [n], [m] or None.

    Raises:
        UserError: a number is not finite, or a weight is negative.

    Example:
        >>> x = np.linspace(-1.0, 1.0, 500)
        >>> abs(wasserstein(x, x + 0.5, scale=1.0).value - 0.5) < 0.01
        True

    Villani, "Optimal Transport" (2009).
    """
    a, b = pair(reference, generated)
    return _wasserstein(a, Pooled(a, b, seed, permutations, weights), scale)


def spread(a: Array, pooled: Pooled) -> float:
    """The unit of lengths: the reference's standard deviation, the pooled one where that is zero, else 1."""
    mean = pooled.shares[0] @ a
    return float(np.sqrt(pooled.shares[0] @ (a - mean) ** 2)) or float(pooled.values.std()) or 1.0


def drift(a: Array, pooled: Pooled, unit: float) -> Array:
    """How one more event moves the logarithm of the reference's spread, ((v - mean)^2 / unit^2 - 1) / 2, [N].

    In the order of `values`, with the sign of a path int^x h(F - G): one more event at x lowers int H(F - G) by it.
    """
    mine = pooled.order < len(a)
    return np.where(mine, ((pooled.values - pooled.shares[0] @ a) ** 2 / unit**2 - 1) / 2, 0.0)


def _wasserstein(a: Array, pooled: Pooled, scale: float | None = None) -> Measurement:
    unit = scale or spread(a, pooled)
    distance, null = pooled.wasserstein[0] / unit, pooled.wasserstein[1:] / unit
    f = null.mean()
    value, nulls = np.sqrt(max(distance**2 - f**2, 0)), np.sqrt(np.maximum(null**2 - f**2, 0))
    path = np.concatenate([[0.0], np.cumsum(np.sign(pooled.apart[:-1]) * pooled.gaps)]) / unit  # int^x sign(F - G)
    if scale is None:
        path += distance * drift(a, pooled, unit)
    error = np.hypot(np.sqrt(pooled.variance(path)), null.std(ddof=1))
    return Measurement(float(value), float(error), float(nulls.mean()), float(nulls.std(ddof=1)), pooled.smaller, "sd")


def kolmogorov_smirnov(
    reference: Any, generated: Any, *, weights: Weights = None, permutations: int = 99, seed: int = 0
) -> Measurement:
    """Kolmogorov-Smirnov distance, D = max |F - G|, with its mean over random relabellings as floor.

    Relabelling is right for numbers that repeat (counts), where Kolmogorov's law is not. The error is the binomial one
    at the largest gap where D stands clear of its floor (1.5 times), else the floor's spread.

    Args:
        reference: [n]; generated: [m].
        weights: of the reference and of the generated events, each [n], [m] or None.

    Raises:
        UserError: a number is not finite, or a weight is negative.

    Example:
        >>> kolmogorov_smirnov(np.zeros(50), np.ones(50)).value
        1.0

    Kolmogorov (1933), Smirnov (1948).
    """
    a, b = pair(reference, generated)
    return _kolmogorov(Pooled(a, b, seed, permutations, weights))


def _kolmogorov(pooled: Pooled) -> Measurement:
    distance, null = pooled.kolmogorov[0], pooled.kolmogorov[1:]
    floor, floor_error = float(null.mean()), float(null.std(ddof=1))
    error = floor_error
    if distance > CLEAR * floor:
        last = np.append(pooled.gaps > 0, True)
        below = pooled.values <= pooled.values[int((np.abs(pooled.apart) * last).argmax())]
        error = float(np.sqrt(pooled.variance(below.astype(np.float64))))
    return Measurement(float(distance), error, floor, floor_error, pooled.smaller)


def distances(
    reference: Any, generated: Any, *, weights: Weights = None, permutations: int = 99, seed: int = 0
) -> dict[str, Measurement]:
    """All three distances of one observable at the price of one sort: `separation`, `wasserstein`, `ks`."""
    a, b = pair(reference, generated)
    pooled = Pooled(a, b, seed, permutations, weights)
    return {
        "separation": separation(a, b, weights=weights),
        "wasserstein": _wasserstein(a, pooled),
        "ks": _kolmogorov(pooled),
    }
