"""The area under the ROC curve, and the information, of two sets of scores."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata
from sklearn.isotonic import IsotonicRegression

from simulacra.evaluation.arrays import Array
from simulacra.evaluation.weights import Weights, effective, shares, summary


def area(real: Array, generated: Array, weights: Weights = None) -> tuple[float, float]:
    """Area under the ROC curve of a score, P(generated > real) + P(equal)/2, and its variance.

    Var = var(placements of generated)/m + var(placements of real)/n (DeLong, DeLong and Clarke-Pearson 1988).
    Placements are shares of the other sample's weight, their means weighted.

    >>> area(np.array([0.0, 1.0]), np.array([2.0, 3.0]))
    (1.0, 0.0)
    """
    n, m = len(real), len(generated)
    if weights is not None:
        of_a, of_b = shares(weights, n, m)
        placed = _below(generated, real, of_a), 1 - _below(real, generated, of_b)
        (value, var_b, m), (_, var_a, n) = summary(placed[0], of_b), summary(placed[1], of_a)
        return float(value), float(var_b / m + var_a / n)
    both = rankdata(np.concatenate([real, generated]))
    below_generated = (both[n:] - rankdata(generated)) / n
    above_real = 1 - (both[:n] - rankdata(real)) / m
    variance = below_generated.var(ddof=1) / m + above_real.var(ddof=1) / n
    return float(below_generated.mean()), float(variance)


def _below(at: Array, sample: Array, share: Array) -> Array:
    """The share of a sample's weight below each value, and half of that at it."""
    order = np.argsort(sample)
    total = np.concatenate([[0.0], np.cumsum(share[order])])
    low, high = (total[np.searchsorted(sample[order], at, side=side)] for side in ("left", "right"))
    return (low + high) / 2


def information(real: Array, generated: Array, weights: Weights = None) -> tuple[float, float]:
    """1 - BCE / log 2 of calibrated scores, and its variance; every other event calibrates the rest, in turn."""
    losses: list[list[Array]] = [[], []]
    halves = [(real[::2], generated[::2]), (real[1::2], generated[1::2])]
    of_a, of_b = shares(weights, len(real), len(generated))
    parts = [(of_a[k::2] / of_a[k::2].sum() / 2, of_b[k::2] / of_b[k::2].sum() / 2) for k in (0, 1)]
    for taught, asked, share in zip(halves, halves[::-1], parts, strict=True):
        least = 1 / (min(map(effective, share)) + 2)  # no event is certain after so few
        curve = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip")
        truth = np.repeat([False, True], [len(side) for side in taught])
        curve.fit(np.concatenate(taught), truth, sample_weight=np.concatenate(share))
        losses[0].append(-np.log2(1 - curve.predict(asked[0])))
        losses[1].append(-np.log2(curve.predict(asked[1])))
    a, b = (np.concatenate(part) for part in losses)
    (mean_a, var_a, n), (mean_b, var_b, m) = (
        summary(v, None if w is None else np.concatenate([w[1::2], w[::2]]))
        for v, w in zip((a, b), weights or (None, None), strict=True)
    )
    return float(1 - mean_a / 2 - mean_b / 2), float(var_a / n + var_b / m) / 4
