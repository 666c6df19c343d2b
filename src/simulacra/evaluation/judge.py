"""The judge: everything that can be measured of generated against real events, each number with error and floor."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from simulacra.batch import Batch, DataSpec
from simulacra.errors import UserError
from simulacra.evaluation import views
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.classifiers import auc
from simulacra.evaluation.distances import distances
from simulacra.evaluation.frechet import PCAGaussian, fid
from simulacra.evaluation.images import class_shares, look, train_classifier
from simulacra.evaluation.measurement import Measurement
from simulacra.evaluation.memorisation import identical, memorisation
from simulacra.evaluation.modes import modes
from simulacra.evaluation.moments import moments
from simulacra.evaluation.response import response
from simulacra.protocols import Observable
from simulacra.random import draws, seed_of
from simulacra.units import convert

FAST_ROWS = 1000
MOST_ROWS = 10_000
MOST_TRAINING = 20_000
ALIKE_BY_CHANCE = 0.005
"""Share of reference pictures that may equal a training picture: collections of pictures hold doubles."""


@dataclass(frozen=True)
class Evaluation:
    """What a judge found.

    Attributes:
        metrics: by name, such as `separation/E_tot`, `response/bias/5-10GeV`, `auc/observables`.
        rows: how many events were looked at: `reference`, `generated`, `train`.
        ranges: of each condition over which was judged: smallest, largest, unit.
        seed: of every random choice.
        fast: whether fewer events and classifiers were used.
    """

    metrics: Mapping[str, Measurement]
    rows: Mapping[str, int] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float, str]] = field(default_factory=dict)
    seed: int = 0
    fast: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "metrics": {name: m.to_json() for name, m in self.metrics.items()},
            "rows": dict(self.rows),
            "ranges": {name: list(r) for name, r in self.ranges.items()},
            "seed": self.seed,
            "fast": self.fast,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any] | str) -> Evaluation:
        held = json.loads(data) if isinstance(data, str) else data
        return Evaluation(
            {name: Measurement.from_json(m) for name, m in held["metrics"].items()},
            dict(held["rows"]),
            {name: (float(r[0]), float(r[1]), str(r[2])) for name, r in held["ranges"].items()},
            int(held["seed"]),
            bool(held["fast"]),
        )


def evaluate(
    reference: Batch,
    generated: Batch,
    spec: DataSpec,
    observables: Sequence[Observable] = (),
    train: Batch | None = None,
    fast: bool = False,
    seed: int = 0,
    *,
    classifier_path: str | Path | None = None,
) -> Evaluation:
    """Judges generated against real events, both in physical units.

    Generated events should be made at the reference's conditions, row by row. What was measured follows from the data:
    distances and moments of every observable, response and resolution where an energy is given, classifiers on
    observables and cells, memorisation where training events are given, modes where the geometry names them, FID and
    classes for labelled pictures. Conditions that generated events do not carry are ignored, as is right for models
    that do not listen to them. The same input and seed give the same numbers; global random generators do not move.

    Args:
        reference: real events that were not trained on.
        generated: events of the model.
        observables: from the domain.
        train: the training events: memorisation, the second real sample of floors, the pictures' classifier.
        fast: at most 1,000 events and fewer classifiers.
        classifier_path: where the pictures' classifier is kept between evaluations.

    Raises:
        UserError: a number is not finite, a reference row was trained on, there are fewer than 80 events, events do not
            fit the description, or they carry weights.
    """
    _check(reference, generated, spec, train)
    most = FAST_ROWS if fast else MOST_ROWS
    reference, generated = reference[:most], generated[:most]
    told = [name for name in spec.given if name in reference.given and name in generated.given]
    second = None if train is None else train[: max(len(generated), 2 * FAST_ROWS if fast else MOST_TRAINING)]
    out: dict[str, Measurement] = {}
    seen = [None if b is None else views.observed(b, spec, observables) for b in (reference, generated, second)]
    out |= _observables(seen, reference, generated, spec, told, seed, fast)
    out |= _response(reference, generated, second, spec)
    out |= _classifiers(seen, reference, generated, second, spec, told, seed, fast)
    raw = [None if b is None else numbers(b.x, "x") for b in (reference, generated, second)]
    if raw[2] is not None:
        tables = [views.cells(views.folded(x, spec), spec) for x in raw if x is not None]
        out |= memorisation(tables[1][:2500], tables[0], tables[2], seed=seed)
    geometry = spec.geometry or {}
    if "modes" in geometry and "sigma" in geometry:
        out |= modes(raw[0], raw[1], geometry["modes"], float(geometry["sigma"]))
    if spec.layout == "image" and train is not None and "label" in train.given:
        out |= _pictures(reference, generated, train, told, seed, fast, classifier_path)
    rows = {"reference": len(reference), "generated": len(generated)} | (
        {} if second is None else {"train": len(second)}
    )
    ranges = {
        name: _range(reference.given[name].min().item(), reference.given[name].max().item(), spec.given[name].unit)
        for name in told
        if spec.given[name].kind == "real"
    }
    return Evaluation(out, rows, ranges, seed, fast)


def _range(low: float, high: float, unit: str) -> tuple[float, float, str]:
    """In GeV where that reads better than MeV."""
    return (low / 1000, high / 1000, "GeV") if unit == "MeV" and high > 1000 else (low, high, unit)


def _check(reference: Batch, generated: Batch, spec: DataSpec, train: Batch | None) -> None:
    for name, batch in (("reference", reference), ("generated", generated), ("training", train)):
        if batch is None:
            continue
        if tuple(batch.x.shape[1:]) != spec.x.shape:
            raise UserError(
                f"expected {name} events of shape {spec.x.shape}, came {tuple(batch.x.shape[1:])}; check the file"
            )
        if batch.weight is not None:
            raise UserError(f"expected {name} events without weights, came weighted ones; unweight them first")
        numbers(batch.x, f"the {name} events")
    if min(len(reference), len(generated)) < 80:
        few = min(len(reference), len(generated))
        raise UserError(f"expected at least 80 reference and generated events, came {few}; give more events")
    if train is not None and spec.x.kind == "real":
        same = identical(_rows(reference), _rows(train))
        if same > (ALIKE_BY_CHANCE * len(reference) if spec.layout == "image" else 0):
            raise UserError(f"expected a reference that was not trained on, {same} of its rows were; use the test part")


def _rows(batch: Batch) -> Array:
    return batch.x.flatten(1).numpy()


def _observables(
    seen: list[Any], reference: Batch, generated: Batch, spec: DataSpec, told: list[str], seed: int, fast: bool
) -> dict[str, Measurement]:
    """Distances and moments of each observable."""
    out: dict[str, Measurement] = {}
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
        found = distances(values, other, permutations=49 if fast else 99, seed=seed_of(seed, name))
        out |= {f"{kind}/{name}": m for kind, m in found.items()}
        out |= moments(name, values, other, at, own, unit)
    return out


def _response(reference: Batch, generated: Batch, second: Batch | None, spec: DataSpec) -> dict[str, Measurement]:
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
    return response(read(reference), read(generated), floor)


def _classifiers(
    seen: list[Any], reference: Batch, generated: Batch, second: Batch | None, spec: DataSpec, told: list[str],
    seed: int, fast: bool,
) -> dict[str, Measurement]:  # fmt: skip
    """Trees and a network on observables, a network on cells."""
    at = [views.conditions(b, spec, told) for b in (reference, generated)]
    usable = second is not None and all(name in second.given for name in told)
    other = views.conditions(second, spec, told) if usable and second is not None else None
    splits = 2 if fast else 3
    out: dict[str, Measurement] = {}
    if seen[0]:
        tables = [None if s is None else np.stack([v for v, _ in s.values()], axis=1) for s in seen]
        floor = (tables[2], other) if usable else None
        for name, model in (("auc/observables", "trees"), ("auc/observables_mlp", "mlp"))[: 1 if fast else 2]:
            out[name] = auc(*tables[:2], *at, model=model, splits=splits, seed=seed, floor_sample=floor)
    name = {"layers": "auc/cells", "volume": "auc/cells", "image": "auc/pixels"}.get(spec.layout)
    if name:
        events = [None if b is None else views.cells(numbers(b.x, "x"), spec) for b in (reference, generated, second)]
        floor = (events[2], other) if usable else None
        out[name] = auc(*events[:2], *at, model="mlp", splits=splits, seed=seed, floor_sample=floor)
    return out


def _pictures(
    reference: Batch, generated: Batch, train: Batch, told: list[str], seed: int, fast: bool, path: str | Path | None
) -> dict[str, Measurement]:
    """FID on a classifier's features, beside the PCA Gaussian's; the classes of samples."""
    taught = train[: 10 * FAST_ROWS] if fast else train
    model = train_classifier(taught, path=path, seed=seed_of(seed, "classifier") % 2**31)
    real, real_class = look(model, reference.x)
    made, made_class = look(model, generated.x)
    second, _ = look(model, train.x[: 5 * len(generated)])
    out = class_shares(real_class, made_class, model.out.out_features)
    out["fid"] = fid(real, made, second, seed=seed)
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
