"""Are the errors of metrics the spread of repetitions, and their floors what equal sets give?

A case draws two samples, from one distribution or from two, and measures. Showers are drawn anew from the pool in every
repetition; points, pictures, densities and chains from laws that are known (`metrics_laws`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from metrics_laws import (
    Draw,
    Found,
    classes,
    densities,
    grid,
    histograms,
    inverted,
    latents,
    networks,
    pictures,
    posteriors,
    weights,
)
from metrics_measured import Measure, many_numbers, of_events, one_number, seen_by_classifiers
from metrics_showers import Pool, Sample, plain

from simulacra.evaluation.arrays import Array
from simulacra.evaluation.frechet import fid_infinity
from simulacra.evaluation.kid import kid
from simulacra.random import seed_of

REPETITIONS, FEWER = 100, 20


NEAR, SHIFT, FAR, FARTHER = 1.005, 1.02, 1.05, 1.30
"""Factors on the energies: for the battery, metrics of one number, of all observables, a network on cells."""


SHARE = 0.05
"""Of events that are copies."""


@dataclass(frozen=True)
class Case:
    """One or more metrics.

    Attributes:
        measure: pool, random generator, and whether the samples differ -> measurements.
        repetitions: how often.
        what: the data and how the shifted ones differ, in words.
    """

    measure: Callable[[Pool, Draw, bool], Found]
    what: str
    repetitions: int = REPETITIONS


def pulls(pool: Pool, name: str) -> dict[str, Any]:
    """Measurements of all repetitions, at equal sets and at a shifted point."""
    case = CASES[name]
    out: dict[str, Any] = {"what": case.what}
    for kind in ("shifted", "equal"):
        seeds = (seed_of("pulls", name, kind, k) for k in range(case.repetitions))
        out[kind] = [plain(case.measure(pool, np.random.default_rng(seed), kind == "shifted")) for seed in seeds]
    return out


_SCALED: dict[tuple[str, float], Sample] = {}


def scaled(pool: Pool, factor: float) -> Sample:
    """The whole pool with other energies, computed once."""
    if (pool.name, factor) not in _SCALED:
        _SCALED[pool.name, factor] = pool.of(pool.batch.with_x(factor * pool.batch.x))
    return _SCALED[pool.name, factor]


def showers(pick: Callable[[Pool], Measure], n: int, factor: float, repetitions: int = REPETITIONS) -> Case:
    def measure(pool: Pool, draw: Draw, shifted: bool) -> Found:
        a, b, train = np.split(draw.permutation(len(pool.table))[: 3 * n], 3)
        return pick(pool)(pool.at(a), _rows(scaled(pool, factor if shifted else 1.0), b), pool.at(train))

    return Case(measure, f"{n:,} showers, energies {100 * (factor - 1):.2g} % high", repetitions)


def _rows(sample: Sample, rows: Array) -> Sample:
    return Sample(sample.batch[torch.from_numpy(rows)], sample.table[rows])


def copying(pool: Pool, draw: Draw, shifted: bool) -> Found:
    """Each shower is, by chance, that of another set: all kinds of copies at once."""
    a, b, train = (pool.at(rows) for rows in np.split(draw.permutation(len(pool.table))[:1500], 3))
    if shifted:
        x = b.batch.x.clone()
        blur = torch.from_numpy(1 + 0.05 * draw.normal(size=tuple(x.shape))).float()
        for source, kind in ((train.batch.x, "jitter"), (train.batch.x, "exact"), (x.roll(7, 0), "jitter"),
                             (x.roll(11, 0), "exact")):  # fmt: skip
            put = torch.from_numpy(draw.random(len(x)) < SHARE)
            x[put] = (source * blur if kind == "jitter" else source)[put]
        b = Sample(b.batch.with_x(x), b.table)
    found = of_events(pool)["memorisation"](a, b, train)
    return {
        f"memorisation/{name}": found[f"memorisation/{name}"] for name in ("copies", "identical", "repeats", "twins")
    }


def ratios(pool: Pool) -> Measure:
    """Distances to training showers over those of held-out ones."""

    def measure(a: Sample, b: Sample, train: Sample) -> Found:
        found = of_events(pool)["memorisation"](a, b, train)
        return {name: found[name] for name in ("memorisation/ratio", "memorisation/ratio/1%")}

    return measure


def _many(name: str) -> Callable[[Pool], Measure]:
    return lambda pool: many_numbers(pool, known=True)[name]


def _kept(pool: Pool) -> Measure:
    """FPD and KPD in units that do not change from one reference to the next."""
    largest = np.maximum(np.abs(pool.table).max(0), 1e-12)

    def measure(a: Sample, b: Sample, train: Sample) -> Found:
        x, y = a.table / largest, b.table / largest
        return {"fpd, units kept": fid_infinity(x, y), "kpd, units kept": kid(x, y, degree=4)}

    return measure


def _anew(pool: Pool) -> Measure:
    """Precision, recall, density and coverage in units of each reference, as judged."""

    def measure(a: Sample, b: Sample, train: Sample) -> Found:
        return {f"{name}, units anew": m for name, m in many_numbers(pool)["coverage"](a, b, train).items()}

    return measure


def _classified(name: str) -> Callable[[Pool], Measure]:
    return lambda pool: seen_by_classifiers(pool)[name]


CASES: Mapping[str, Case] = {
    "one": showers(one_number, 1000, SHIFT),
    **{
        name: showers(_many(name), 500, FAR)
        for name in ("coverage", "mmd", "energy_distance", "sliced_wasserstein", "sinkhorn", "fid", "kid")
    },
    **{name: showers(_many(name), 750, FAR) for name in ("fid_infinity", "fpd", "fpd_bootstrap", "kpd", "kpd_batches")},
    "units kept": showers(_kept, 750, FAR),
    "units anew": showers(_anew, 500, FAR),
    "response": showers(lambda pool: of_events(pool)["response"], 1000, SHIFT),
    "battery": showers(lambda pool: of_events(pool)["battery"], 500, NEAR),
    "ratios": showers(ratios, 500, FAR),
    "memorisation": Case(copying, f"500 showers; {SHARE:.0%} each of exact and jittered copies and repeats"),
    "modes": Case(grid, "2,000 points of 25 modes; five rare, a tenth in between"),
    "classes": Case(classes, "1,000 classes; unequally frequent, 90 % right"),
    "pictures": Case(pictures, "200 smooth pictures; smoother, partners with a tenth of another"),
    "posteriors": Case(posteriors, "1,000 posteriors; a fifth too narrow, 0.1 off"),
    "densities": Case(densities, "1,000 events of N(0, 1); the model N(0.2, 1.2)"),
    "weights": Case(weights, "2,000 weights of log-spread 0.4; 4,000 steps that keep 0.8"),
    "latents": Case(latents, "a linear generator; a saturating one, psi 0.7, analogies"),
    "inverted": Case(inverted, "50 events of a linear generator; noise of 0.3", FEWER),
    "histograms": Case(histograms, "1,000 exponential numbers; a tenth larger"),
    "networks": Case(networks, "600 events of five numbers; one shifted by 1", FEWER),
    **{
        name: showers(_classified(name), 500, factor, FEWER)
        for name, factor in (
            ("auc/observables", SHIFT),
            ("auc/observables_mlp", SHIFT),
            ("auc/cells", FARTHER),
            ("jensen_shannon_bound", SHIFT),
        )
    },
}
