"""The squared Frechet distance between features (FID, FPD), and the baseline that any image generator has to beat.

Three numbers of the same distance: `fid` at the samples' size, for tests against its floor; `fid_infinity` and `fpd`
freed of what the size adds, to be printed as a size; `fpd_bootstrap` as published tables have it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import nnls

from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.measurement import Measurement


def frechet(mean_a: Array, cov_a: Array, mean_b: Array, cov_b: Array) -> float:
    """Squared 2-Wasserstein distance of two Gaussians, |m_a - m_b|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2).

    >>> frechet(np.zeros(2), np.eye(2), np.array([3.0, 0.0]), 4 * np.eye(2))
    11.0

    Dowson and Landau (1982); Heusel et al. (2017, arXiv:1706.08500).
    """
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cov_b @ root), 0)).sum()
    return float(((mean_a - mean_b) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * cross)


BLOCK = 375
"""Events among which a feature that one in a hundred has is seen: of a block from which a unit is taken."""


def _distance(a: Array, b: Array) -> float:
    return frechet(a.mean(0), np.cov(a.T).reshape(a.shape[1], -1), b.mean(0), np.cov(b.T).reshape(b.shape[1], -1))


def columns(reference: Any, generated: Any, per_column: int = 2) -> tuple[Array, Array]:
    """Two tables [n, D] and [m, D], with `per_column` times as many rows as columns.

    Raises:
        UserError: they are no such tables, a number is not finite, or there are too few rows.
    """
    a, b = numbers(reference, "the reference"), numbers(generated, "the generated events")
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise UserError(f"expected two tables of the same features, came {a.shape} and {b.shape}; use the same columns")
    if min(len(a), len(b)) < max(per_column * a.shape[1], 2):
        least = max(per_column * a.shape[1], 2)
        raise UserError(f"expected at least {least} events, came {min(len(a), len(b))}; give more events")
    return a, b


def scaled(reference: Array, generated: Array) -> tuple[Array, Array]:
    """Both tables, each column over its largest absolute value in the reference, as FPD and KPD are defined."""
    largest = np.abs(reference).max(0)
    largest[largest == 0] = 1
    return reference / largest, generated / largest


def unit_draws(reference: Array, seed: int, most: int = 16) -> Array:
    """What other references would have done to the units of `scaled`: changes of their logarithms, [draws, blocks, D].

    Each draw deals the reference into blocks (at least three, of about BLOCK events) and takes log(largest) of each
    block, less the mean over blocks. The logarithm of a maximum moves with n, but spreads alike at any n in tails that
    fall as powers, and nearly so in exponential ones (Gumbel 1958): the blocks' spread is that of the whole. Features
    that are large in the same events move together. A block in which a feature is zero says nothing about it.
    """
    draw, blocks = np.random.default_rng(seed), max(min(3, len(reference)), len(reference) // BLOCK)
    out = []
    for _ in range(-(-most // blocks)):
        parts = np.array_split(draw.permutation(np.abs(reference)), blocks)
        largest = np.array([part.max(0) for part in parts])
        seen = largest > 0
        logs = np.log(np.where(seen, largest, 1.0))
        out.append(np.where(seen, logs - logs.sum(0) / np.maximum(seen.sum(0), 1), 0.0))
    return np.array(out)


def fid(
    reference: Any, generated: Any, floor_sample: Any = None, *, blocks: int = 20, permutations: int = 20, seed: int = 0
) -> Measurement:
    """Fréchet inception distance of features [n, D] against [m, D]; it falls as 1/n: compare at equal sizes.

    The floor is the distance of the reference to as many rows of `floor_sample` as were generated, averaged over up to
    five draws; without such rows, of random relabellings of both samples. The error is the jackknife's over blocks of
    events, less what the null adds to it twice: err^2 = max(jack^2 - 2 z^2, 0) + z^2, with z the floor's spread.

    Raises:
        UserError: a number is not finite, or there are fewer than twice as many events as features.
    """
    a, b = columns(reference, generated)
    value = _distance(a, b)
    draw = np.random.default_rng(seed)
    pooled, n = np.concatenate([a, b]), len(a)
    nulls = []
    for _ in range(permutations):
        order = draw.permutation(len(pooled))
        nulls.append(_distance(pooled[order[:n]], pooled[order[n:]]))
    z, floor = float(np.std(nulls, ddof=1)), float(np.mean(nulls))
    if floor_sample is not None and len(floor_sample) >= len(b):
        c = numbers(floor_sample, "the floor sample")
        times = min(5, max(1, len(c) // len(b)))
        order = draw.permutation(len(c))[: times * len(b)].reshape(times, len(b))
        floor = float(np.mean([_distance(a, c[rows]) for rows in order]))
    part_a, part_b = draw.permutation(len(a)) % blocks, draw.permutation(len(b)) % blocks
    left_out = np.array([_distance(a[part_a != k], b[part_b != k]) for k in range(blocks)])
    jack = (blocks - 1) / blocks * float(((left_out - left_out.mean()) ** 2).sum())
    error = np.sqrt(max(jack - 2 * z**2, 0) + z**2)
    return Measurement(value, float(error), floor, z, min(len(a), len(b)))


class _Sums:
    """A sample in blocks: the mean and covariance of any of them together without another look at the events."""

    def __init__(self, x: Array, blocks: int) -> None:
        parts = np.array_split(x, blocks)
        self.n = np.array([len(part) for part in parts])
        self.first = np.array([part.sum(0) for part in parts])
        self.second = np.array([part.T @ part for part in parts])

    def moments(self, chosen: Array) -> tuple[Array, Array]:
        n, mean = self.n[chosen].sum(), self.first[chosen].sum(0) / self.n[chosen].sum()
        return mean, (self.second[chosen].sum(0) - n * np.outer(mean, mean)) / (n - 1)


def _extrapolated(a: _Sums, b: _Sums, chosen: Array) -> float:
    """2 F_n - mean of the F of the four pairs of halves, where blocks of even number are one half."""
    even = np.arange(len(chosen)) % 2 == 0
    halves = [[s.moments(chosen & part) for part in (even, ~even)] for s in (a, b)]
    half = np.mean([frechet(*one, *other) for one in halves[0] for other in halves[1]])
    return 2 * frechet(*a.moments(chosen), *b.moments(chosen)) - float(half)


def fid_infinity(
    reference: Any, generated: Any, *, blocks: int = 20, permutations: int = 20, seed: int = 0
) -> Measurement:
    """FID freed of what the sample's size adds to it, as if of infinitely many events; it may come out negative.

    F_n = F + c/n + ..., so 2 F_n - F_(n/2) = F, with F_(n/2) the mean over the four pairs of halves. It says how large
    the distance is; whether there is one, `fid` and its floor say more sharply. Floor and error are found as there,
    with the floor's spread z from random relabellings.

    Args:
        reference: features [n, D]; generated: [m, D].

    Raises:
        UserError: a number is not finite, or there are fewer than four times as many events as features.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(4000, 3))
        >>> found = fid_infinity(x[:2000], x[2000:] + 1.0)
        >>> abs(found.value - 3) < 4 * found.error
        True

    Chong and Forsyth, "Effectively unbiased FID" (2020, arXiv:1911.07023).
    """
    a, b = columns(reference, generated, 4)
    n, blocks = len(a), 2 * max(2, min(blocks, len(a) // a.shape[1], len(b) // b.shape[1]) // 2)
    draw = np.random.default_rng(seed)
    pooled = np.concatenate([draw.permutation(a), draw.permutation(b)])
    pooled = pooled - pooled.mean(0)  # sums of squares about a far origin would lose digits
    everything = np.ones(blocks, dtype=bool)
    one, other = _Sums(pooled[:n], blocks), _Sums(pooled[n:], blocks)
    value = _extrapolated(one, other, everything)
    left_out = np.array([_extrapolated(one, other, np.arange(blocks) != k) for k in range(blocks)])
    jack = (blocks - 1) / blocks * float(((left_out - left_out.mean()) ** 2).sum())
    nulls = []
    for _ in range(permutations):
        pooled = draw.permutation(pooled)
        nulls.append(_extrapolated(_Sums(pooled[:n], blocks), _Sums(pooled[n:], blocks), everything))
    z = float(np.std(nulls, ddof=1))
    error = np.sqrt(max(jack - 2 * z**2, 0) + z**2)
    return Measurement(value, float(error), float(np.mean(nulls)), z, min(n, len(b)))


def fpd(reference: Any, generated: Any, *, blocks: int = 20, permutations: int = 20, seed: int = 0) -> Measurement:
    """Fréchet physics distance: `fid_infinity` of observables, each over its largest absolute value in the reference.

    The error is that of `fid_infinity`, and that of the units, which are extremes of the reference and never known
    well: the variance of the value between references' units as in `unit_draws`, at these events. Models that are
    judged against one reference share the second; with units known beforehand use `fid_infinity`. Published tables
    quote FPD times 1,000, and from `fpd_bootstrap`.

    Args:
        reference: observables [n, D]; generated: [m, D].

    Raises:
        UserError: as `fid_infinity`.

    Kansal et al., "Evaluating generative models in high energy physics" (2023, arXiv:2211.10295).
    """
    a, b = scaled(*columns(reference, generated, 4))
    found = fid_infinity(a, b, blocks=blocks, permutations=permutations, seed=seed)
    draw, whole = np.random.default_rng(seed), np.ones(2, dtype=bool)
    x, y = draw.permutation(a), draw.permutation(b)
    values = [
        [_extrapolated(_Sums(x * factor, 2), _Sums(y * factor, 2), whole) for factor in np.exp(-draws)]
        for draws in unit_draws(a, seed)
    ]
    of_units = float(np.var(values, axis=1, ddof=1).mean())
    return replace(found, error=float(np.sqrt(found.error**2 + of_units)))


def fpd_bootstrap(
    reference: Any,
    generated: Any,
    *,
    smallest: int = 20_000,
    largest: int = 50_000,
    points: int = 10,
    repeats: int = 20,
    permutations: int = 20,
    seed: int = 42,
) -> Measurement:
    """FPD as the JetNet package defines it: draws with replacement, fitted with F + slope/N to N = infinity.

    Draws with replacement know no more than the sample itself: the fit leads to F_n of the n events that there are,
    bias included, and its error (the fit's) is too small. Published figures are such, at n = 50,000 and more; `fpd` is
    the honest number at any n. Seeded alike, the two programs draw the same events; the fit here is exact, and JetNet's
    stops at its tolerance, now and then some per cent away. The floor is F_n of random relabellings.

    Args:
        reference: observables [n, D]; generated: [m, D].
        smallest: of the sizes N drawn; `points` sizes up to `largest`, equally spaced in 1/N, each `repeats` times.

    Raises:
        UserError: as `fid`.

    Kansal et al. (2023, arXiv:2211.10295); after Chong and Forsyth (2020, arXiv:1911.07023).
    """
    a, b = scaled(*columns(reference, generated))
    sizes = (1 / np.linspace(1.0 / smallest, 1.0 / largest, points)).astype("int32")
    draw = np.random.default_rng(seed)
    values = [np.mean([_redrawn(a, b, size, draw) for _ in range(repeats)]) for size in sizes]
    design = np.stack([np.ones(points), 1 / sizes], axis=1)
    found, residual = nnls(design, np.array(values))
    variance = residual**2 / (points - 2) * np.linalg.inv(design.T @ design)[0, 0]
    pooled, nulls = np.concatenate([a, b]), []
    for _ in range(permutations):
        pooled = draw.permutation(pooled)
        nulls.append(_distance(pooled[: len(a)], pooled[len(a) :]))
    floor, z = float(np.mean(nulls)), float(np.std(nulls, ddof=1))
    return Measurement(float(found[0]), float(np.sqrt(variance)), floor, z, min(len(a), len(b)))


def _redrawn(a: Array, b: Array, size: int, draw: np.random.Generator) -> float:
    """F of `size` rows of each, drawn with replacement: every row counts as often as it was drawn."""
    moments: list[Array] = []
    for rows in [draw.choice(len(x), size=size) for x in (a, b)]:
        x = a if not moments else b
        times = np.bincount(rows, minlength=len(x))
        mean = times @ x / size
        rooted = (x - mean) * np.sqrt(times)[:, None]
        moments += [mean, rooted.T @ rooted / (size - 1)]
    return frechet(*moments)
