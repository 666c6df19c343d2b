"""Differences of means and spreads at equal conditions: the sharpest look at one observable, in its own unit."""

from __future__ import annotations

import itertools

import numpy as np

from simulacra.evaluation.arrays import Array, numbers, standardised
from simulacra.evaluation.measurement import Measurement
from simulacra.evaluation.response import resolution_ratio

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
) -> dict[str, Measurement]:
    """`mean/NAME`: mean(generated) - mean(reference) at equal condition; `spread/NAME`: the ratio of spreads.

    What the observable owes to the condition (its mean and its spread at each value) is removed with a fit to both
    samples pooled, so that the tests compare like with like. A mean that differs by three standard deviations is also
    given in `ranges` equally filled ranges, `mean/NAME/10-20GeV`.

    Args:
        reference: [n]; generated [m]; condition ([n], [m]), such as the energies.

    Example:
        >>> x = np.tile([0.0, 1.0], 50)
        >>> moments("width", x, x + 1.0, unit="mm")["mean/width"].value
        1.0
    """
    a, b = numbers(reference, name), numbers(generated, name)
    n = len(a)
    both = np.concatenate([a, b])
    at = np.ones(len(both)) if condition is None else np.concatenate([numbers(c) for c in condition])
    free, mean, _ = standardised(both, at)
    rest = both - mean
    out = {f"mean/{name}": _shift(rest[:n], rest[n:], unit)}
    if free[:n].std() > 0:
        out[f"spread/{name}"] = resolution_ratio(free[:n], free[n:])
    if condition is not None and abs(out[f"mean/{name}"].above_floor) > SUSPICIOUS / np.sqrt(2):
        edges = np.quantile(at[:n], np.linspace(0, 1, ranges + 1))
        for low, high in itertools.pairwise(edges):
            ours = (at >= low) & ((at < high) | (high == edges[-1]))
            ra, rb = rest[:n][ours[:n]], rest[n:][ours[n:]]
            if min(len(ra), len(rb)) >= 30:
                out[f"mean/{name}/{low:.3g}-{high:.3g}{condition_unit}"] = _shift(ra, rb, unit)
    return out


def _shift(a: Array, b: Array, unit: str) -> Measurement:
    error = np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
    null = a.std(ddof=1) * np.sqrt(1 / len(a) + 1 / len(b))
    return Measurement(float(b.mean() - a.mean()), float(error), 0.0, float(null), min(len(a), len(b)), unit)
