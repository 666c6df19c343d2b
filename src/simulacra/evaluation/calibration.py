"""Are stated uncertainties right? Ranks of the truth among draws, their uniformity, and coverage of intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import binom, chi2

from simulacra.batch import Batch, DataSpec, Given
from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.distances import CLEAR
from simulacra.evaluation.likelihood import device_of
from simulacra.evaluation.measurement import Measurement
from simulacra.evaluation.views import observed
from simulacra.protocols import Codec, Observable, Sampler
from simulacra.random import draws as seeded
from simulacra.random import seed_of

LEVELS = (0.5, 0.68, 0.9, 0.95)


def conditional_draws(
    model: Sampler, codec: Codec, given: Given, count: int, *, seed: int = 0, block: int = 8192
) -> torch.Tensor:
    """`count` physical events at each of n conditions, [n, count, *event]: draws of a posterior, where x is asked for.

    Args:
        given: physical conditions, [n, ...] each.

    Raises:
        UserError: there is no condition.
    """
    if not given:
        raise UserError("expected at least one condition, came none; draw events with generate instead")
    many = {name: value.repeat_interleave(count, 0) for name, value in given.items()}
    total, out = len(next(iter(many.values()))), []
    for k, start in enumerate(range(0, total, block)):
        here = {name: value[start : start + block].to(device_of(model)) for name, value in many.items()}
        with seeded(seed_of(seed, "posterior", k)), torch.no_grad():
            made = model.sample(min(block, total - start), codec.encode_given(here))
            out.append(codec.decode(Batch(made.x, here)).x.cpu())
    x = torch.cat(out)
    return x.view(total // count, count, *x.shape[1:])


def of_observables(
    model: Sampler, codec: Codec, events: Batch, spec: DataSpec, observables: Sequence[Observable], *, count: int = 9,
    seed: int = 0,
) -> dict[str, Measurement]:  # fmt: skip
    """Is the spread that a model gives to an observable at one condition the right one? `calibration/NAME` of each.

    Every real event is ranked among `count` events made at its own conditions; the value is the share whose `pit` lies
    in the central 68 %. If the model is right at every condition the floor, 0.68, is exact for any `count`; the share
    is smaller for a model that is too narrow or off at equal conditions, larger for one that is too wide. Errors that
    cancel on average over the conditions do not show.

    Args:
        events: real events [n] with physical conditions and no weights.

    Raises:
        UserError: there is no condition, an observable is not finite, or events carry weights.

    Talts et al. (2018, arXiv:1804.06788); Gneiting, Balabdaoui and Raftery (2007).
    """
    if events.weight is not None:
        raise UserError("expected events without weights, came weighted ones; ranks have no weights, so resample them")
    given = {name: events.given[name] for name in spec.given}
    drawn = conditional_draws(model, codec, given, count, seed=seed)
    many = {name: value.repeat_interleave(count, 0) for name, value in given.items()}
    made = observed(Batch(drawn.flatten(0, 1), many), spec, observables)
    out = {}
    for name, (truth, _) in observed(events, spec, observables).items():
        u = pit(made[name][0].reshape(-1, count), truth, seed=seed_of(seed, name))
        out[f"calibration/{name}"] = calibration(u, (0.68,))["coverage/68"]
    return out


def ranks(draws: Any, truth: Any, *, seed: int = 0) -> Array:
    """How many of K draws lie below the truth, 0 to K; [n] integers, ties broken at random.

    Simulation-based calibration: with truths from the prior, data from the simulator at these truths, and draws from
    the posterior at these data, ranks are uniform on 0 to K whatever the prior, exactly and only if the posterior is
    right on average over the prior.

    Args:
        draws: [n, K] of one parameter (or one number of an event); truth: [n].

    Raises:
        UserError: the shapes do not fit, or a number is not finite.

    Example:
        >>> ranks([[1.0, 2.0, 3.0]], [2.5]).tolist()
        [2]

    Talts et al., "Validating Bayesian inference algorithms with simulation-based calibration" (2018, arXiv:1804.06788).
    """
    a, b = numbers(draws, "the draws"), numbers(truth, "the truth")
    if a.ndim != 2 or b.shape != a.shape[:1]:
        raise UserError(
            f"expected draws [n, K] and truth [n], came {a.shape} and {b.shape}; judge parameters one by one"
        )
    below, equal = (a < b[:, None]).sum(1), (a == b[:, None]).sum(1)
    return below + np.random.default_rng(seed).integers(0, equal + 1)


def pit(draws: Any, truth: Any, *, seed: int = 0) -> Array:
    """Probability integral transform u = (rank + v) / (K + 1), v uniform in [0, 1): exactly uniform if calibrated; [n].

    Randomising inside the rank keeps this exact for any K and for numbers that repeat. Where the predictive
    distribution function F is known, u = F(truth) goes into the same tests.

    >>> bool(0.5 <= pit([[1.0, 2.0, 3.0]], [2.5])[0] < 0.75)
    True

    Dawid (1984); Gneiting, Balabdaoui and Raftery (2007).
    """
    rank = ranks(draws, truth, seed=seed)
    jitter = np.random.default_rng(seed_of(seed, "pit")).random(len(rank))
    return (rank + jitter) / (np.shape(draws)[1] + 1)


def calibration(u: Any, levels: Sequence[float] = LEVELS) -> dict[str, Measurement]:
    """Every look at the uniformity of u: coverage, position, spread, Kolmogorov-Smirnov distance.

    Returns:
        `coverage/68`: share of truths inside the central 68 % interval, |u - 1/2| < 0.34; below its floor for
        posteriors that are too narrow. `pit/mean`: 1/2, larger where draws lie below the truth. `pit/spread`:
        sd(u) sqrt(12), 1 if calibrated, larger for posteriors that are too narrow. `pit/ks`: max |F(u) - u|. The
        floors are what uniform numbers give, with their spread at this n.

    Raises:
        UserError: a number lies outside 0 to 1, or a level does.

    Example:
        >>> found = calibration((np.arange(1000) + 0.5) / 1000)
        >>> print(found["coverage/90"])
        0.900 ± 0.009 (floor 0.900 ± 0.009)
    """
    values = _unit(u)
    n = len(values)
    out = {}
    for level in levels:
        if not 0 < level < 1:
            raise UserError(f"expected levels between 0 and 1, came {level}; such as 0.68")
        share = float((np.abs(values - 0.5) < level / 2).mean())
        out[f"coverage/{100 * level:g}"] = Measurement(
            share, np.sqrt(share * (1 - share) / n), level, np.sqrt(level * (1 - level) / n), n
        )
    spread = float(values.std() * np.sqrt(12))
    kurtosis = float(((values - values.mean()) ** 4).mean() / values.var() ** 2) if spread > 0 else 1.0
    mean_error, spread_error = values.std() / np.sqrt(n), spread * np.sqrt((kurtosis - 1) / (4 * n))
    out["pit/mean"] = Measurement(float(values.mean()), float(mean_error), 0.5, float(1 / np.sqrt(12 * n)), n)
    out["pit/spread"] = Measurement(spread, float(spread_error), 1.0, float(np.sqrt(0.2 / n)), n)  # kurtosis 9/5
    out["pit/ks"] = _kolmogorov(np.sort(values))
    return out


@dataclass(frozen=True)
class Histogram:
    """Counts of u in equal bins, with the band that calibrated ones stay in.

    Attributes:
        counts: [bins]; expected: events per bin.
        band: smallest and largest count of a bin, in which all bins lie together with the stated confidence.
        chi_square: sum (counts - expected)^2 / expected; its floor is its mean, bins - 1.
        p: probability of a larger chi-square for uniform u.
    """

    counts: Array
    expected: float
    band: tuple[float, float]
    chi_square: Measurement
    p: float

    @property
    def outside(self) -> list[int]:
        """The bins that leave the band."""
        low, high = self.band
        return np.flatnonzero((self.counts < low) | (self.counts > high)).tolist()


def histogram(u: Any, bins: int = 20, confidence: float = 0.95) -> Histogram:
    """The rank histogram of simulation-based calibration, with Pearson's chi-square and a band.

    Too narrow posteriors make it a valley, too wide ones a hill, biased ones a slope. The band is binomial at
    1 - (1 - confidence) / bins in each bin (Bonferroni). The error of chi-square joins its null spread to the
    slope's part, 2 k + max(4 n var_q(q/p - 1) - 4 k, 0) with k = bins - 1 and the shares q observed, p expected.

    Raises:
        UserError: a number lies outside 0 to 1, or fewer than five events are expected per bin.

    Example:
        >>> found = histogram((np.arange(200) + 0.5) / 200, bins=10)
        >>> found.counts.tolist() == [20] * 10, found.chi_square.value, found.outside
        (True, 0.0, [])

    Talts et al. (2018, arXiv:1804.06788).
    """
    values = _unit(u)
    n = len(values)
    if bins < 2 or n < 5 * bins:
        raise UserError(f"expected at least 2 bins and five events in each, came {n} in {bins}; use fewer bins")
    counts = np.bincount(np.minimum((values * bins).astype(int), bins - 1), minlength=bins)
    expected, free = n / bins, bins - 1
    value = float(((counts - expected) ** 2 / expected).sum())
    ratio, share = counts / expected, counts / n
    slope = 4 * n * float(share @ (ratio - share @ ratio) ** 2)
    error = np.sqrt(2 * free + max(slope - 4 * free, 0))
    tail = (1 - confidence) / bins / 2
    band = float(binom.ppf(tail, n, 1 / bins)), float(binom.isf(tail, n, 1 / bins))
    measured = Measurement(value, float(error), float(free), float(np.sqrt(2 * free)), n)
    return Histogram(counts, expected, band, measured, float(chi2.sf(value, free)))


def _unit(u: Any) -> Array:
    values = numbers(u, "the transforms")
    if values.ndim != 1 or values.min() < 0 or values.max() > 1:
        raise UserError("expected numbers from 0 to 1, one per event, came others; take them from pit")
    return values


def _kolmogorov(ordered: Array) -> Measurement:
    n = len(ordered)
    above, below = np.arange(1, n + 1) / n - ordered, ordered - np.arange(n) / n
    gaps = np.maximum(above, below)
    at = int(gaps.argmax())
    mean = math.sqrt(math.pi / 2) * math.log(2)  # of Kolmogorov's law
    floor, spread = mean / math.sqrt(n), math.sqrt(math.pi**2 / 12 - mean**2) / math.sqrt(n)
    share = (at + 1) / n if above[at] >= below[at] else at / n
    clear = gaps[at] > CLEAR * floor
    return Measurement(float(gaps[at]), np.sqrt(share * (1 - share) / n) if clear else spread, floor, spread, n)
