"""Codes as features: what a linear reader with few labels makes of them, and whether their neighbours are alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array


def linear_probe(codes: Any, labels: Any, held: Any, held_labels: Any, *, each: int = 10, times: int = 10) -> float:
    """Accuracy on held-back events of a linear classifier of codes that is told few labels, mean of draws of them.

    Codes are standardised by all of `codes`, for which no label is needed; then a logistic regression with an L2
    penalty (C = 0.3) is fitted to `each` labelled ones of every class. A code that knows nothing has one over the
    number of classes.

    Args:
        codes: [n, D]; labels: [n]; held: [m, D]; held_labels: [m].
        each: labels of each class; times: draws of them, the same for all codes.

    Raises:
        UserError: lengths do not fit, there is one class only, or a class has too few events.

    Example:
        >>> label, noise = np.arange(200) % 2, np.sin(np.arange(200))[:, None]
        >>> linear_probe(label[:, None], label, label[:, None], label)
        1.0
        >>> round(linear_probe(noise, label, noise, label), 1)
        0.5

    Source: Alain and Bengio (2016), arXiv:1610.01644; few labels: Kingma et al. (2014), arXiv:1406.5298.
    """
    z, k, other, told = _checked(codes, labels, held, held_labels)
    kinds, counts = np.unique(k, return_counts=True)
    if len(kinds) < 2 or counts.min() < each or each < 1 or times < 1:
        raise UserError(f"expected two classes or more with {each} events each, came {counts.tolist()}; give more")
    scale = StandardScaler().fit(z)
    unit, beside, right = scale.transform(z), scale.transform(other), []
    for turn in range(times):
        draw = np.random.default_rng(turn)
        rows = np.concatenate([draw.choice(np.flatnonzero(k == c), each, replace=False) for c in kinds])
        right.append(LogisticRegression(C=0.3, max_iter=500).fit(unit[rows], k[rows]).score(beside, told))
    return float(np.mean(right))


def retrieved(codes: Any, held: Any, most: int = 10) -> Array:
    """For each held-back code the rows of the nearest codes, nearest first, [m, most].

    >>> retrieved([[0.0], [1.0], [5.0]], [[4.0]], 2).tolist()
    [[2, 1]]

    Source: Hinton and Salakhutdinov (2006), Science 313, 504.
    """
    if not 1 <= most <= len(codes):
        raise UserError(f"expected 1 to {len(codes)} neighbours, came {most}; give more codes")
    return NearestNeighbors(n_neighbors=most).fit(codes).kneighbors(held, return_distance=False)


def retrieval_precision(rows: Any, labels: Any, held_labels: Any) -> float:
    """Precision at k: the share of retrieved events that are of the class of the one asked for.

    By chance it is `sum_c p_c q_c` with the shares p and q of the classes on both sides.

    Args:
        rows: [m, k] of `retrieved`; labels: [n] of what was searched; held_labels: [m].

    >>> retrieval_precision(retrieved([[0.0], [1.0], [5.0]], [[4.0]], 2), [0, 1, 1], [1])
    1.0
    """
    near, told = np.asarray(labels)[np.asarray(rows)], np.asarray(held_labels)
    if near.ndim != 2 or near.shape[:1] != told.shape:
        raise UserError(f"expected rows [m, k] and a label each, came {near.shape} and {told.shape}; reshape them")
    return float((near == told[:, None]).mean())


def _checked(*parts: Any) -> tuple[Array, Array, Array, Array]:
    z, k, other, told = map(np.asarray, parts)
    fits = z.ndim == other.ndim == 2 and z.shape[1] == other.shape[1]
    if not fits or k.shape != z.shape[:1] or told.shape != other.shape[:1]:
        came = ", ".join(str(part.shape) for part in (z, k, other, told))
        raise UserError(f"expected codes [n, D] with labels [n] and others [m, D] with [m], came {came}; reshape them")
    return z, k, other, told
