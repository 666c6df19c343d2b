"""The judge: everything that can be measured of generated against real events, each number with error and floor."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulacra.batch import Batch, DataSpec
from simulacra.errors import UserError
from simulacra.evaluation import looks, views
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.battery import Battery, battery
from simulacra.evaluation.defects import Seen, sensitivity
from simulacra.evaluation.measurement import Measurement
from simulacra.evaluation.memorisation import identical, memorisation
from simulacra.evaluation.modes import modes
from simulacra.evaluation.rows import some_of
from simulacra.evaluation.weights import accepted, effective, fewest, weights_of
from simulacra.protocols import Observable

FAST_ROWS = 1000
MOST_ROWS = 20_000
MOST_NUMBERS = 2**26
"""Numbers of all events of a side: fewer events of large ones are looked at."""
FEWEST = 80
"""Effective events on a side."""
ALIKE_BY_CHANCE = 0.005
"""Share of reference events that may equal a training event, beside what equals another among these: doubles."""


@dataclass(frozen=True)
class Evaluation:
    """What a judge found.

    Attributes:
        metrics: by name, such as `separation/E_tot`, `response/bias/5-10GeV`, `auc/observables`.
        rows: how many events were looked at: `reference`, `generated`, `train`.
        ranges: of each condition over which was judged: smallest, largest, unit.
        seed: of every random choice.
        fast: whether fewer events and classifiers were used.
        battery: differences at equal conditions, by groups.
        sensitivity: what would have been seen of defects planted in these real events.
        effective: of weighted sides, how many equal events would be as precise: `reference`, `generated`.
        notes: sentences on what was judged otherwise than usual.
    """

    metrics: Mapping[str, Measurement]
    rows: Mapping[str, int] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float, str]] = field(default_factory=dict)
    seed: int = 0
    fast: bool = False
    battery: Battery | None = None
    sensitivity: Mapping[str, Seen] = field(default_factory=dict)
    effective: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "metrics": {name: m.to_json() for name, m in self.metrics.items()},
            "rows": dict(self.rows),
            "ranges": {name: list(r) for name, r in self.ranges.items()},
            "seed": self.seed,
            "fast": self.fast,
            "battery": None if self.battery is None else self.battery.to_json(),
            "sensitivity": {name: list(seen) for name, seen in self.sensitivity.items()},
            "effective": dict(self.effective),
            "notes": list(self.notes),
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
            None if held["battery"] is None else Battery.from_json(held["battery"]),
            {name: Seen(str(test), float(z)) for name, (test, z) in held["sensitivity"].items()},
            {name: float(n) for name, n in held.get("effective", {}).items()},
            tuple(held.get("notes", ())),
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
    classifiers: bool = True,
    foreign: bool = False,
    classifier_path: str | Path | None = None,
) -> Evaluation:
    """Judges generated against real events, both in physical units.

    Generated events should be made at the reference's conditions, row by row. What was measured follows from the data:
    the moment battery, distances and moments of every observable, Fréchet and kernel distances and coverage of all of
    them together, response and resolution where an energy is given, classifiers on observables and cells, memorisation
    and the sensitivity to planted defects where training events are given, modes where the geometry names them, FID,
    KID and classes for labelled pictures. Conditions that generated events do not carry are ignored, as is right for
    models that do not listen to them. Weights of events count in means, distances and classifiers; what has no weighted
    form is measured of events accepted by their weights, and copies are counted without. The same input and seed give
    the same numbers; global random generators do not move.

    Args:
        reference: real events that were not trained on.
        generated: events of the model.
        observables: from the domain.
        train: the training events: memorisation, the second real sample of floors, the pictures' classifier.
        fast: at most 1,000 events and fewer classifiers.
        classifiers: whether to train any to tell generated from real events.
        foreign: whether the reference is of another source than the training events, which then are no second sample
            of it: floors come from the reference itself.
        classifier_path: where the pictures' classifier is kept between evaluations.

    Raises:
        UserError: a number is not finite, a weight negative, a reference row was trained on, there are fewer than 80
            (effective) events, or events do not fit the description.
    """
    _check(reference, generated, spec, train)
    most = min(FAST_ROWS if fast else MOST_ROWS, max(MOST_NUMBERS // spec.x.size, FAST_ROWS))
    # in an order of their own, the same for two sides of one length: the first of a sorted file stand for themselves
    reference, generated = (some_of(batch, most, mixed=True) for batch in (reference, generated))
    told = [name for name in spec.given if name in reference.given and name in generated.given]
    many = max(len(generated), 2 * FAST_ROWS if fast else most)
    learnt = None if train is None else some_of(train, many, mixed=True)
    second = None if foreign else learnt
    out: dict[str, Measurement] = {}
    weights = weights_of(reference, generated)
    plain = accepted(reference, seed), accepted(generated, seed + 1), None if second is None else accepted(second, seed)
    enough = min(len(plain[0]), len(plain[1])) >= FEWEST
    seen = [None if b is None else views.observed(b, spec, observables) for b in (reference, generated, plain[2])]
    out |= looks.observables_of(seen, reference, generated, spec, told, seed, fast)
    out |= looks.response_of(reference, generated, plain[2], spec)
    if weights is None:
        out |= looks.features_of(seen, seed)
    elif enough:
        near = [None if b is None else views.observed(b, spec, observables) for b in plain]
        out |= looks.features_of(near, seed)
    if classifiers:
        out |= looks.classifiers_of(seen, reference, generated, plain[2], spec, told, seed, fast)
    raw = [None if b is None else numbers(b.x, "x") for b in (reference, generated, learnt)]
    alike = train is None or (reference.weight is None) == (train.weight is None)
    if raw[2] is not None and alike:
        tables = [views.cells(views.folded(x, spec), spec) for x in raw if x is not None]
        out |= memorisation(tables[1][:2500], tables[0], tables[2], seed=seed)
    geometry = spec.geometry or {}
    if enough and "modes" in geometry and "sigma" in geometry:
        out |= modes(numbers(plain[0].x), numbers(plain[1].x), geometry["modes"], float(geometry["sigma"]))
    if enough and spec.layout == "image":
        out |= looks.quality_of(*plain[:2], seed)
    if enough and spec.layout == "image" and train is not None and "label" in train.given:
        taught = accepted(train, seed)
        out |= looks.pictures_of(*plain[:2], taught, spec, told, seed, fast, classifier_path, foreign=foreign)
    groups = battery(reference, generated, spec, observables, seed=seed)
    size = round(fewest(weights, len(reference), len(generated)))
    out |= {f"battery/{k}": Measurement(g.z, 1.0, 0.0, 1.0, size, "σ") for k, g in groups.groups.items()}
    planted = {} if fast or second is None else sensitivity(reference, second, spec, observables, seed)
    rows = {"reference": len(reference), "generated": len(generated)} | (
        {} if learnt is None else {"train": len(learnt)}
    )
    ranges = {
        name: _range(reference.given[name].min().item(), reference.given[name].max().item(), spec.given[name].unit)
        for name in told
        if spec.given[name].kind == "real"
    }
    worth = {
        name: effective(of)
        for name, of in zip(("reference", "generated"), weights or (None, None), strict=True)
        if of is not None
    }
    notes = _notes(plain[:2], enough, raw[2] is not None, alike) if weights is not None else ()
    return Evaluation(out, rows, ranges, seed, fast, groups, planted, worth, notes)


def _notes(plain: Sequence[Batch], enough: bool, trained: bool, alike: bool) -> Sequence[str]:
    """How weighted events were judged where weights do not count."""
    left = " and ".join(f"{len(b):,} {name}" for name, b in zip(("reference", "generated"), plain, strict=True))
    where = "Nearest neighbours, Fréchet and kernel distances, modes and pictures are judged on"
    out = [f"{where} the {left} events that acceptance by weight leaves."]
    if not enough:
        out = [f"Nearest neighbours, modes and pictures are not judged: acceptance by weight leaves {left} events."]
    if trained:
        missing = "Copies are not counted: of reference and training events only one are weighted."
        out.append("Copies are counted without weights." if alike else missing)
    return out


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
        numbers(batch.x, f"the {name} events")
    weights = weights_of(reference, generated)
    few = fewest(weights, len(reference), len(generated))
    if few < FEWEST:
        came = f"{few}" if weights is None else f"{few:.0f} effective ones"
        raise UserError(f"expected at least {FEWEST} reference and generated events, came {came}; give more events")
    if train is not None and spec.x.kind == "real":
        rows = _rows(train)
        repeated = len(reference) * 2 * identical(rows[::2], rows[1::2]) / len(rows)
        same = identical(_rows(reference), rows)
        if same > max(1, ALIKE_BY_CHANCE * len(reference)) + repeated + 4 * repeated**0.5:
            raise UserError(f"expected a reference that was not trained on, {same} of its rows were; use the test part")


def _rows(batch: Batch) -> Array:
    return batch.x.flatten(1).numpy()
