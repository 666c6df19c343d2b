"""Fidelity and diversity by nearest neighbours: are generated events where real ones are, and the other way round?"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.distance import cdist

from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.measurement import Measurement

NAMES = ("precision", "recall", "density", "coverage")
PRODUCT = 32
"""Columns from which distances are taken through a matrix product instead of differences."""
UNITS = 6
"""How often the reference is halved to see what its units do."""


def coverage(
    reference: Any, generated: Any, second: Any = None, *, k: int = 5, splits: int = 20, standardise: bool = False,
    seed: int = 0,
) -> dict[str, Measurement]:  # fmt: skip
    """Precision, recall, density and coverage with balls that reach to the k-th nearest neighbour.

    With B(x) the ball around an event that reaches its k-th nearest neighbour in its own sample:

    * `precision`: share of generated events inside some ball of a real event;
    * `recall`: share of real events inside some ball of a generated event;
    * `density`: how many balls of real events hold a generated event, divided by k; 1 where the samples agree;
    * `coverage`: share of real events whose ball holds a generated event; 1 - 2^-k where equally large samples agree.

    They see modes that are missing or invented, and little else: half a per cent on a scale moves none of them.

    Errors come from halves: neighbouring balls overlap, so that binomial errors are too small, but the four numbers of
    two disjoint halves of both samples are independent, and a quarter of their squared difference, averaged over random
    halves, is the variance of the whole. The floor is the mean over random splits of real events into the same two
    sizes, its error their spread. Without `second` the splits are of the reference alone, into smaller parts of the
    same ratio, and their spread is scaled to full size.

    Standardised features have one more error, as their units are the standard deviations of this reference. Taken from
    either half of it, at all events, they give numbers a quarter of whose squared difference, averaged over random
    halves, is the variance that joins the others; tails make it as large as the rest.

    Args:
        reference: features of real events [n, D]; generated [m, D].
        second: other real events [l, D], such as training events; at least m of them give the floor at full size.
        k: neighbours; splits: how often events are split at random.
        standardise: whether to put features in the reference's standard deviations, where they have any.

    Raises:
        UserError: a number is not finite, the columns disagree, or a sample has no k neighbours to offer.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(600, 2))
        >>> half = x[300:][x[300:, 0] > 0]
        >>> found = coverage(x[:300], half)
        >>> found["precision"].value > 0.9, found["recall"].value < 0.7, found["coverage"].value < 0.7
        (True, True, True)

    Kynkäänniemi et al. (2019, arXiv:1904.06991) for precision and recall; Naeem et al. (2020, arXiv:2002.09797) for
    density and coverage.
    """
    a, b = (_table(v, name) for v, name in ((reference, "the reference"), (generated, "the generated events")))
    c = None if second is None else _table(second, "the second sample")
    if len({v.shape[1] for v in (a, b, c) if v is not None}) > 1:
        raise UserError(f"expected features of one width, came {a.shape} and {b.shape}; use the same features")
    if standardise:
        unit = np.where(a.std(0) > 0, a.std(0), 1.0)
        a, b, c = a / unit, b / unit, None if c is None else c / unit
    n, m = len(a), len(b)
    whole = c is not None and len(c) >= m
    pool = np.concatenate([a, c[:m]]) if c is not None and whole else a
    mine = n if whole else round(n * n / (n + m))
    if min(n // 2, m // 2, mine, len(pool) - mine) <= k:
        raise UserError(f"expected more than {k} events on either side and in their halves, came {n} and {m}; use more")
    centre = a.mean(0)
    own, across, other = distances(a - centre), distances(a - centre, b - centre), distances(b - centre)
    value = np.array(_four(own, across, other, k))
    among = distances(pool - centre)
    draw, null = np.random.default_rng(seed), []
    for _ in range(splits):
        order = draw.permutation(len(pool))
        p, q = order[:mine], order[mine:]
        null.append(_four(among[np.ix_(p, p)], among[np.ix_(p, q)], among[np.ix_(q, q)], k))
    halves = np.array([_halves(own, across, other, k, draw) for _ in range(splits)])
    shares = np.clip(value, 0, 1)  # no error below the binomial one; density is no share
    variance = ((halves[:, 0] - halves[:, 1]) ** 2).mean(0) / 4
    variance = np.maximum(variance, shares * (1 - shares) / [m, n, np.inf, n])
    error = np.sqrt(variance + (_of_units(a - centre, b - centre, k, draw) if standardise else 0))
    spread = np.std(null, axis=0, ddof=1) * np.sqrt(mine / n)
    floor = np.mean(null, axis=0)
    return {
        name: Measurement(float(value[i]), float(error[i]), float(floor[i]), float(spread[i]), min(n, m))
        for i, name in enumerate(NAMES)
    }


def _table(values: Any, name: str) -> Array:
    array = numbers(values, name)
    return array.reshape(len(array), -1)


def distances(x: Array, y: Array | None = None) -> Array:
    """Euclidean distances [n, m] between rows of x [n, D] and of y [m, D], or of x with itself; zero means equal.

    >>> distances(np.array([[0.0], [3.0]])).tolist()
    [[0.0, 3.0], [3.0, 0.0]]
    """
    other = x if y is None else y
    if x.shape[1] < PRODUCT:
        return cdist(x, other)
    size, others = (x * x).sum(1), (other * other).sum(1)
    square = size[:, None] + others[None] - 2 * x @ other.T
    square[square < 1e-12 * (size[:, None] + others[None])] = 0.0  # what the product's rounding leaves of equal rows
    if y is None:
        np.fill_diagonal(square, 0.0)
    return np.sqrt(square)


def _halves(own: Array, across: Array, other: Array, k: int, draw: np.random.Generator) -> list[tuple[float, ...]]:
    """The four numbers of two disjoint halves."""
    rows, columns = (np.array_split(draw.permutation(size), 2) for size in across.shape)
    return [
        _four(own[np.ix_(i, i)], across[np.ix_(i, j)], other[np.ix_(j, j)], k)
        for i, j in zip(rows, columns, strict=True)
    ]


def _of_units(a: Array, b: Array, k: int, draw: np.random.Generator) -> Array:
    """Variance of the four numbers through the units, the standard deviations of a."""
    differences = []
    for _ in range(UNITS):
        found = []
        for half in np.array_split(draw.permutation(len(a)), 2):
            spread = a[half].std(0)
            x, y = (v / np.where(spread > 0, spread, 1.0) for v in (a, b))  # in a half without any the unit stays
            found.append(_four(distances(x), distances(x, y), distances(y), k))
        differences.append(np.subtract(*found))
    return (np.array(differences) ** 2).mean(0) / 4


def _four(within: Array, across: Array, other: Array, k: int) -> tuple[float, ...]:
    """Precision, recall, density and coverage; across is [n, m]."""
    reach = np.partition(within, k, axis=1)[:, k] * (1 + 1e-9)  # column 0 of the sorted row is the event itself
    theirs = np.partition(other, k, axis=1)[:, k] * (1 + 1e-9)
    inside = across <= reach[:, None]
    return (
        float(inside.any(0).mean()),
        float((across <= theirs[None]).any(1).mean()),
        float(inside.sum(0).mean() / k),
        float(inside.any(1).mean()),
    )
