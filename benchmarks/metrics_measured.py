"""Every metric of two samples of showers, planted defects, the gate on real showers, and classifiers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from metrics_showers import Pool, Sample, among_neighbours, plain, situation

from simulacra.evaluation import views
from simulacra.evaluation.arrays import Array
from simulacra.evaluation.battery import battery
from simulacra.evaluation.classifiers import auc, jensen_shannon_bound
from simulacra.evaluation.coverage import coverage
from simulacra.evaluation.defects import defects, significances
from simulacra.evaluation.distances import distances, separation
from simulacra.evaluation.divergences import divergence
from simulacra.evaluation.frechet import fid, fid_infinity, fpd, fpd_bootstrap
from simulacra.evaluation.gate import shapes
from simulacra.evaluation.kernels import cramer, energy_distance, mmd
from simulacra.evaluation.kid import kid, kpd, kpd_batches
from simulacra.evaluation.measurement import Measurement
from simulacra.evaluation.memorisation import copying, memorisation
from simulacra.evaluation.moments import moments
from simulacra.evaluation.multiple import holm
from simulacra.evaluation.response import response
from simulacra.evaluation.transport import sinkhorn, sliced_wasserstein
from simulacra.random import seed_of

OBSERVABLE = "response"
"""The one that metrics of one number are shown for."""
SMALL = 500
"""Showers a side for classifiers."""
CLIP = 5.0
"""Standard deviations at which standardised observables are cut: rare showers far out would own every distance."""

Measure = Callable[[Sample, Sample, Sample], dict[str, Measurement]]


def folded_cells(pool: Pool, sample: Sample) -> Array:
    return views.cells(views.folded(sample.batch.x.double().numpy(), pool.spec), pool.spec)


def one_number(pool: Pool) -> Measure:
    """Metrics of one observable."""
    at = pool.names.index(OBSERVABLE)

    def measure(a: Sample, b: Sample, train: Sample) -> dict[str, Measurement]:
        x, y, energies = a.table[:, at], b.table[:, at], (a.energy / 1000, b.energy / 1000)
        out = {f"{kind}/NAME": m for kind, m in distances(x, y).items()}
        found = moments("NAME", x, y, energies)
        out |= {name: found[name] for name in ("mean/NAME", "spread/NAME")}
        out |= {f"divergence {kind}": divergence(x, y, kind) for kind in ("js", "kl", "total_variation", "chi_square")}
        return out | {"cramer": cramer(x, y)}

    return measure


def many_numbers(pool: Pool, known: bool = False) -> dict[str, Measure]:
    """Metrics of all observables together, in standard deviations of the reference (or, where known, of the pool)."""

    def standard(change: Callable[..., dict[str, Measurement]], clip: float = CLIP) -> Measure:
        def measure(a: Sample, b: Sample, train: Sample) -> dict[str, Measurement]:
            units = pool.table if known else a.table
            mean, spread = units.mean(0), units.std(0)
            keep = a.table.std(0) > 0
            tables = (((s.table - mean) / np.where(keep, spread, 1))[:, keep] for s in (a, b, train))
            return change(*(np.clip(table, -clip, clip) for table in tables))

        return measure

    def as_judged(change: Callable[..., Measurement], name: str, **options: Any) -> Measure:
        return standard(lambda x, y, z: {name: change(x, y, **options)}, np.inf)

    def few(x: Array, y: Array, z: Array) -> dict[str, Measurement]:
        return {"sinkhorn": sinkhorn(x[: SMALL // 2], y[: SMALL // 2], 0.5, permutations=9)}

    def near(x: Array, y: Array, z: Array) -> dict[str, Measurement]:
        return {f"coverage/{name}": m for name, m in coverage(x, y, z, standardise=not known).items()}

    published = {"smallest": 2000, "largest": 5000, "repeats": 5}
    return {
        "coverage": standard(near, np.inf),
        "mmd": standard(lambda x, y, z: {"mmd": mmd(x, y)}),
        "energy_distance": standard(lambda x, y, z: {"energy_distance": energy_distance(x, y)}),
        "sliced_wasserstein": standard(lambda x, y, z: {"sliced_wasserstein": sliced_wasserstein(x, y)}),
        "sinkhorn": standard(few),
        "fid": standard(lambda x, y, z: {"fid": fid(x, y, z)}),
        "fid_infinity": standard(lambda x, y, z: {"fid_infinity": fid_infinity(x, y)}),
        "kid": standard(lambda x, y, z: {"kid": kid(x, y)}),
        "fpd": as_judged(fpd, "fpd"),
        "fpd_bootstrap": as_judged(fpd_bootstrap, "fpd_bootstrap", **published),
        "kpd": as_judged(kpd, "kpd"),
        "kpd_batches": as_judged(kpd_batches, "kpd_batches", size=1000),
    }


def seen_by_classifiers(pool: Pool, splits: int = 2) -> dict[str, Measure]:
    """Classifiers as the judge uses them; the training showers give the floor."""

    def of_columns(statistic: Callable[..., Measurement], name: str, model: str) -> Measure:
        def measure(a: Sample, b: Sample, train: Sample) -> dict[str, Measurement]:
            energy = [np.log(s.energy)[:, None] for s in (a, b, train)]
            floor = train.table, energy[2]
            return {name: statistic(a.table, b.table, *energy[:2], model=model, splits=splits, floor_sample=floor)}

        return measure

    def of_cells(a: Sample, b: Sample, train: Sample) -> dict[str, Measurement]:
        x = [views.cells(s.batch.x.double().numpy(), pool.spec) for s in (a, b, train)]
        energy = [np.log(s.energy)[:, None] for s in (a, b, train)]
        return {"auc/cells": auc(x[0], x[1], *energy[:2], model="mlp", splits=splits, floor_sample=(x[2], energy[2]))}

    return {
        "auc/observables": of_columns(auc, "auc/observables", "trees"),
        "auc/observables_mlp": of_columns(auc, "auc/observables_mlp", "mlp"),
        "auc/cells": of_cells,
        "jensen_shannon_bound": of_columns(jensen_shannon_bound, "jensen_shannon_bound", "trees"),
    }


def of_events(pool: Pool) -> dict[str, Measure]:
    """Metrics that read the showers themselves."""

    def energies(a: Sample, b: Sample, train: Sample) -> dict[str, Measurement]:
        read = [(s.batch.x.double().sum(1).numpy() / s.energy, s.energy / 1000) for s in (a, b, train)]
        found = response(*read)
        return {name: found[name] for name in ("response/bias", "resolution/ratio")}

    def copies(a: Sample, b: Sample, train: Sample) -> dict[str, Measurement]:
        return memorisation(*(folded_cells(pool, s) for s in (b, a, train)))

    def groups(a: Sample, b: Sample, train: Sample) -> dict[str, Measurement]:
        found = battery(a.batch, b.batch, pool.spec, pool.observables)
        return {f"battery/{name}": Measurement(g.z, 1.0, 0.0, 1.0, len(a), "σ") for name, g in found.groups.items()}

    return {"response": energies, "memorisation": copies, "battery": groups}


def behaviour(pool: Pool, name: str, n: int) -> dict[str, Any]:
    """Every metric in one situation."""
    a, b, train = situation(pool, name, n)
    out = one_number(pool)(a, b, train)
    for measure in (many_numbers(pool) | of_events(pool)).values():
        out |= measure(a, b, train)
    small = [Sample(s.batch[:SMALL], s.table[:SMALL]) for s in (a, b, train)]
    for measure in seen_by_classifiers(pool).values():
        out |= measure(*small)
    return plain(out)


def defect_table(pool: Pool, n: int, split: int, only: str = "") -> dict[str, Any]:
    """Significance of every planted defect (or of those whose name starts so) in every family, and of none."""
    rest = len(pool.table) - 2 * n
    reference, made, train = pool.parts(f"defects {split}", n, n, min(n, rest))
    planted = {"none": made.batch}
    for defect in defects(pool.spec):
        if defect.name.startswith(only):
            draw = np.random.default_rng(seed_of(split, defect.name))
            planted[defect.name] = defect.plant(made.batch, train.batch, draw)
    out = {
        name: significances(reference.batch, events, train.batch, pool.spec, pool.observables, split)
        for name, events in planted.items()
    }
    return {name: {k: max(float(v), -9.0) for k, v in z.items()} for name, z in out.items()}


def null(pool: Pool, n: int, split: int) -> dict[str, float]:
    """The probability of every family that the gate reads, for real against real showers."""
    rest = min(n, len(pool.table) - 2 * n)
    reference, other, train = pool.parts(f"null {split}", n, n, rest)
    found = battery(reference.batch, other.batch, pool.spec, pool.observables, seed=split)
    out = {name: group.p for name, group in found.groups.items()}
    columns = zip(pool.names, reference.table.T, other.table.T, strict=True)
    each = shapes({f"separation/{name}": separation(x, y) for name, x, y in columns})
    out["shapes"] = min(1.0, len(each) * min(each.values()))
    return out | copying(memorisation(*(folded_cells(pool, s) for s in (other, reference, train)), draws=2, seed=split))


def resampled(pool: Pool, train: Sample, energy: Array) -> Sample:
    """The training shower nearest in energy, scaled to the energy asked for."""
    order = np.argsort(train.energy)
    known = train.energy[order]
    at = np.clip(np.searchsorted(known, energy), 1, len(known) - 1)
    at = np.where(energy - known[at - 1] < known[at] - energy, at - 1, at)
    batch = train.batch[torch.from_numpy(order[at])]
    scale = torch.from_numpy(energy / known[at]).float()[:, None]
    given = {"energy": torch.from_numpy(energy).float()[:, None]}
    return pool.of(type(batch)(batch.x * scale, given))


def classifiers(pool: Pool, name: str, n: int) -> dict[str, Any]:
    """One look of classifiers at showers whose layer was shuffled, at resampled ones, or at real ones."""
    reference, made, train = pool.parts(f"classifiers {name}", n, n, n)
    tests = seen_by_classifiers(pool, splits=2)
    if name.startswith("real"):
        return plain(tests["auc/observables"](reference, made, train))
    if name == "resampled":
        copy = resampled(pool, train, reference.energy)
        found = of_events(pool)["memorisation"](reference, copy, train)
        found |= tests["auc/observables"](reference, copy, train) | tests["auc/cells"](reference, copy, train)
        return plain(found) | {"failing": holm(copying(found))}
    layer = list(pool.spec.slices().values())[1]
    x, draw = made.batch.x.numpy().copy(), np.random.default_rng(seed_of("metrics", name))
    x[:, layer] = among_neighbours(x[:, layer], made.energy, draw, 0 if name == "shuffled" else 20)
    broken = pool.of(made.batch.with_x(torch.from_numpy(x)))
    return plain(tests["auc/observables"](reference, broken, train) | tests["auc/cells"](reference, broken, train))
