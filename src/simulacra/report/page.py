"""The report: a verdict first, then every number with its error, then every picture. One file, opens offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simulacra import __version__
from simulacra.batch import Batch, DataSpec
from simulacra.evaluation import Evaluation
from simulacra.io.publish import write_atomic
from simulacra.protocols import Observable
from simulacra.report import sections, tables
from simulacra.report.render import render


def write_report(
    path: Path,
    *,
    title: str,
    config: Mapping[str, Any] | None,
    evaluation: Evaluation,
    verdict: Sequence[str],
    reference: Batch,
    generated: Batch,
    spec: DataSpec,
    observables: Sequence[Observable],
    losses: Mapping[str, Sequence[tuple[int, float]]],
    speed: Mapping[str, float],
    baseline: Evaluation | None = None,
) -> None:
    """Writes the page in one step: readers find the old one or the new one.

    Args:
        config: what was run: recipe, arguments, seed, versions.
        verdict: sentences, first things first.
        reference: real events [N, *event], physical; `generated` at the same conditions.
        losses: quantity, named `player/quantity` -> (round, value) pairs.
        speed: name -> number: milliseconds per event, the ratio to the simulator.
        baseline: the same judge on events of a simple model, for a column beside the values.
    """
    seen = {o.name: (o, sections.values_of(o, reference), sections.values_of(o, generated)) for o in observables}
    metrics = evaluation.metrics
    said = tables.sorted_verdict(verdict)
    page = render(
        "template.html",
        title=title,
        version=__version__,
        lead=[line for kind, line in said if kind == "usable"],
        verdict=[(kind, line) for kind, line in said if kind != "usable" and not line.startswith("Judged on")],
        evaluation=evaluation,
        speed=tables.speeds(speed),
        leading=tables.leading(metrics, baseline.metrics if baseline else None),
        baseline=baseline is not None,
        energies=tables.by_energy(metrics),
        numbers=tables.by_observable(metrics, list(seen)),
        kinds=[k for k in tables.KINDS if any(name.startswith(f"{k}/") for name in metrics)],
        sections=list(sections.sections(reference, generated, spec, seen, evaluation, losses)),
        observables=sections.observables(seen, metrics),
        config=tables.flat(config or {}),
    )
    write_atomic(Path(path), page.encode())
