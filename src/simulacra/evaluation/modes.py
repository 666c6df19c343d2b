"""Mixtures of known modes: which does a generator reach, how evenly, how cleanly, and does it stay with them?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binom

from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.measurement import Measurement

SHARE = 0.004
"""A mode counts when more than this share of samples (40 of 10,000) lies within `REACH` sigma of it."""
REACH = 3.0


def modes(
    reference: Any, generated: Any, centres: Any, sigma: float, *, share: float = SHARE, reach: float = REACH
) -> dict[str, Measurement]:
    """Modes covered, the share of samples of high quality (within 3 sigma of the nearest mode), and their balance.

    The balance is the reverse Kullback-Leibler divergence over modes, sum_k q_k log(q_k / p_k) in nats, of the shares
    q of generated and p of real events whose nearest mode is k: log(K / k) where k of K equal modes share everything.
    For equal distributions it is near (K - 1)/2 (1/n + 1/m), its floor.

    Args:
        reference: real points [n, D], which give the floors; generated [m, D].
        centres: of the modes [K, D].
        sigma: standard deviation of a mode along each axis.

    Returns:
        `modes/covered`, its error the spread of the count when the same model is sampled again, `modes/high_quality`
        with its binomial error, and `modes/reverse_kl`. Which modes they are: `visits`.

    Raises:
        UserError: a number is not finite, or points and centres differ in dimension.

    Example:
        >>> points = np.repeat([[0.0, 0.0], [4.0, 0.0]], 500, axis=0)
        >>> modes(points, points[:500], [[0.0, 0.0], [4.0, 0.0]], 0.1)["modes/covered"].value
        1.0

    Srivastava et al., VEEGAN (2017, arXiv:1705.07761); Metz et al., unrolled GANs (2017, arXiv:1611.02163).
    """
    a, b, c = numbers(reference, "the reference"), numbers(generated, "the generated events"), numbers(centres)
    real, made = (_assign(x, c, sigma, reach) for x in (a, b))
    (covered, cover_error), (good, good_error) = _count(*made, len(c), share)
    (floor, floor_error), (best, best_error) = _count(*real, len(c), share)
    n = min(len(a), len(b))
    return {
        "modes/covered": Measurement(covered, cover_error, floor, floor_error, n, f"of {len(c)}"),
        "modes/high_quality": Measurement(good, good_error, best, best_error, n),
        "modes/reverse_kl": _reverse_kl(real[0], made[0], len(c)),
    }


def visits(x: Any, centres: Any, sigma: float, *, reach: float = REACH) -> Array:
    """Which modes: the share of points within `reach` sigma of each, [K]; the rest lies between modes.

    Args:
        x: points [n, D]; centres [K, D].

    >>> visits([[0.0], [0.1], [4.0], [2.0]], [[0.0], [4.0], [8.0]], 0.1).tolist()
    [0.5, 0.25, 0.0]
    """
    points, c = numbers(x, "the points"), numbers(centres, "the centres")
    nearest, close = _assign(points, c, sigma, reach)
    return np.bincount(nearest[close], minlength=len(c)) / len(points)


@dataclass(frozen=True, eq=False)
class Cycling:
    """How a generator went about its modes during training.

    Attributes:
        visits: share of samples in each mode at each time [T, K].
        at_once: modes hit by one snapshot, averaged over snapshots.
        over_time: modes hit by any snapshot.
        index: between a mode's first and last visit (both counted), the share of snapshots that do not hit it; over
            all modes. 0 for a generator that keeps what it has, also while it gains modes one by one or loses them
            for good; near 1 - at_once / over_time for one that goes round and round.
    """

    visits: Array
    at_once: float
    over_time: int
    index: float


def cycling(
    snapshots: Sequence[Any], centres: Any, sigma: float, *, share: float = SHARE, reach: float = REACH
) -> Cycling:
    """Follows a generator from mode to mode over samples that were taken during training.

    Args:
        snapshots: points [n, D] of each time, in order.
        centres: of the modes [K, D].

    Raises:
        UserError: there is no snapshot, a number is not finite, or points and centres differ in dimension.

    Example:
        >>> went = cycling([[[0.0]], [[4.0]], [[0.0]], [[4.0]]], [[0.0], [4.0]], 0.1)
        >>> went.at_once, went.over_time, round(went.index, 2)
        (1.0, 2, 0.33)

    Metz et al., unrolled GANs (2017, arXiv:1611.02163), section 3.1, for the phenomenon.
    """
    if not len(snapshots):
        raise UserError("expected at least one snapshot, came none; keep samples while training")
    table = np.stack([visits(x, centres, sigma, reach=reach) for x in snapshots])
    hit = table > share
    stays = np.maximum.accumulate(hit, 0) & np.maximum.accumulate(hit[::-1], 0)[::-1]  # from first to last visit
    index = 1 - hit.sum() / stays.sum() if stays.any() else 0.0
    return Cycling(table, float(hit.sum(1).mean()), int(hit.any(0).sum()), float(index))


def _assign(x: Array, centres: Array, sigma: float, reach: float) -> tuple[Array, Array]:
    """The nearest mode of each point, and whether it is within reach; both [n]."""
    if centres.ndim != 2 or x.shape[1:] != centres.shape[1:]:
        raise UserError(
            f"expected points of {centres.shape[-1]} coordinates as of the modes, came {x.shape}; check the data"
        )
    nearest, size = np.empty(len(x), dtype=int), np.empty(len(x))
    for start in range(0, len(x), 8192):
        gaps = np.linalg.norm(x[start : start + 8192, None] - centres[None], axis=2)
        nearest[start : start + 8192], size[start : start + 8192] = gaps.argmin(1), gaps.min(1)
    return nearest, size <= reach * sigma


def _count(nearest: Array, close: Array, count: int, share: float) -> tuple[tuple[float, float], tuple[float, float]]:
    n = len(nearest)
    found = np.bincount(nearest[close], minlength=count)
    chance = binom.sf(np.floor(share * n), n, found / n)  # that this mode is found in another sample
    good = float(close.mean())
    return (float((found > share * n).sum()), float(np.sqrt((chance * (1 - chance)).sum()))), (
        good,
        float(np.sqrt(good * (1 - good) / n)),
    )


def _reverse_kl(real: Array, made: Array, count: int) -> Measurement:
    """sum q log(q / p) of generated shares q against real ones p, half an event added to each real mode."""
    n, m = len(real), len(made)
    p = (np.bincount(real, minlength=count) + 0.5) / (n + count / 2)
    q = np.bincount(made, minlength=count) / m
    log = np.log(np.where(q > 0, q, p) / p)
    value = float((q * log).sum())
    floor, null = (count - 1) / 2 * (1 / n + 1 / m), np.sqrt((count - 1) / 2) * (1 / n + 1 / m)
    variance = ((q * log**2).sum() - value**2) / m + ((q**2 / p).sum() - 1) / n
    error = float(np.hypot(np.sqrt(max(variance, 0.0)), null))
    return Measurement(value, error, floor, float(null), min(n, m), "nat")
