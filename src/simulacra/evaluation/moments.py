"""Differences of means and spreads at equal conditions: the sharpest look at one observable, in its own unit."""

from __future__ import annotations

import itertools

import numpy as np

from simulacra.evaluation.arrays import Array, numbers, standardised
from simulacra.evaluation.measurement import Measurement
from simulacra.evaluation.response import resolution_ratio
from simulacra.evaluation.weights import Weights, among, fewest, pooled, summary

SUSPICIOUS = 3.0
"""Standard deviations from which a difference is followed into ranges of the condition."""


def moments(
    name: str,
    reference: Array,
    generated: Array,
    condition: tuple[Array, Array] | None = None,
    unit: str = "",
    condition_unit: str = "",
    ranges: int = 5,
    *,
    weights: Weights = None,
) -> dict[str, Measurement]:
    """`mean/NAME`: mean(generated) - mean(reference) at equal condition; `spread/NAME`: the ratio of spreads.

    What the observable owes to the condition (its mean and its spread at each value) is removed with a fit to both
    samples pooled, so that the tests compare like with like. A mean that differs by three standard deviations is also
    given in `ranges` equally filled ranges, `mean/NAME/10-20GeV`.

    Args:
        reference: [n]; generated [m]; condition ([n], [m]), such as the energies.
        weights: of the reference and of the generated events, each [n], [m] or None.

    Example:
        >>> x = np.tile([0.0, 1.0], 50)
        >>> moments("width", x, x + 1.0, unit="mm")["mean/width"].value
        1.0
    """
    a, b = numbers(reference, name), numbers(generated, name)
    n = len(a)
    both = np.concatenate([a, b])
    at = np.ones(len(both)) if condition is None else np.concatenate([numbers(c) for c in condition])
    free, mean, _ = standardised(both, at, weights=pooled(weights, n, len(b)))
    rest = both - mean
    out = {f"mean/{name}": _shift(rest[:n], rest[n:], unit, weights)}
    if free[:n].std() > 0:
        out[f"spread/{name}"] = resolution_ratio(free[:n], free[n:], weights=weights)
    if condition is not None and abs(out[f"mean/{name}"].above_floor) > SUSPICIOUS / np.sqrt(2):
        edges = np.quantile(at[:n], np.linspace(0, 1, ranges + 1))
        for low, high in itertools.pairwise(edges):
            ours = (at >= low) & ((at < high) | (high == edges[-1]))
            ra, rb = rest[:n][ours[:n]], rest[n:][ours[n:]]
            here = among(weights, ours[:n], ours[n:])
            if fewest(here, len(ra), len(rb)) >= 30:
                out[f"mean/{name}/{low:.3g}-{high:.3g}{condition_unit}"] = _shift(ra, rb, unit, here)
    return out


def _shift(a: Array, b: Array, unit: str, weights: Weights) -> Measurement:
    of_a, of_b = weights or (None, None)
    (mean_a, var_a, n), (mean_b, var_b, m) = summary(a, of_a), summary(b, of_b)
    error, null = np.sqrt(var_a / n + var_b / m), np.sqrt(var_a) * np.sqrt(1 / n + 1 / m)
    return Measurement(float(mean_b - mean_a), float(error), 0.0, float(null), round(min(n, m)), unit)
