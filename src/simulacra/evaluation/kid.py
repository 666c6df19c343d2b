"""Kernel distances between features: KID of pictures and KPD of observables, squared MMDs of polynomial kernels.

What is printed is `kid` and `kpd`, over all pairs of events. `kpd_batches` is the number of published tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array
from simulacra.evaluation.frechet import columns, scaled
from simulacra.evaluation.measurement import Measurement

ROWS = 1024
"""Rows of the kernel matrix held at a time."""


def kernel(x: Array, y: Array, degree: int) -> Array:
    """(x y / D + 1)^degree of every row of x [n, D] with every row of y [m, D]; [n, m]."""
    base = x @ (y.T / x.shape[1])
    base += 1
    if degree == 4:  # numpy's power takes ten times as long
        base *= base
        base *= base
        return base
    out = base.copy()
    for _ in range(degree - 1):
        out *= base
    return out


def kid(reference: Any, generated: Any, *, degree: int = 3, permutations: int = 99, seed: int = 0) -> Measurement:
    """Kernel inception distance: the unbiased squared MMD of features under k(x, y) = (x y / D + 1)^degree, all pairs.

    U = mean_(i != j) k(a_i, a_j) + mean_(i != j) k(b_i, b_j) - 2 mean k(a_i, b_j): 0 on average for equal
    distributions at any size, so it may come out negative. The floor is that of random relabellings, with spread z0;
    err^2 = max(v1 - z0^2, z0^2), where v1 = 4 var(own - other)/n + the same of the other sample, with an event's mean
    kernels to its own and to the other sample.

    Args:
        reference: features [n, D]; generated: [m, D].
        degree: of the kernel, 1 or more.

    Raises:
        UserError: a number is not finite, the columns disagree, there are under 2 events, or the degree is below 1.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(1000, 2))
        >>> found = kid(x[:500], x[500:] + 1.0)
        >>> found.above_floor > 5, abs(found.floor) < 3 * found.floor_error
        (True, True)

    Binkowski et al., "Demystifying MMD GANs" (2018, arXiv:1801.01401); Gretton et al. (2012).
    """
    if degree < 1:
        raise UserError(f"expected a degree of at least 1, came {degree}; use 3")
    a, b = columns(reference, generated, 0)
    n, m = len(a), len(b)
    pooled = np.concatenate([a, b])
    draw = np.random.default_rng(seed)
    mine = np.zeros((permutations + 1, n + m), dtype=bool)
    mine[:, :n] = True
    mine[1:] = draw.permuted(mine[1:], axis=1)
    labels = np.concatenate([mine, np.ones((1, n + m))]).T  # the last column sums the whole row
    sums = np.concatenate([kernel(pooled[k : k + ROWS], pooled, degree) @ labels for k in range(0, n + m, ROWS)])
    with_itself = ((pooled**2).mean(1) + 1) ** degree
    total, sums, labels = sums[:, -1:], sums[:, :-1], labels[:, :-1]
    own = (labels * (sums - with_itself[:, None])).sum(0) / (n * (n - 1))
    across = (labels * (total - sums)).sum(0)
    rest = ((1 - labels) * (total - sums - with_itself[:, None])).sum(0) / (m * (m - 1))
    u = own + rest - 2 * across / (n * m)
    to_a, to_b = sums[:, 0], total[:, 0] - sums[:, 0]
    first = (to_a[:n] - with_itself[:n]) / (n - 1) - to_b[:n] / m
    second = (to_b[n:] - with_itself[n:]) / (m - 1) - to_a[n:] / n
    v1 = 4 * first.var(ddof=1) / n + 4 * second.var(ddof=1) / m
    z = float(u[1:].std(ddof=1))
    return Measurement(float(u[0]), float(np.sqrt(max(v1 - z**2, z**2))), float(u[1:].mean()), z, min(n, m))


def kpd(reference: Any, generated: Any, *, permutations: int = 99, seed: int = 0) -> Measurement:
    """Kernel physics distance: `kid` of degree 4 of observables, each over its largest absolute value in the reference.

    Args:
        reference: observables [n, D]; generated: [m, D].

    Raises:
        UserError: as `kid`.

    Kansal et al., "Evaluating generative models in high energy physics" (2023, arXiv:2211.10295).
    """
    a, b = scaled(*columns(reference, generated, 0))
    return kid(a, b, degree=4, permutations=permutations, seed=seed)


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
            _within(x)
            + _within(y)
            - 2 * sum(kernel(x[k : k + ROWS], y, 4).sum() for k in range(0, size, ROWS)) / size**2
        )
    low, middle, high = np.percentile(values, [16.275, 50, 83.725])
    return float(middle), float(high - low) / 2


def _within(x: Array) -> float:
    """Mean kernel of degree 4 over all pairs of different rows."""
    total = 0.0
    for k in range(0, len(x), ROWS):  # the kernel is symmetric: blocks off the diagonal count twice
        total += kernel(x[k : k + ROWS], x[k : k + ROWS], 4).sum() + 2 * kernel(x[k : k + ROWS], x[k + ROWS :], 4).sum()
    return float(total - (((x**2).mean(1) + 1) ** 4).sum()) / (len(x) * (len(x) - 1))
