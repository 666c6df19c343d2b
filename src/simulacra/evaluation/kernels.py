"""Distances between samples of any dimension by kernels (MMD, energy distance), and Cramer's distance of one number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist, pdist

from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array, numbers, pair
from simulacra.evaluation.distances import Pooled, drift, spread
from simulacra.evaluation.measurement import Measurement
from simulacra.evaluation.weights import Weights, effective, shares, variance_of_mean

Kernel = Callable[[Array, Array], Array]
"""(x [n, D], y [m, D]) -> [n, m]"""
_ENTRIES = 4_000_000
"""Entries of the kernel matrix that are held at once (32 MB)."""


def rows(reference: Any, generated: Any) -> tuple[Array, Array]:
    """Two samples as tables [n, D] and [m, D]; one number per event becomes one column.

    Raises:
        UserError: a number is not finite, or the events are not alike.
    """
    a, b = numbers(reference, "the reference"), numbers(generated, "the generated events")
    if a.shape[1:] != b.shape[1:]:
        raise UserError(f"expected events of one shape, came {a.shape[1:]} and {b.shape[1:]}; give the same columns")
    return a.reshape(len(a), -1), b.reshape(len(b), -1)


def gaussian(bandwidth: float) -> Kernel:
    """k(x, y) = exp(-|x - y|^2 / (2 bandwidth^2)).

    >>> gaussian(1.0)(np.zeros((1, 2)), np.array([[1.0, 1.0]])).round(4)
    array([[0.3679]])
    """
    if not bandwidth > 0:
        raise UserError(f"expected a bandwidth above 0, came {bandwidth}; leave it out for the median distance")

    def kernel(x: Array, y: Array) -> Array:
        square = (x**2).sum(1)[:, None] + (y**2).sum(1) - 2 * x @ y.T
        return np.exp(np.maximum(square, 0) / (-2 * bandwidth**2))

    return kernel


def polynomial(degree: int = 3) -> Kernel:
    """k(x, y) = (x.y / D + 1)^degree: degree 3 on network features is KID, 4 on observables KPD.

    Heavy tails own it: standardise the columns first.

    >>> polynomial(2)(np.ones((1, 3)), np.ones((1, 3)))
    array([[4.]])

    Binkowski et al. (2018, arXiv:1801.01401); Kansal et al. (2023, arXiv:2211.10295).
    """
    if degree < 1 or degree != int(degree):
        raise UserError(f"expected a whole degree from 1, came {degree}; 3 is KID's")

    def kernel(x: Array, y: Array) -> Array:
        base = (x / x.shape[1]) @ y.T
        base += 1
        out = base
        for bit in f"{int(degree):b}"[1:]:  # squares and products: ten times faster than a power
            out = np.multiply(out, out, out=None if out is base else out)
            if bit == "1":
                out *= base
        return out

    return kernel


def median_distance(reference: Any, generated: Any, most: int = 1000) -> float:
    """The median distance between events of both samples pooled, of at most `most` of them evenly taken.

    >>> median_distance([0.0, 0.0], [3.0, 3.0])
    3.0
    """
    pooled = np.concatenate(rows(reference, generated))
    chosen = pooled[np.linspace(0, len(pooled) - 1, min(most, len(pooled))).astype(int)]
    gaps = pdist(chosen)
    return float(np.median(gaps)) or float(gaps.mean()) or 1.0


@dataclass(frozen=True)
class _Quadratic:
    """value: of the U-statistic; null: of relabelled samples, [permutations]; variance: by the slope."""

    value: float
    null: Array
    variance: float


def _quadratic(a: Array, b: Array, kernel: Kernel, weights: Weights, permutations: int, seed: int) -> _Quadratic:
    """sum_(i != j) w_i w_j k(a_i, a_j) / (1 - sum w^2) + the same of b - 2 sum w_i v_j k(a_i, b_j), and relabelled.

    Labels are columns: the kernel matrix, made some rows at a time, meets all of them in one product.
    """
    of_a, of_b = shares(weights, len(a), len(b))
    if max(of_a.max(), of_b.max()) == 1:
        raise UserError("expected at least two events on both sides, came one; give more events")
    pooled, n = np.concatenate([a, b]), len(a)
    draw, size = np.random.default_rng(seed), len(a) + len(b)
    places = np.stack([np.arange(size)] + [draw.permutation(size) for _ in range(permutations)], axis=1)
    s = np.concatenate([of_a, np.zeros(len(b))])[places]  # [N, 1 + permutations]
    t = np.concatenate([np.zeros(n), of_b])[places]
    columns = np.concatenate([s, t], axis=1)
    totals, own, cross, at = np.zeros((3, permutations + 1)), np.empty(size), np.empty(size), 0
    while at < size:
        some = slice(at, at + max(1, _ENTRIES // size))
        matrix = kernel(pooled[some], pooled)
        matrix[np.arange(len(matrix)), at + np.arange(len(matrix))] = 0  # i != j; across samples i is never j
        to_s, to_t = np.split(matrix @ columns, 2, axis=1)
        totals += np.stack([(s[some] * to_s).sum(0), (t[some] * to_t).sum(0), (s[some] * to_t).sum(0)])
        mine = s[some, 0] > 0
        own[some] = np.where(mine, to_s[:, 0], to_t[:, 0])
        cross[some] = np.where(mine, to_t[:, 0], to_s[:, 0])
        at = some.stop
    within_a, within_b = 1 - (of_a**2).sum(), 1 - (of_b**2).sum()
    everything = totals[0] / within_a + totals[1] / within_b - 2 * totals[2]
    other = 1 - np.concatenate([of_a, of_b])  # an event's mean kernel to the rest of its own sample
    pull = own / other - cross
    variance = 4 * variance_of_mean(pull[:n], of_a) + 4 * variance_of_mean(pull[n:], of_b)
    return _Quadratic(float(everything[0]), everything[1:], variance)


def _measurement(found: _Quadratic, count: float, unit: str = "") -> Measurement:
    z = float(found.null.std(ddof=1))
    error = float(np.sqrt(max(found.variance - z**2, z**2)))
    return Measurement(found.value, error, 0.0, z, round(count), unit)


def mmd(
    reference: Any,
    generated: Any,
    kernel: Kernel | None = None,
    *,
    weights: Weights = None,
    permutations: int = 99,
    seed: int = 0,
) -> Measurement:
    """Squared maximum mean discrepancy: mean k(a, a') + mean k(b, b') - 2 mean k(a, b), over pairs of different events.

    This U-statistic is 0 on average for equal distributions (it may come out negative), so its floor is 0 with z, its
    spread over random relabellings. Its error is err^2 = max(v - z^2, z^2), v = 4 var(own_a - cross_a)/n + the same of
    b, with each event's mean kernel to its own and to the other sample. The matrix is never held whole: time grows as
    (n + m)^2 (permutations + 1), memory as n + m.

    Args:
        reference: [n, ...]; generated: [m, ...].
        kernel: a Gaussian of the median distance where none is given; standardise columns of different units first.
        weights: of the reference and of the generated events, each [n], [m] or None.

    Raises:
        UserError: a number is not finite, a weight is negative, or the events are not alike.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(200, 2))
        >>> mmd(x[:100], x[100:] + 1.0).above_floor > 3
        True

    Gretton et al., "A Kernel Two-Sample Test" (2012).
    """
    a, b = rows(reference, generated)
    found = _quadratic(a, b, kernel or gaussian(median_distance(a, b)), weights, permutations, seed)
    return _measurement(found, _count(weights, a, b))


def mmd_p(
    reference: Any,
    generated: Any,
    kernel: Kernel | None = None,
    *,
    weights: Weights = None,
    permutations: int = 99,
    seed: int = 0,
) -> float:
    """The share of random relabellings whose MMD is at least as large, (1 + #) / (1 + permutations).

    Exact for equal weights whatever the kernel (`negative_distance` gives the test of the energy distance); not below
    1 / (1 + permutations).

    Args:
        as of `mmd`.

    Example:
        >>> x = np.linspace(0.0, 1.0, 50)
        >>> mmd_p(x, x + 1.0, permutations=19)
        0.05
    """
    a, b = rows(reference, generated)
    found = _quadratic(a, b, kernel or gaussian(median_distance(a, b)), weights, permutations, seed)
    return float((1 + (found.null >= found.value).sum()) / (1 + len(found.null)))


def negative_distance(x: Array, y: Array) -> Array:
    """k(x, y) = -|x - y|, whose squared MMD is the energy distance."""
    return -cdist(x, y)


def energy_distance(
    reference: Any, generated: Any, *, weights: Weights = None, permutations: int = 99, seed: int = 0
) -> Measurement:
    """Energy distance, 2 E|a - b| - E|a - a'| - E|b - b'|, over pairs of different events; error and floor as of `mmd`.

    Args:
        reference: [n, ...]; generated: [m, ...]; standardise columns of different units first.
        weights: of the reference and of the generated events, each [n], [m] or None.

    Raises:
        UserError: a number is not finite, a weight is negative, or the events are not alike.

    Example:
        >>> x = np.linspace(0.0, 1.0, 100)
        >>> energy_distance(x, x + 9.0).value.__round__(1)
        17.3

    Szekely and Rizzo (2013); Sejdinovic et al. (2013, arXiv:1207.6076) for its kernel.
    """
    a, b = rows(reference, generated)
    found = _quadratic(a, b, negative_distance, weights, permutations, seed)
    return _measurement(found, _count(weights, a, b))


def _count(weights: Weights, a: Array, b: Array) -> float:
    return min(effective(share) for share in shares(weights, len(a), len(b)))


def cramer(
    reference: Any,
    generated: Any,
    *,
    scale: float | None = None,
    weights: Weights = None,
    permutations: int = 99,
    seed: int = 0,
) -> Measurement:
    """Cramer's distance of one number, int (F - G)^2 dx, in standard deviations of the reference.

    Half the energy distance. What finite samples add, int F(1 - F)/(n - 1) + G(1 - G)/(m - 1) dx, is removed, so that
    the floor is 0. Error as of `mmd`, with 2 int^x (F - G) for the pull of one event at x, and with that of the unit
    where it is measured. One sort instead of all pairs: for large samples.

    Args:
        reference: [n]; generated: [m].
        scale: the unit of the distance; the reference's standard deviation (the pooled one where that is zero).
        weights: of the reference and of the generated events, each [n], [m] or None.

    Raises:
        UserError: a number is not finite, or a weight is negative.

    Example:
        >>> cramer(np.zeros(50), np.ones(50), scale=1.0).value
        1.0

    Cramer (1928); Bellemare et al. (2017, arXiv:1705.10743).
    """
    a, b = pair(reference, generated)
    pooled = Pooled(a, b, seed, permutations, weights)
    unit = scale or spread(a, pooled)
    added = sum(_dispersion(values, share) for values, share in zip((a, b), pooled.shares, strict=True))
    value = float(pooled.cramer[0] - added) / unit
    path = 2 * np.concatenate([[0.0], np.cumsum(pooled.apart[:-1] * pooled.gaps)]) / unit
    if scale is None:
        path += value * drift(a, pooled, unit)
    found = _Quadratic(value, pooled.cramer[1:] / unit, pooled.variance(path))
    return _measurement(found, pooled.smaller, "sd")


def _dispersion(values: Array, share: Array) -> float:
    """int F(1 - F) dx sum w^2 / (1 - sum w^2) for the step function F of one sample, 1 / (n - 1) for equal weights."""
    if share.max() == 1:
        raise UserError("expected at least two events on both sides, came one; give more events")
    order = np.argsort(values)
    below, square = np.cumsum(share[order])[:-1], float((share**2).sum())
    return float(below * (1 - below) @ np.diff(values[order])) * square / (1 - square)
