"""Mixtures of known modes: how many does a generator reach, and how much of what it makes lies in one?"""

from __future__ import annotations

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
    """Modes covered, and the share of samples of high quality (within 3 sigma of the nearest mode).

    Args:
        reference: real points [n, D], which give the floors; generated [m, D].
        centres: of the modes [K, D].
        sigma: standard deviation of a mode along each axis.

    Returns:
        `modes/covered`, its error the spread of the count when the same model is sampled again, and
        `modes/high_quality` with its binomial error.

    Raises:
        UserError: a number is not finite, or points and centres differ in dimension.

    Example:
        >>> points = np.repeat([[0.0, 0.0], [4.0, 0.0]], 500, axis=0)
        >>> modes(points, points[:500], [[0.0, 0.0], [4.0, 0.0]], 0.1)["modes/covered"].value
        1.0

    Srivastava et al., VEEGAN (2017, arXiv:1705.07761); Metz et al., unrolled GANs (2017, arXiv:1611.02163).
    """
    a, b, c = numbers(reference, "the reference"), numbers(generated, "the generated events"), numbers(centres)
    if c.ndim != 2 or not a.shape[1:] == b.shape[1:] == c.shape[1:]:
        raise UserError(f"expected points of {c.shape[-1]} coordinates as of the modes, came {b.shape}; check the data")
    (covered, cover_error), (good, good_error) = _count(b, c, sigma, share, reach)
    (floor, floor_error), (real, real_error) = _count(a, c, sigma, share, reach)
    n = min(len(a), len(b))
    return {
        "modes/covered": Measurement(covered, cover_error, floor, floor_error, n, f"of {len(c)}"),
        "modes/high_quality": Measurement(good, good_error, real, real_error, n),
    }


def _count(
    x: Array, centres: Array, sigma: float, share: float, reach: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    nearest, size = np.empty(len(x), dtype=int), np.empty(len(x))
    for start in range(0, len(x), 8192):
        gaps = np.linalg.norm(x[start : start + 8192, None] - centres[None], axis=2)
        nearest[start : start + 8192], size[start : start + 8192] = gaps.argmin(1), gaps.min(1)
    close = size <= reach * sigma
    n = len(x)
    found = np.bincount(nearest[close], minlength=len(centres))
    chance = binom.sf(np.floor(share * n), n, found / n)  # that this mode is found in another sample
    good = float(close.mean())
    return (float((found > share * n).sum()), float(np.sqrt((chance * (1 - chance)).sum()))), (
        good,
        float(np.sqrt(good * (1 - good) / n)),
    )
