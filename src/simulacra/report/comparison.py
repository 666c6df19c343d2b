"""Several models side by side: fidelity, speed, size and cost, beside baselines and what real events give."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from simulacra import __version__
from simulacra.evaluation import Evaluation, Measurement
from simulacra.evaluation.gate import failing
from simulacra.evaluation.held_out import DRAWS
from simulacra.evaluation.verdict import WORDS
from simulacra.figures.pareto import Entry, pareto
from simulacra.io.publish import write_atomic
from simulacra.report.render import render
from simulacra.report.sections import vector
from simulacra.report.tables import amount

BATCHES = (1, 100, 10_000)
"""Events at once for which the time is measured."""
FIDELITY = {
    "auc/observables": "AUC of trees",
    "auc/cells": "AUC, cells",
    "auc/pixels": "AUC, pixels",
    "separation": "largest separation",
    "fid": "FID",
    "modes/covered": "modes",
    "modes/high_quality": "in a mode",
    "coverage/precision": "precision",
    "coverage/recall": "recall",
    "response/bias": "response bias",
    "resolution/ratio": "resolution ratio",
    "memorisation/copies": "copies",
    "nll": "−log p / event",
    f"nll/bound_{DRAWS}": f"bound on it, {DRAWS} draws",
    "nll/annealed": "by annealing",
    "nll/impossible": "impossible events",
}
"""Columns of the table of fidelity, where any model has them."""


@dataclass(frozen=True)
class Entrant:
    """One model, or one file of events.

    Attributes:
        name: of the run folder or file.
        family, recipe: empty for a file.
        evaluation: what the judge found.
        speed: events at once -> ms per event; empty for a file.
        parameters: trained numbers; `megabytes` of them on disk.
        seconds: of training, wall clock.
        baseline: whether it was added for comparison.
    """

    name: str
    evaluation: Evaluation
    family: str = ""
    recipe: str = ""
    speed: Mapping[int, float] = field(default_factory=dict)
    parameters: int = 0
    megabytes: float = 0.0
    seconds: float = math.nan
    baseline: bool = False

    def metrics(self) -> dict[str, Measurement]:
        """The judge's, with the largest separation under the name `separation`."""
        held = dict(self.evaluation.metrics)
        shapes = [m for name, m in held.items() if name.startswith("separation/")]
        return held | ({"separation": max(shapes, key=lambda m: m.value)} if shapes else {})

    def to_json(self) -> dict[str, Any]:
        return {
            "family": self.family,
            "recipe": self.recipe,
            "baseline": self.baseline,
            "fails": failing(self.evaluation),
            "metrics": {name: m.to_json() for name, m in self.metrics().items()},
            "milliseconds": {str(batch): value for batch, value in self.speed.items()},
            "parameters": self.parameters,
            "megabytes": self.megabytes,
            "seconds": self.seconds if math.isfinite(self.seconds) else None,
        }


class Table(NamedTuple):
    """A table of a page: column heads, and rows of a name and of texts with whether they alarm."""

    columns: list[str]
    rows: list[tuple[str, list[tuple[str, bool]]]]
    words: str = ""


def fidelity(entrants: Sequence[Entrant]) -> Table:
    """Every metric of `FIDELITY` that somebody has, one line per model, and the floor as the last."""
    held = {entrant.name: entrant.metrics() for entrant in entrants}
    names = [name for name in FIDELITY if any(name in metrics for metrics in held.values())]
    rows = []
    for entrant in entrants:
        found = [held[entrant.name].get(name) for name in names]
        rows.append((_label(entrant), [_cell(name, m) for name, m in zip(names, found, strict=True)]))
    first = [next(m for metrics in held.values() if (m := metrics.get(name)) is not None) for name in names]
    floor = [(_floor(name, m), False) for name, m in zip(names, first, strict=True)]
    return Table([FIDELITY[name] for name in names], [*rows, ("real against real", floor)])


def cost(entrants: Sequence[Entrant]) -> Table:
    """Milliseconds per event, size and cost of training."""
    heads = [f"ms, {batch:,} at once" for batch in BATCHES]
    rows = []
    for entrant in (e for e in entrants if e.recipe):
        times = [f"{entrant.speed[batch]:.3g}" if batch in entrant.speed else "" for batch in BATCHES]
        spent = f"{entrant.seconds:,.0f}" if math.isfinite(entrant.seconds) else ""
        size = [f"{entrant.parameters:,}", f"{entrant.megabytes:.2g}", spent]
        rows.append((_label(entrant), [(text, False) for text in (*times, *size)]))
    words = "Per event on one thread, median of several; training in seconds of wall clock as its event files tell."
    return Table([*heads, "parameters", "MB", "training / s"], rows, words)


def _label(entrant: Entrant) -> str:
    return f"{entrant.name} (baseline)" if entrant.baseline else entrant.name


def _cell(name: str, m: Measurement | None) -> tuple[str, bool]:
    if m is None:
        return "", False
    if name == "memorisation/copies":
        return f"{m.value:.0f} : {m.floor:.0f}", m.value > m.floor + 5
    scale, unit = (100.0, "%") if name == "response/bias" else (1.0, "")
    far = name != "fid" and abs(m.above_floor) > 3
    return amount(scale * m.value, scale * m.error, unit), far


def _floor(name: str, m: Measurement) -> str:
    if name == "memorisation/copies" or math.isnan(m.floor):
        return ""
    scale, unit = (100.0, "%") if name == "response/bias" else (1.0, "")
    return amount(scale * m.floor, scale * m.floor_error, unit)


def sentence(entrant: Entrant) -> tuple[str, str, str]:
    """What kind of line this is, the model, and what is said of it."""
    bad = failing(entrant.evaluation)
    said = f"fails in {', '.join(WORDS.get(name, name) for name in bad)}" if bad else "nothing differs from real events"
    m = entrant.metrics().get("auc/observables")
    more = "" if m is None else f"; AUC of trees {amount(m.value, m.error)}"
    time = f"; {entrant.speed[BATCHES[-1]]:.3g} ms per event" if BATCHES[-1] in entrant.speed else ""
    kind = "note" if entrant.baseline else "differs" if bad else "agrees"
    return kind, entrant.name, said + more + time + "."


def write_comparison(path: Path, entrants: Sequence[Entrant], *, title: str, seed: int, machine: str) -> None:
    """Writes the page of a comparison, one self-contained file.

    Args:
        entrants: at least one; the order of the tables.
        machine: on which times were measured.
    """
    held = {entrant.name: entrant.metrics() for entrant in entrants}
    name = next((n for n in ("auc/observables", "auc/cells", "auc/pixels") if all(n in m for m in held.values())), None)
    name = name or "separation"
    timed = [e for e in entrants if BATCHES[-1] in e.speed and name in held[e.name]]
    points = [
        Entry(e.name, e.speed[BATCHES[-1]], held[e.name][name].value, held[e.name][name].error, e.baseline)
        for e in timed
    ]
    front = ""
    if points:
        m = held[timed[0].name][name]
        front = vector(pareto(points, (m.floor, m.floor_error), FIDELITY[name]), "fidelity against speed")
    page = render(
        "comparison.html",
        title=title,
        version=__version__,
        rows=max(e.evaluation.rows.get("reference", 0) for e in entrants),
        seed=seed,
        machine=machine,
        lines=[sentence(e) for e in entrants],
        axis=FIDELITY[name],
        ideal="0.5" if name.startswith("auc") else "0",
        front=front,
        tables=[("Fidelity", fidelity(entrants)), ("Speed, size and cost", cost(entrants))],
    )
    write_atomic(Path(path), page.encode())
