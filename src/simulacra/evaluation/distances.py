"""How far two one-dimensional samples are from each other: separation power, Wasserstein-1, Kolmogorov-Smirnov."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulacra.evaluation.arrays import Array, pair
from simulacra.evaluation.measurement import Measurement


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


def separation(reference: Any, generated: Any, count: int = 20) -> Measurement:
    """Separation power (triangular discrimination) in equally filled bins of the reference, without its bias.

    S = 1/2 sum_k [(p - q)^2 - p(1-p)/(n-1) - q(1-q)/(m-1)] / (p + q): 0 for equal distributions (it may come out
    negative), 1 for disjoint ones. The floor, (K - 1)/4 (1/n + 1/m) for K filled bins, is already removed, so what
    real against real gives is 0 with the spread sqrt((K - 1)/8) (1/n + 1/m).

    Args:
        reference: [n]; generated: [m].

    Raises:
        UserError: a number is not finite.

    Example:
        >>> print(separation(np.arange(100.0), np.arange(200.0, 300.0)))
        1.00 ± 0.00 (floor 0.00 ± 0.03)

    Diefenbacher et al., CaloFlow and the CaloChallenge (2021, arXiv:2106.05285); Tosic (2000) for the discrimination.
    """
    a, b = pair(reference, generated)
    n, m = len(a), len(b)
    edges = bins(a, max(2, min(count, n // 5)))
    p = np.bincount(np.searchsorted(edges, a, side="right"), minlength=len(edges) + 1) / n
    q = np.bincount(np.searchsorted(edges, b, side="right"), minlength=len(edges) + 1) / m
    filled = p + q > 0
    p, q = p[filled], q[filled]
    both = p + q
    noise = p * (1 - p) / max(n - 1, 1) + q * (1 - q) / max(m - 1, 1)
    value = 0.5 * float((((p - q) ** 2 - noise) / both).sum())
    v1 = _slope(p, q) / n + _slope(q, p) / m
    v0 = (len(p) - 1) / 8 * (1 / n + 1 / m) ** 2
    variance = max(v1 - 2 * v0, 0) + v0
    if not np.any(p * q):  # disjoint: the upper limit, whatever the draw, and nothing to correct
        value, variance = 1.0, 0.0
    return Measurement(value, float(np.sqrt(variance)), 0.0, float(np.sqrt(v0)), min(n, m))


def _slope(p: Array, q: Array) -> float:
    """Variance of one event's pull on the separation, through the derivative by p."""
    g = (p - q) * (p + 3 * q) / (2 * (p + q) ** 2)
    return float((g**2 * p).sum() - (g * p).sum() ** 2)


class Pooled:
    """Two samples sorted into one, with the distances of any relabelling of it."""

    def __init__(self, a: Array, b: Array, seed: int, permutations: int) -> None:
        self.n, self.m = len(a), len(b)
        pooled = np.concatenate([a, b])
        order = np.argsort(pooled, kind="stable")
        self.values = pooled[order]
        self.gaps = np.diff(self.values)
        self.last = np.append(self.gaps > 0, True)  # the last of equal values: only there do step functions stand
        labels = np.zeros((permutations + 1, self.n + self.m), dtype=bool)
        labels[:, : self.n] = True
        draw = np.random.default_rng(seed)
        labels[1:] = draw.permuted(labels[1:], axis=1)
        self.mine = labels[:, order]
        seen = np.cumsum(self.mine, axis=1)
        self.f = seen / self.n
        self.g = (np.arange(1, self.n + self.m + 1) - seen) / self.m

    def wasserstein(self) -> Array:  # [1 + permutations]
        return np.abs(self.f - self.g)[:, :-1] @ self.gaps

    def kolmogorov(self) -> Array:  # [1 + permutations]
        return (np.abs(self.f - self.g) * self.last).max(1)


def wasserstein(
    reference: Any, generated: Any, *, scale: float | None = None, permutations: int = 99, seed: int = 0
) -> Measurement:
    """Wasserstein-1 distance, in standard deviations of the reference: how far mass must be moved on average.

    W = int |F - G| dx is never zero for finite samples; f, the mean of W over random relabellings, is what it is for
    equal distributions. The value is sqrt(max(W^2 - f^2, 0)), right at any size; its floor is the same expression of
    the relabelled samples.

    Args:
        reference: [n]; generated: [m].
        scale: the unit of the distance; the reference's standard deviation (the pooled one where that is zero).

    Raises:
        UserError: a number is not finite.

    Example:
        >>> x = np.linspace(-1.0, 1.0, 500)
        >>> abs(wasserstein(x, x + 0.5, scale=1.0).value - 0.5) < 0.01
        True

    Villani, "Optimal Transport" (2009).
    """
    a, b = pair(reference, generated)
    pooled = Pooled(a, b, seed, permutations)
    return _wasserstein(a, b, pooled, scale)


def _wasserstein(a: Array, b: Array, pooled: Pooled, scale: float | None = None) -> Measurement:
    unit = scale or float(a.std()) or float(pooled.values.std()) or 1.0
    everything = pooled.wasserstein() / unit
    distance, null = everything[0], everything[1:]
    f = null.mean()
    value, nulls = np.sqrt(max(distance**2 - f**2, 0)), np.sqrt(np.maximum(null**2 - f**2, 0))
    sign = np.sign(pooled.f[0] - pooled.g[0])[:-1]
    path = np.concatenate([[0.0], np.cumsum(sign * pooled.gaps)]) / unit  # h(x) = int^x sign(F - G)
    error = np.hypot(
        np.sqrt(path[pooled.mine[0]].var() / len(a) + path[~pooled.mine[0]].var() / len(b)), null.std(ddof=1)
    )
    return Measurement(
        float(value), float(error), float(nulls.mean()), float(nulls.std(ddof=1)), min(len(a), len(b)), "sd"
    )


def kolmogorov_smirnov(reference: Any, generated: Any, *, permutations: int = 99, seed: int = 0) -> Measurement:
    """Kolmogorov-Smirnov distance, D = max |F - G|, with its mean over random relabellings as floor.

    Relabelling is right for numbers that repeat (counts), where Kolmogorov's law is not. The error is the binomial one
    at the largest gap where D stands clear of its floor (three times), else the floor's spread.

    Args:
        reference: [n]; generated: [m].

    Raises:
        UserError: a number is not finite.

    Example:
        >>> kolmogorov_smirnov(np.zeros(50), np.ones(50)).value
        1.0

    Kolmogorov (1933), Smirnov (1948).
    """
    a, b = pair(reference, generated)
    return _kolmogorov(Pooled(a, b, seed, permutations))


def _kolmogorov(pooled: Pooled) -> Measurement:
    everything = pooled.kolmogorov()
    distance, null = everything[0], everything[1:]
    floor, spread = float(null.mean()), float(null.std(ddof=1))
    error = spread
    if distance > 3 * floor:
        at = int((np.abs(pooled.f[0] - pooled.g[0]) * pooled.last).argmax())
        f, g = pooled.f[0, at], pooled.g[0, at]
        error = float(np.sqrt(f * (1 - f) / pooled.n + g * (1 - g) / pooled.m))
    return Measurement(float(distance), error, floor, spread, min(pooled.n, pooled.m))


def distances(reference: Any, generated: Any, *, permutations: int = 99, seed: int = 0) -> dict[str, Measurement]:
    """All three distances of one observable at the price of one sort: `separation`, `wasserstein`, `ks`."""
    a, b = pair(reference, generated)
    pooled = Pooled(a, b, seed, permutations)
    return {"separation": separation(a, b), "wasserstein": _wasserstein(a, b, pooled), "ks": _kolmogorov(pooled)}
