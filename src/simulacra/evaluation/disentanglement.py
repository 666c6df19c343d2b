"""Codes against known factors: is each factor one number of the code, and no other?"""

from __future__ import annotations

from typing import Any

import numpy as np

from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.measurement import Measurement

GROUPS = 10
"""Of the jackknife, and relabellings of the floor."""
BINS = 20
FEWEST = GROUPS * BINS
"""Rows that are enough for so many bins."""


def mutual_information_gap(codes: Any, factors: Any, *, bins: int = BINS, seed: int = 0) -> Measurement:
    """How much more of each factor the number of the code that knows most of it knows than the next one (MIG).

    `mean_k (I(z_a; v_k) - I(z_b; v_k)) / H(v_k)` with a and b the two numbers that know most of factor k: 1 where each
    factor is one number of the code, 0 where it is spread over several or not in the code. Mutual informations are
    those of equally filled bins; their bias, about (bins - 1)^2 / 2n nats for each pair, hardly enters the gap.

    The error is that of a jackknife of ten groups of rows; the floor is the gap of codes beside the factors of other
    rows, mean and spread of ten relabellings.

    Args:
        codes: [n, D] with D of at least 2: means of q(z | x), or draws of it as in the source.
        factors: [n, K] from which the events were made, independent; classes or numbers.
        bins: for each number; what has fewer values keeps them.

    Raises:
        UserError: shapes do not fit, a number is not finite, there are fewer than `GROUPS * bins` rows, or a factor
            never varies.

    Example:
        >>> v = np.random.default_rng(0).uniform(size=(2000, 2))
        >>> turned = v @ [[1, 1], [-1, 1]]
        >>> round(mutual_information_gap(v, v).value, 1), round(mutual_information_gap(turned, v).value, 1)
        (1.0, 0.0)

    Chen et al. (2018), arXiv:1802.04942.
    """
    z, v = numbers(codes, "the codes"), numbers(factors, "the factors")
    if z.ndim != 2 or v.ndim != 2 or len(z) != len(v) or z.shape[1] < 2:
        raise UserError(f"expected codes [n, D >= 2] and factors [n, K], came {z.shape} and {v.shape}; reshape them")
    if len(z) < GROUPS * bins:
        raise UserError(f"expected at least {GROUPS * bins} rows for {bins} bins, came {len(z)}; give more events")
    if (np.ptp(v, axis=0) == 0).any():
        raise UserError("expected factors that vary, came one that never does; leave it out")
    left, right = (np.stack([_binned(column, bins) for column in table.T]) for table in (z, v))
    value = _gap(left, right)
    draw = np.random.default_rng(seed)
    group = draw.permutation(len(z)) % GROUPS
    without = np.array([_gap(left[:, group != g], right[:, group != g]) for g in range(GROUPS)])
    error = np.sqrt((GROUPS - 1) / GROUPS * ((without - without.mean()) ** 2).sum())
    chance = np.array([_gap(left, right[:, draw.permutation(len(z))]) for _ in range(GROUPS)])
    return Measurement(value, float(error), float(chance.mean()), float(chance.std(ddof=1)), len(z))


def _binned(x: Array, bins: int) -> Array:
    """Which of the equally filled bins each number is in, or which of its values it has where those are few."""
    values, which = np.unique(x, return_inverse=True)
    if len(values) <= bins:
        return which
    return np.searchsorted(np.quantile(x, np.arange(1, bins) / bins), x, side="right")


def _gap(codes: Array, factors: Array) -> float:
    """Of bins [D, n] and [K, n]."""
    gaps = []
    for v in factors:
        share = np.bincount(v) / len(v)
        entropy = -np.sum(share[share > 0] * np.log(share[share > 0]))
        known = np.sort([_information(z, v) for z in codes])
        gaps.append((known[-1] - known[-2]) / entropy)
    return float(np.mean(gaps))


def _information(a: Array, b: Array) -> float:
    """The mutual information of two columns of bins, in nats."""
    width = int(b.max()) + 1
    joint = np.bincount(a * width + b, minlength=(int(a.max()) + 1) * width).reshape(-1, width) / len(a)
    product = joint.sum(1, keepdims=True) * joint.sum(0)
    held = joint > 0
    return float(np.sum(joint[held] * np.log(joint[held] / product[held])))
