"""Weighted events: shares that sum to one, and how many equal events they are worth."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array, numbers

Weights = tuple[Any, Any] | None
"""Weights of the reference and of the generated events; None stands for equal ones, in either place or for both."""


def shares(weights: Weights, n: int, m: int) -> tuple[Array, Array]:
    """The weights of both samples, each divided by its sum, [n] and [m].

    Raises:
        UserError: a weight is negative or not finite, all are zero, or there is not one for each event.

    >>> shares((None, [1.0, 3.0]), 2, 2)
    (array([0.5, 0.5]), array([0.25, 0.75]))
    """
    if weights is not None and (not isinstance(weights, tuple) or len(weights) != 2):
        raise UserError("expected weights as (of the reference, of the generated events); put None for equal ones")
    first, second = weights or (None, None)
    return _share(first, n, "the reference"), _share(second, m, "the generated events")


def _share(weights: Any, n: int, name: str) -> Array:
    if weights is None:
        return np.full(n, 1 / n)
    held = numbers(weights, f"the weights of {name}")
    if held.shape != (n,):
        raise UserError(f"expected {n} weights of {name}, came the shape {held.shape}; give one for each event")
    if held.min() < 0 or held.sum() <= 0:
        raise UserError(f"expected weights of {name} that are not negative and not all zero; leave such events out")
    return held / held.sum()


def effective(share: Array) -> float:
    """How many equal events are as precise: (sum w)^2 / sum w^2 (Kish 1965).

    >>> effective(np.array([0.25, 0.25, 0.5])).__round__(2)
    2.67
    """
    return float(share.sum() ** 2 / (share**2).sum())


def variance_of_mean(values: Array, share: Array) -> float:
    """Variance of the weighted mean of [n] values, sum w^2 (v - mean)^2: var / n where weights are equal."""
    return float((share**2 * (values - share @ values) ** 2).sum())
