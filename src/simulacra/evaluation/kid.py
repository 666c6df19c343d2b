"""Kernel distances between features: KID of pictures and KPD of observables, squared MMDs of polynomial kernels.

What is printed is `kid` and `kpd`, over all pairs of events. `kpd_batches` is the number of published tables.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from simulacra.evaluation.arrays import Array
from simulacra.evaluation.frechet import columns, scaled, unit_draws
from simulacra.evaluation.kernels import mmd, polynomial
from simulacra.evaluation.measurement import Measurement

ROWS = 1024
"""Rows of the kernel matrix held at a time."""
QUARTIC = polynomial(4)


def kid(reference: Any, generated: Any, *, degree: int = 3, permutations: int = 99, seed: int = 0) -> Measurement:
    """Kernel inception distance: the unbiased squared MMD of features under k(x, y) = (x y / D + 1)^degree, all pairs.

    0 on average for equal distributions at any size, so it may come out negative; error and floor as of `mmd`.

    Args:
        reference: features [n, D]; generated: [m, D].
        degree: of the kernel, 1 or more.

    Raises:
        UserError: a number is not finite, the columns disagree, there are under 2 events, or the degree is below 1.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(1000, 2))
        >>> found = kid(x[:500], x[500:] + 1.0)
        >>> found.above_floor > 5, found.floor
        (True, 0.0)

    Binkowski et al., "Demystifying MMD GANs" (2018, arXiv:1801.01401); Gretton et al. (2012).
    """
    a, b = columns(reference, generated, 0)
    return mmd(a, b, polynomial(degree), permutations=permutations, seed=seed)


def kpd(reference: Any, generated: Any, *, permutations: int = 99, seed: int = 0) -> Measurement:
    """Kernel physics distance: `kid` of degree 4 of observables, each over its largest absolute value in the reference.

    The error is that of `kid`, and that of the units, as in `fpd`: err^2 += variance of sum_j (d value / d log unit_j)
    times the changes of log unit_j that `unit_draws` finds between references.

    Args:
        reference: observables [n, D]; generated: [m, D].

    Raises:
        UserError: as `kid`.

    Kansal et al., "Evaluating generative models in high energy physics" (2023, arXiv:2211.10295).
    """
    a, b = scaled(*columns(reference, generated, 0))
    found = kid(a, b, degree=4, permutations=permutations, seed=seed)
    of_units = float(np.var(unit_draws(a, seed) @ unit_slope(a, b), axis=1, ddof=1).mean())
    return replace(found, error=float(np.sqrt(found.error**2 + of_units)))


def unit_slope(a: Array, b: Array) -> Array:
    """Derivative of the squared MMD of k = (x y / D + 1)^4 by the logarithm of each column's unit, [D].

    d k / d log unit_j = -8 x_j y_j (x y / D + 1)^3 / D.

    >>> unit_slope(np.array([[1.0], [1.0]]), np.array([[0.0], [0.0]]))
    array([-64.])
    """
    return 2 * _slope(a, b, len(a) * len(b)) - sum(_slope(x, x, len(x) * (len(x) - 1)) for x in (a, b))


def _slope(x: Array, y: Array, pairs: int) -> Array:
    """Sum of 8 x_j y_j (x y / D + 1)^3 / D over pairs of rows, of different ones where x is y, over their number."""
    total, width = np.zeros(x.shape[1]), x.shape[1]
    for k in range(0, len(x), ROWS):
        rows = x[k : k + ROWS]
        base = rows @ y.T / width + 1
        total += ((base * base * base @ y) * rows).sum(0)
    if x is y:
        total -= ((x**2).mean(1) + 1) ** 3 @ x**2
    return 8 * total / width / pairs


def kpd_batches(reference: Any, generated: Any, *, batches: int = 10, size: int = 5000, seed: int = 42) -> Measurement:
    """KPD as the JetNet package defines it: the median of batches drawn with replacement, and half their 16-84 % range.

    An event that is drawn twice meets itself, which adds (E k(x, x) - E k(x, y)) (1/n + 1/m) on average; the error is
    the spread of a batch of `size`, not of the median. `kpd` has neither fault. Seeded alike, the two programs agree
    to rounding. The floor is the same of one random relabelling.

    Args:
        reference: observables [n, D]; generated: [m, D].

    Raises:
        UserError: as `kid`.

    Kansal et al. (2023, arXiv:2211.10295).
    """
    a, b = scaled(*columns(reference, generated, 0))
    value, error = _median(a, b, batches, size, seed)
    pooled = np.random.default_rng(seed).permutation(np.concatenate([a, b]))
    floor, floor_error = _median(pooled[: len(a)], pooled[len(a) :], batches, size, seed)
    return Measurement(value, error, floor, floor_error, min(len(a), len(b)))


def _median(a: Array, b: Array, batches: int, size: int, seed: int) -> tuple[float, float]:
    values = []
    for batch in range(batches):
        draw = np.random.default_rng(seed + 1000 * batch)
        x, y = [sample[draw.choice(len(sample), size=size)] for sample in (a, b)]
        values.append(
            _within(x) + _within(y) - 2 * sum(QUARTIC(x[k : k + ROWS], y).sum() for k in range(0, size, ROWS)) / size**2
        )
    low, middle, high = np.percentile(values, [16.275, 50, 83.725])
    return float(middle), float(high - low) / 2


def _within(x: Array) -> float:
    """Mean kernel of degree 4 over all pairs of different rows."""
    total = 0.0
    for k in range(0, len(x), ROWS):  # the kernel is symmetric: blocks off the diagonal count twice
        total += QUARTIC(x[k : k + ROWS], x[k : k + ROWS]).sum() + 2 * QUARTIC(x[k : k + ROWS], x[k + ROWS :]).sum()
    return float(total - (((x**2).mean(1) + 1) ** 4).sum()) / (len(x) * (len(x) - 1))
