"""Weighted events: shares that sum to one, and how many equal events they are worth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from simulacra.batch import Batch
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


def summary(values: Array, weights: Array | None = None) -> tuple[float, float, float]:
    """Mean and variance of [n] weighted values, and how many equal events would know this mean as well.

    The variance of the mean is the second divided by the third; without weights these are the usual three, with n - 1.

    >>> [round(number, 9) for number in summary(np.array([1.0, 3.0, 5.0]), np.full(3, 7.0))]
    [3.0, 4.0, 3.0]
    """
    if weights is None:
        return values.mean(), values.var(ddof=1), len(values)
    share = weights / weights.sum()
    n, mean = effective(share), float(share @ values)
    freedom = 1 - 1 / n if n > 1 else 1.0
    variance, of_mean = float(share @ (values - mean) ** 2) / freedom, variance_of_mean(values, share) / freedom
    return mean, variance, variance / of_mean if of_mean > 0 else n


def pooled(weights: Weights, n: int, m: int) -> Array | None:
    """Weights of both samples one after the other, [n + m]: each sample counts as its effective number of events."""
    if weights is None:
        return None
    return np.concatenate([share * effective(share) for share in shares(weights, n, m)])


def among(weights: Weights, of_reference: Array, of_generated: Array) -> Weights:
    """The weights of some of the events, chosen by masks."""
    if weights is None:
        return None
    a, b = weights
    return None if a is None else a[of_reference], None if b is None else b[of_generated]


def fewest(weights: Weights, n: int, m: int) -> float:
    """Effective events of the smaller of two samples of n and m; 0 where one has no weight at all."""
    a, b = weights or (None, None)
    return min(size if w is None else effective(w) if w.any() else 0.0 for w, size in ((a, n), (b, m)))


def weights_of(reference: Batch, generated: Batch) -> Weights:
    """The weights of two samples for tests; of one of them, or of both, `None` where all are equal.

    Raises:
        UserError: one is negative or not finite, or all are zero.

    >>> events = Batch(torch.zeros(2, 1), weight=torch.tensor([2.0, 2.0]))
    >>> weights_of(events, events) is None
    True
    """
    sides = _held(reference, "the reference"), _held(generated, "the generated events")
    return None if sides[0] is None and sides[1] is None else sides


def _held(batch: Batch, name: str) -> Array | None:
    if batch.weight is None:
        return None
    held = numbers(batch.weight, f"the weights of {name}")
    if held.min() < 0 or held.sum() <= 0:
        count = int((held < 0).sum())
        came = f"{count} of {len(held)} below it" if count else "zeros only"
        raise UserError(f"expected weights of zero or more for {name}, came {came}; average or resample them first")
    return None if held.min() == held.max() else held


def accepted(batch: Batch, seed: int = 0) -> Batch:
    """Events without weights in the place of weighted ones: each is kept with the probability w / max w (von Neumann).

    For what has no weighted form, such as distances to the nearest neighbours.

    >>> len(accepted(Batch(torch.zeros(3, 1), weight=torch.tensor([1.0, 0.0, 1.0]))))
    2
    """
    weights = _held(batch, "these events")
    if weights is None:
        return replace(batch, weight=None)
    kept = np.random.default_rng(seed).random(len(weights)) * weights.max() < weights
    return replace(batch[torch.from_numpy(kept)], weight=None)
