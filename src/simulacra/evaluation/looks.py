"""What the judge measures, one function for each kind of look: named measurements from tables of observables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simulacra.batch import Batch, DataSpec
from simulacra.errors import UserError
from simulacra.evaluation import views
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.classifiers import told_apart
from simulacra.evaluation.coverage import coverage
from simulacra.evaluation.distances import distances
from simulacra.evaluation.frechet import fid, fpd
from simulacra.evaluation.images import class_shares, look, train_classifier
from simulacra.evaluation.kid import kid, kpd
from simulacra.evaluation.measurement import Measurement
from simulacra.evaluation.moments import moments
from simulacra.evaluation.pca_gaussian import PCAGaussian
from simulacra.evaluation.quality import sharpness, spectral_distance
from simulacra.evaluation.response import response
from simulacra.evaluation.similarity import likeness
from simulacra.evaluation.weights import weights_of
from simulacra.random import draws, seed_of
from simulacra.units import convert

FAST_PICTURES = 10_000
"""Training pictures for a classifier where time is short."""
MOST_CLASSIFIED = 10_000
"""Events on a side that classifiers see."""
MOST_NEIGHBOURS = 2000
EVENTS_PER_COLUMN = 8
"""For a Fréchet distance, which halves them."""
MOST_PAIRS = 5000
"""Events on a side of which all pairs are compared."""


def observables_of(
    seen: list[Any], reference: Batch, generated: Batch, spec: DataSpec, told: list[str], seed: int, fast: bool
) -> dict[str, Measurement]:
    """Distances and moments of each observable."""
    out: dict[str, Measurement] = {}
    weights = weights_of(reference, generated)
    lead = next((n for n in told if spec.given[n].kind == "real" and spec.given[n].size == 1), None)
    at, unit = None, ""
    if lead is not None:
        mine, theirs = (numbers(b.given[lead], f"given[{lead!r}]").reshape(-1) for b in (reference, generated))
        unit = spec.given[lead].unit
        if unit == "MeV" and mine.max() > 1000:
            mine, theirs, unit = mine / 1000, theirs / 1000, "GeV"
        at = mine, theirs
    for name, (values, own) in seen[0].items():
        other = seen[1][name][0]
        found = distances(values, other, weights=weights, permutations=49 if fast else 99, seed=seed_of(seed, name))
        out |= {f"{kind}/{name}": m for kind, m in found.items()}
        out |= moments(name, values, other, at, own, unit, weights=weights)
    return out


def features_of(seen: list[Any], seed: int) -> dict[str, Measurement]:
    """All observables together, standardised: precision, recall, density, coverage, Fréchet and kernel distance."""

    def table(values: Mapping[str, Any]) -> Array:
        return np.stack([v[:MOST_PAIRS] for v, _ in values.values()], axis=1)

    if not seen[0]:
        return {}
    real = table(seen[0])
    mean, spread = real.mean(0), real.std(0)
    varies = spread > 0
    if not varies.any():
        return {}
    real, made, *second = [
        ((table(s) - mean) / np.where(varies, spread, 1.0))[:, varies] for s in seen if s is not None
    ]
    near = [values[:MOST_NEIGHBOURS] for values in (real, made, *second)]
    out = {f"coverage/{name}": m for name, m in coverage(*near, standardise=True, seed=seed).items()}
    if min(len(real), len(made)) >= EVENTS_PER_COLUMN * real.shape[1]:  # else their covariances say nothing
        out["fpd"] = fpd(real, made, seed=seed)
    return out | {"kpd": kpd(real, made, seed=seed)}


def quality_of(reference: Batch, generated: Batch, seed: int) -> dict[str, Measurement]:
    """Sharpness, power spectrum and likeness among each other of at most 2,000 pictures a side."""
    a, b = reference.x[:MOST_NEIGHBOURS], generated.x[:MOST_NEIGHBOURS]
    if min(a.shape[-2:]) < 3:
        return {}
    return {
        "quality/sharpness": sharpness(a, b),
        "quality/spectrum": spectral_distance(a, b, seed=seed),
        "quality/likeness": likeness(a, b, pairs=500, seed=seed),
    }


def response_of(reference: Batch, generated: Batch, second: Batch | None, spec: DataSpec) -> dict[str, Measurement]:
    """Visible over incident energy, where both are energies."""
    if spec.layout not in ("layers", "volume", "cloud") or not all("energy" in b.given for b in (reference, generated)):
        return {}
    try:
        visible, incident = convert(1.0, spec.x.unit, "GeV"), convert(1.0, spec.given["energy"].unit, "GeV")
    except (UserError, KeyError):
        return {}

    def read(batch: Batch) -> tuple[Array, Array]:
        energy = numbers(batch.given["energy"], "given['energy']").reshape(-1) * incident
        if energy.min() <= 0:
            raise UserError(f"expected incident energies above zero, came {energy.min():g} GeV; remove such events")
        return numbers(batch.x, "x").reshape(len(batch), -1).sum(1) * visible / energy, energy

    floor = read(second) if second is not None and "energy" in second.given else None
    return response(read(reference), read(generated), floor, weights=weights_of(reference, generated))


def classifiers_of(
    seen: list[Any], reference: Batch, generated: Batch, second: Batch | None, spec: DataSpec, told: list[str],
    seed: int, fast: bool,
) -> dict[str, Measurement]:  # fmt: skip
    """Trees and a network on observables, a network on cells."""
    reference, generated = reference[:MOST_CLASSIFIED], generated[:MOST_CLASSIFIED]
    weights = weights_of(reference, generated)
    second = None if second is None else second[:MOST_CLASSIFIED]
    at = [views.conditions(b, spec, told) for b in (reference, generated)]
    usable = second is not None and all(name in second.given for name in told)
    other = views.conditions(second, spec, told) if usable and second is not None else None
    splits = 2 if fast else 3
    out: dict[str, Measurement] = {}
    if seen[0]:
        tables = [None if s is None else np.stack([v[:MOST_CLASSIFIED] for v, _ in s.values()], axis=1) for s in seen]
        floor = (tables[2], other) if usable else None
        for name, model in (("observables", "trees"), ("observables_mlp", "mlp"))[: 1 if fast else 2]:
            settings = {"model": model, "splits": splits, "seed": seed, "floor_sample": floor, "weights": weights}
            out |= {f"{kind}/{name}": m for kind, m in told_apart(*tables[:2], *at, **settings).items()}
    name = {"layers": "cells", "volume": "cells", "image": "pixels"}.get(spec.layout)
    if name:
        events = [None if b is None else views.cells(numbers(b.x, "x"), spec) for b in (reference, generated, second)]
        floor = (events[2], other) if usable else None
        settings = {"model": "mlp", "splits": splits, "seed": seed, "floor_sample": floor, "weights": weights}
        out |= {f"{kind}/{name}": m for kind, m in told_apart(*events[:2], *at, **settings).items()}
    return out


def pictures_of(
    reference: Batch,
    generated: Batch,
    train: Batch,
    spec: DataSpec,
    told: list[str],
    seed: int,
    fast: bool,
    path: str | Path | None,
    *,
    foreign: bool = False,
) -> dict[str, Measurement]:
    """FID, KID and coverage on a classifier's features, beside the PCA Gaussian's FID; the classes of samples."""
    taught = train[:FAST_PICTURES] if fast else train
    model = train_classifier(taught, spec=spec, path=path, seed=seed_of(seed, "classifier") % 2**31)
    real, real_class = look(model, reference.x)
    made, made_class = look(model, generated.x)
    second = None if foreign else look(model, train.x[: 5 * len(generated)])[0]
    out = class_shares(real_class, made_class, model.out.out_features)
    out["fid"] = fid(real, made, second, seed=seed)
    out["kid"] = kid(real[:MOST_PAIRS], made[:MOST_PAIRS], seed=seed)
    near = [v[:MOST_NEIGHBOURS] for v in (real, made, second) if v is not None]
    out |= {f"coverage/{name}": m for name, m in coverage(*near, seed=seed).items()}
    labels = [b.given["label"].flatten().numpy() if "label" in b.given else None for b in (reference, generated)]
    if "label" in told and labels[0] is not None and labels[1] is not None:
        right, floor = made_class == labels[1], real_class == labels[0]
        spread = [float(v.std() / np.sqrt(len(v))) for v in (right, floor)]
        n = min(len(right), len(floor))
        out["classes/as_asked"] = Measurement(float(right.mean()), spread[0], float(floor.mean()), spread[1], n)
    given = {"label": generated.given["label"]} if "label" in told else {}
    baseline = PCAGaussian.fit(taught if given else Batch(taught.x))
    with draws(seed_of(seed, "baseline")):
        plain, _ = look(model, baseline.sample(len(generated), given).x.clamp(0, 1))
    out["fid/pca_gaussian"] = fid(real, plain, second, seed=seed)
    return out
