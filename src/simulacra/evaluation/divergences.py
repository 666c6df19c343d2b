"""Divergences of probability vectors, exactly, and of samples in common bins, without their bias."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import rel_entr

from simulacra.errors import UserError, nearest
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.distances import Histograms
from simulacra.evaluation.measurement import Measurement
from simulacra.evaluation.weights import Weights


def kullback_leibler(p: Any, q: Any) -> float:
    """Kullback-Leibler divergence, KL(p || q) = sum_k p_k ln(p_k / q_k), in nats; infinite where q lacks what p has.

    Args:
        p: [K]; q: [K], shares that sum to one.

    Raises:
        UserError: the shares are negative, do not sum to one, or are not as many.

    >>> kullback_leibler([0.5, 0.5], [0.25, 0.75]).__round__(4)
    0.1438
    >>> kullback_leibler([1.0, 0.0], [0.0, 1.0])
    inf

    Kullback and Leibler (1951).
    """
    return float(rel_entr(*_vectors(p, q)).sum())


def jensen_shannon(p: Any, q: Any) -> float:
    """Jensen-Shannon divergence, 1/2 KL(p || m) + 1/2 KL(q || m) with m = (p + q)/2, in nats; ln 2 where disjoint.

    Args:
        p: [K]; q: [K], shares that sum to one.

    Raises:
        UserError: the shares are negative, do not sum to one, or are not as many.

    >>> jensen_shannon([1.0, 0.0], [0.0, 1.0]).__round__(4)
    0.6931

    Lin (1991); with both halves, so that a discriminator's best value is 2 JS - 2 ln 2 (Goodfellow et al. 2014,
    arXiv:1406.2661).
    """
    p, q = _vectors(p, q)
    middle = (p + q) / 2
    return float(rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / 2


def total_variation(p: Any, q: Any) -> float:
    """Total variation, 1/2 sum_k |p_k - q_k|: the largest difference in the probability of any event; 1 where disjoint.

    Args:
        p: [K]; q: [K], shares that sum to one.

    Raises:
        UserError: the shares are negative, do not sum to one, or are not as many.

    >>> total_variation([0.5, 0.5], [0.25, 0.75])
    0.25
    """
    p, q = _vectors(p, q)
    return float(np.abs(p - q).sum() / 2)


def chi_square(p: Any, q: Any) -> float:
    """Pearson's chi-square divergence, sum_k (p_k - q_k)^2 / q_k; infinite where q lacks what p has.

    Args:
        p: [K]; q: [K], shares that sum to one.

    Raises:
        UserError: the shares are negative, do not sum to one, or are not as many.

    >>> chi_square([0.5, 0.5], [0.25, 0.75]).__round__(4)
    0.3333

    Pearson (1900).
    """
    p, q = _vectors(p, q)
    if np.any((q == 0) & (p > 0)):
        return float("inf")
    return float(np.divide((p - q) ** 2, q, out=np.zeros_like(p), where=q > 0).sum())


def _vectors(p: Any, q: Any) -> tuple[Array, Array]:
    out = numbers(p, "the first shares"), numbers(q, "the second shares")
    if out[0].ndim != 1 or out[0].shape != out[1].shape:
        raise UserError(
            f"expected two equally long vectors, came the shapes {out[0].shape} and {out[1].shape}; bin alike"
        )
    for shares in out:
        if shares.min() < 0 or abs(shares.sum() - 1) > 1e-6:
            raise UserError(
                f"expected shares from 0 that sum to 1, came {shares.min():.3g} to {shares.max():.3g} with the sum "
                f"{shares.sum():.6g}; divide counts by their sum"
            )
    return out


# Every one is sum_k q phi(p / q) with a convex phi. The derivatives by p and by q at each bin, and the second ones,
# phi'' / q and t^2 phi'' / q for t = p / q), are called for bins that both samples fill.
_Derivatives = Callable[[Array, Array], tuple[Array, Array, Array, Array]]


def _of_kl(p: Array, q: Array) -> tuple[Array, Array, Array, Array]:
    return np.log(p / q) + 1, -p / q, 1 / p, p / q**2


def _of_js(p: Array, q: Array) -> tuple[Array, Array, Array, Array]:
    both = p + q
    return np.log(2 * p / both) / 2, np.log(2 * q / both) / 2, q / (2 * p * both), p / (2 * q * both)


def _of_variation(p: Array, q: Array) -> tuple[Array, Array, Array, Array]:
    sign, zero = np.sign(p - q) / 2, np.zeros_like(p)
    return sign, -sign, zero, zero


def _of_chi_square(p: Array, q: Array) -> tuple[Array, Array, Array, Array]:
    return 2 * (p / q - 1), 1 - (p / q) ** 2, 2 / q, 2 * p**2 / q**3


_KINDS: dict[str, tuple[Callable[[Any, Any], float], _Derivatives, float]] = {  # with phi''(1)
    "kl": (kullback_leibler, _of_kl, 1.0),
    "js": (jensen_shannon, _of_js, 0.25),
    "total_variation": (total_variation, _of_variation, 0.0),
    "chi_square": (chi_square, _of_chi_square, 2.0),
}


def divergence(
    reference: Any, generated: Any, kind: str = "js", count: int = 20, *, weights: Weights = None
) -> Measurement:
    """A divergence of two samples in equally filled bins of the reference; p is the reference, q the generated.

    `kl`, `js` and `chi_square` are curved, so finite samples raise them by 1/2 sum_k [D_pp p(1-p)/(n-1) +
    D_qq q(1-q)/(m-1)]; this is removed. What real against real gives is then 0 with the spread
    phi''(1)/2 sqrt(2(K-1)) (1/n + 1/m), phi'' = 1, 1/4, 2. `total_variation` has a cusp instead, and keeps its floor,
    sum_k sqrt(p (1/n + 1/m) / (2 pi)). The error joins the slope's part, D_p^2 and D_q^2 averaged over events, to it.
    `kl` and `chi_square` are infinite where the generated events leave a bin empty.

    Args:
        reference: [n]; generated: [m].
        kind: kl, js, total_variation or chi_square.
        count: bins; fewer where the reference has less than five events for each.
        weights: of the reference and of the generated events, each [n], [m] or None.

    Raises:
        UserError: a number is not finite, a weight is negative, or there is no such divergence.

    Example:
        >>> print(divergence(np.arange(100.0), np.arange(200.0, 300.0)))
        0.69 ± 0.00 nat (floor 0.00 ± 0.02)

    Paninski, "Estimation of entropy and mutual information" (2003), for the bias; Nowozin et al. (2016,
    arXiv:1606.00709) for f-divergences.
    """
    if kind not in _KINDS:
        raise UserError(f"expected a divergence, came {kind!r}; {nearest(kind, _KINDS)}")
    exact, derivatives, curvature = _KINDS[kind]
    held = Histograms.fill(reference, generated, count, weights)
    unit = "nat" if kind in ("kl", "js") else ""
    value = exact(held.p, held.q)
    noise_p, noise_q = held.noise()
    if kind == "total_variation":
        middle = np.sqrt(noise_p + noise_q)
        floor, v0 = float(middle.sum() / np.sqrt(2 * np.pi)), float((1 - 2 / np.pi) / 4 * (middle**2).sum())
    else:
        floor, v0 = 0.0, 4 * curvature**2 * held.null()
    if held.disjoint or not np.isfinite(value):
        return Measurement(value, 0.0, floor, float(np.sqrt(v0)), held.smaller, unit)
    # half an event more in each bin keeps the derivatives of nearly empty ones within bounds
    slope_p, slope_q, bend_p, bend_q = derivatives(held.p + 0.5 / held.n, held.q + 0.5 / held.m)
    value -= 0.5 * float((bend_p * noise_p + bend_q * noise_q).sum())
    v1 = held.variance(slope_p, slope_q)
    error = np.sqrt(max(v1, v0) if kind == "total_variation" else max(v1 - 2 * v0, 0) + v0)
    return Measurement(value, float(error), floor, float(np.sqrt(v0)), held.smaller, unit)
