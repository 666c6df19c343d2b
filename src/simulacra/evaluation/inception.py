"""The Inception score of pictures, with a classifier of our own in Inception's place."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import rel_entr

from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.measurement import Measurement


def inception_score(probabilities: Any, reference: Any = None, *, splits: int = 1) -> Measurement:
    """Inception score, exp(mean KL(p(y|x) || p(y))): K for K classes, sure and as frequent; 1 where all look alike.

    err^2 = IS^2 [max(v1 - 2 v0, 0) + v0]: v1 = var(KL)/n, and v0 = tr(M^2)/(2 n^2) is the variance of the KL between
    p(y) and its truth, M_kl = cov(p_k, p_l) / sqrt(p_k p_l); it remains where all KLs are equal, and v1 holds it twice.
    The score falls short by the factor exp(-tr(M)/(2n)), which is not corrected.

    Args:
        probabilities: of each class for each generated picture, [n, K]; rows sum to 1.
        reference: the same of real pictures [m, K], whose score is the floor, from as many as were generated.
        splits: 1 for all pictures at once; 10 with 50,000 pictures for the mean over parts that papers quote (with the
            standard deviation over parts; the error here is that over sqrt(splits)).

    Raises:
        UserError: the rows are no probabilities, or there are fewer than two pictures per split.

    Example:
        >>> print(inception_score(np.eye(4).repeat(100, 0)))
        4.000 ± 0.012 (floor 0.000 ± 0.000)

    Salimans et al., "Improved techniques for training GANs" (2016, arXiv:1606.03498).
    """
    p = _checked(probabilities, "the generated pictures", splits)
    value, error = _score(p, splits)
    if reference is None:
        return Measurement(value, error, n=len(p))
    q = _checked(reference, "the reference", splits)
    floor, floor_error = _score(q[: len(p)], splits)
    return Measurement(value, error, floor, floor_error, min(len(p), len(q)))


def _checked(probabilities: Any, name: str, splits: int) -> Array:
    p = numbers(probabilities, name)
    if p.ndim != 2 or p.min() < 0 or np.abs(p.sum(1) - 1).max() > 1e-4:
        raise UserError(f"expected probabilities [n, classes] of {name}, rows that sum to 1, came others; use softmax")
    if splits < 1 or len(p) < 2 * splits:
        raise UserError(
            f"expected at least {2 * max(splits, 1)} rows of {name}, came {len(p)}; give more or fewer splits"
        )
    return p


def _score(p: Array, splits: int) -> tuple[float, float]:
    scores, variances = np.transpose([_one(part) for part in np.array_split(p, splits)])
    if splits == 1:
        return float(scores[0]), float(scores[0] * np.sqrt(variances[0]))
    return float(scores.mean()), float(scores.std(ddof=1) / np.sqrt(splits))


def _one(p: Array) -> tuple[float, float]:
    """The score and the variance of its logarithm."""
    mean, n = p.mean(0), len(p)
    kl = rel_entr(p, mean).sum(1)
    seen = mean > 0
    spread = np.atleast_2d(np.cov(p[:, seen].T)) / np.sqrt(np.outer(mean[seen], mean[seen]))
    v1, v0 = kl.var(ddof=1) / n, (spread**2).sum() / (2 * n**2)
    return float(np.exp(kl.mean())), float(max(v1 - 2 * v0, 0) + v0)
