"""Optimal transport between samples of any dimension: the plan and its potentials, entropic, and in slices."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import ot
from scipy.spatial.distance import cdist

from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array
from simulacra.evaluation.distances import Pooled
from simulacra.evaluation.kernels import median_distance, rows
from simulacra.evaluation.measurement import Measurement
from simulacra.evaluation.weights import Weights, effective, shares, variance_of_mean

_MOST = 4_000_000
"""Entries of a plan (32 MB)."""


@dataclass(frozen=True, eq=False)
class Coupling:
    """How one sample is carried to another at the least cost.

    Attributes:
        cost: sum_ij plan_ij cost_ij, the Wasserstein-1 distance.
        plan: mass carried from a_i to b_j, [n, m]; its rows sum to the weights of a, its columns to those of b.
        f, g: dual potentials, [n] and [m]: f_i + g_j <= |a_i - b_j|, equal where the plan carries mass.
    """

    cost: float
    plan: Array
    f: Array
    g: Array

    def __repr__(self) -> str:
        return f"Coupling(cost={self.cost:.6g}, plan={list(self.plan.shape)})"


def optimal_transport(reference: Any, generated: Any, *, weights: Weights = None) -> Coupling:
    """Wasserstein-1 or earth mover distance as a linear programme, min sum_ij P_ij |a_i - b_j|: plan and potentials.

    The dual, max sum_i w_i f_i + sum_j v_j g_j, has the same value (Kantorovich); f is what a perfect critic of a
    WGAN would be. For small sets: n m up to 4 million. The cost of finite samples lies high, by about n^(-1/D):
    compare with real against real, or use `sliced_wasserstein`.

    Args:
        reference: [n, ...]; generated: [m, ...].
        weights: of the reference and of the generated events, each [n], [m] or None.

    Raises:
        UserError: a number is not finite, a weight is negative, the events are not alike, or too many.

    Example:
        >>> found = optimal_transport([[0.0, 0.0], [0.0, 1.0]], [[2.0, 1.0], [2.0, 0.0]])
        >>> found.cost, found.plan.tolist()
        (2.0, [[0.0, 0.5], [0.5, 0.0]])

    Kantorovich (1942); Flamary et al., POT (2021).
    """
    a, b = rows(reference, generated)
    of_a, of_b = shares(weights, len(a), len(b))
    plan, log = ot.emd(of_a, of_b, _costs(a, b), numItermax=10_000_000, log=True)
    if log["warning"]:
        raise UserError(
            f"expected a transport plan, came: {log['warning']}; give fewer events, or weights less unequal"
        )
    return Coupling(float(log["cost"]), np.asarray(plan), np.asarray(log["u"]), np.asarray(log["v"]))


def _costs(a: Array, b: Array) -> Array:
    if len(a) * len(b) > _MOST:
        raise UserError(f"expected at most {_MOST} pairs of events, came {len(a)} x {len(b)}; give fewer events")
    return cdist(a, b)


def sinkhorn(
    reference: Any,
    generated: Any,
    epsilon: float = 0.05,
    *,
    weights: Weights = None,
    permutations: int = 19,
    seed: int = 0,
) -> Measurement:
    """Entropic transport cost, min over plans P of sum_ij P_ij |a_i - b_j| + epsilon KL(P || w v), w and v the weights.

    Lies above the Wasserstein-1 distance by epsilon ln n at most, and tends to E|a - b| for large epsilon; what it is
    for equal distributions, its floor, comes from random relabellings. The error joins the spread of the dual
    potentials over both samples to that of the floor.

    Args:
        reference: [n, ...]; generated: [m, ...]; n m up to 4 million.
        epsilon: in units of the median distance of all events.
        weights: of the reference and of the generated events, each [n], [m] or None.

    Raises:
        UserError: a number is not finite, a weight is negative, the events are not alike or too many, or `epsilon` is
            not positive or too small for ten thousand rounds.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(100, 2))
        >>> sinkhorn(x[:50], x[50:] + 3.0).above_floor > 3
        True

    Cuturi (2013, arXiv:1306.0895); del Barrio and Loubes (2019) for the spread of potentials.
    """
    if not epsilon > 0:
        raise UserError(f"expected epsilon above 0, came {epsilon}; use optimal_transport for epsilon 0")
    a, b = rows(reference, generated)
    of_a, of_b = shares(weights, len(a), len(b))
    strength = epsilon * median_distance(a, b)
    value, f, g = _entropic(a, b, of_a, of_b, strength)
    draw, pooled, nulls = np.random.default_rng(seed), np.concatenate([a, b]), []
    for _ in range(permutations):
        dealt = draw.permutation(pooled)
        nulls.append(_entropic(dealt[: len(a)], dealt[len(a) :], of_a, of_b, strength)[0])
    floor, z = float(np.mean(nulls)), float(np.std(nulls, ddof=1))
    error = np.sqrt(variance_of_mean(f, of_a) + variance_of_mean(g, of_b) + z**2)
    return Measurement(value, float(error), floor, z, round(min(effective(of_a), effective(of_b))))


def _entropic(a: Array, b: Array, of_a: Array, of_b: Array, strength: float) -> tuple[float, Array, Array]:
    costs = _costs(a, b)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error", UserWarning)
        try:
            _, log = ot.sinkhorn(of_a, of_b, costs, strength, numItermax=10_000, stopThr=1e-5, log=True)
        except UserWarning:
            raise UserError(
                "expected Sinkhorn to converge, came no end; raise epsilon, or use optimal_transport"
            ) from None
    f, g = (
        strength * np.log(np.maximum(np.asarray(log[side]).ravel(), 1e-300) / np.where(share > 0, share, 1.0))
        for side, share in (("u", of_a), ("v", of_b))
    )
    return float(of_a @ f + of_b @ g), f, g


def directions(dimension: int, count: int, seed: int = 0) -> Array:
    """Unit vectors uniform on the sphere, [count, dimension].

    >>> directions(3, 5).shape
    (5, 3)
    """
    return np.asarray(ot.sliced.get_random_projections(dimension, count, seed)).T


def sliced_wasserstein(
    reference: Any,
    generated: Any,
    projections: int = 50,
    *,
    weights: Weights = None,
    permutations: int = 99,
    seed: int = 0,
) -> Measurement:
    """Sliced Wasserstein-1 distance: the mean of W1 along `projections` random directions, with its floor.

    Its floor is the mean over random relabellings, the same along all directions; compare with it, since the distance
    of finite samples is never zero. A shift by d in D dimensions gives |d| Gamma(D/2) / (sqrt(pi) Gamma((D+1)/2)).

    Args:
        reference: [n, ...]; generated: [m, ...]; standardise columns of different units first.
        projections: all comparisons with one `seed` use the same directions.
        weights: of the reference and of the generated events, each [n], [m] or None.

    Raises:
        UserError: a number is not finite, a weight is negative, or the events are not alike.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(500, 2))
        >>> along = np.abs(directions(2, 50) @ np.array([3.0, 3.0])).mean()
        >>> bool(abs(sliced_wasserstein(x, x + 3.0, permutations=19).value / along - 1) < 1e-6)
        True

    Rabin et al. (2012); Bonneel et al. (2015).
    """
    a, b = rows(reference, generated)
    lines = directions(a.shape[1], projections, seed)
    everything, pulls = np.zeros(permutations + 1), np.zeros(len(a) + len(b))
    for line in lines:
        pooled = Pooled(a @ line, b @ line, seed, permutations, weights)
        everything += pooled.wasserstein / len(lines)
        pulls[pooled.order] += np.concatenate([[0.0], np.cumsum(np.sign(pooled.apart[:-1]) * pooled.gaps)]) / len(lines)
    of_a, of_b = shares(weights, len(a), len(b))
    z = float(everything[1:].std(ddof=1))
    slope = variance_of_mean(pulls[: len(a)], of_a) + variance_of_mean(pulls[len(a) :], of_b)
    error = np.sqrt(max(slope, z**2))  # far away the slope is all there is; near zero it holds the floor's spread
    count = round(min(effective(of_a), effective(of_b)))
    return Measurement(float(everything[0]), float(error), float(everything[1:].mean()), z, count)
