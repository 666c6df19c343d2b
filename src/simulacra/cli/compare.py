"""`simulacra compare`: runs and files side by side, before the same reference, beside baselines."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from simulacra.batch import Batch, DataSpec
    from simulacra.report.comparison import Entrant
    from simulacra.surrogate import Surrogate

LIKELIHOODS = 300
"""Events whose density is computed."""
BASELINES = ("marginals", "pca_gaussian", "resampler", "untrained", "gflash")
"""Recipes that every model must beat."""


def compare(
    what: Annotated[list[Path], typer.Argument(help="Run folders and files of events.")],
    reference: Annotated[
        Path | None, typer.Option(help="Real events; by default the test part of the first run's data.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All numbers as JSON, and nothing else.")] = False,
    full: Annotated[bool, typer.Option("--full", help="More events and classifiers: minutes for each model.")] = False,
    baselines: Annotated[bool, typer.Option(help="Beside the baselines that every model must beat.")] = True,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of the generated events and of the judge.")] = 0,
    limit: Annotated[int, typer.Option(help="At most this many reference events.")] = 10_000,
    report: Annotated[Path, typer.Option(help="Where to write the page.")] = Path("comparison.html"),
) -> None:
    """Judges runs and files before the same reference: fidelity, speed, size and cost in one table and one page."""
    from simulacra.errors import UserError
    from simulacra.report.comparison import write_comparison

    if report.is_dir() or report.suffix != ".html":
        raise UserError(f"expected --report ending in .html, came {report}; name a file")
    names = [place.resolve().name for place in what]
    if len(set(names)) < len(names):
        raise UserError(f"expected runs of different names, came {', '.join(names)}; rename one")
    entrants = gather(what, reference, full=full, baselines=baselines, seed=seed, limit=limit)
    if as_json:
        print(json.dumps({entrant.name: entrant.to_json() for entrant in entrants}))
        return
    write_comparison(report, entrants, title=" against ".join(names[:4]), seed=seed, machine=machine())
    print_tables(entrants)
    print(f"page: {report}")


def gather(
    what: Sequence[Path], reference: Path | None, *, full: bool, baselines: bool, seed: int, limit: int
) -> list[Entrant]:
    """Loads, samples, times and judges every entrant at the conditions of the same reference.

    Raises:
        UserError: an entrant has events of another shape, or a file comes without a reference.
    """
    from simulacra import domains
    from simulacra.cli.evaluate import whole
    from simulacra.domains.dataset import parts_of
    from simulacra.errors import UserError
    from simulacra.evaluation.rows import some_of
    from simulacra.surrogate import Surrogate

    runs = {place: Surrogate.load(place) for place in what if place.is_dir()}
    first = next(iter(runs.values()), None)
    own = None if first is None else whole(first)
    if reference is not None:
        real = domains.open_data(reference)
        events, spec = some_of(real, limit), real.spec
    elif own is not None:
        events, spec = some_of(own, limit, parts_of(own)["test"]), own.spec
    else:
        raise UserError("expected --reference beside files of events, came nothing; name a file of real events")
    train = None if own is None else some_of(own, limit, parts_of(own)["train"])
    foreign, home, out = reference is not None, None if first is None else first.config.data, []
    for place in what:
        if place in runs:
            run, name = runs[place], place.resolve().name
            other = foreign or run.config.data != home
            out.append(_run(run, name, events, spec, full=full, seed=seed, limit=limit, foreign=other))
        else:
            out.append(_file(place, events, spec, train, full=full, seed=seed, foreign=foreign))
    if baselines and first is not None:
        out += _baselines(first, events, spec, full=full, seed=seed, limit=limit, foreign=foreign)
    return out


def _run(
    surrogate: Surrogate,
    name: str,
    events: Batch,
    spec: DataSpec,
    *,
    full: bool,
    seed: int,
    limit: int,
    foreign: bool,
) -> Entrant:
    from simulacra import domains, evaluation, recipes
    from simulacra.cli.evaluate import counterpart, whole
    from simulacra.domains.dataset import parts_of
    from simulacra.domains.matching import described, retold
    from simulacra.evaluation.held_out import held_out
    from simulacra.evaluation.rows import some_of
    from simulacra.report.comparison import BATCHES, Entrant

    own = whole(surrogate)
    train = some_of(own, limit, parts_of(own)["train"])
    events, spec = retold(events, spec, own.spec), described(spec, own.spec)
    made = counterpart(surrogate, events, seed)
    observables = domains.observables(spec)
    found = evaluation.evaluate(events, made, spec, observables, train, not full, seed, foreign=foreign)
    experiment = surrogate.experiment
    density = held_out(experiment.model, experiment.codec, some_of(events, LIKELIHOODS), seed=seed)
    model = experiment.model
    size = sum(p.numel() for p in model.parameters()), sum(t.nbytes for t in model.state_dict().values()) / 1e6
    return Entrant(
        name,
        replace(found, metrics={**found.metrics, **density}),
        recipes.find(surrogate.config.recipe).family if ".py:" not in surrogate.config.recipe else "",
        surrogate.config.recipe,
        {batch: surrogate.milliseconds(batch, 1 if batch > 1000 else 3) for batch in BATCHES},
        *size,
        training_seconds(surrogate.folder),
    )


def _file(
    place: Path, events: Batch, spec: DataSpec, train: Batch | None, *, full: bool, seed: int, foreign: bool
) -> Entrant:
    from simulacra import domains, evaluation
    from simulacra.domains.matching import matched
    from simulacra.errors import UserError
    from simulacra.report.comparison import Entrant

    data = matched(domains.open_data(place), spec)
    if data.spec.x.shape != spec.x.shape:
        raise UserError(f"expected events of shape {spec.x.shape}, {place} has {data.spec.x.shape}; name another")
    made = data[slice(0, len(events))]
    events, observables = events[: len(made)], domains.observables(spec)
    found = evaluation.evaluate(events, made, spec, observables, train, not full, seed, foreign=foreign)
    return Entrant(place.name, found)


def _baselines(
    first: Surrogate, events: Batch, spec: DataSpec, *, full: bool, seed: int, limit: int, foreign: bool
) -> list[Entrant]:
    """The baselines of this layout, trained on the first run's data."""
    from simulacra import recipes, workflow

    out = []
    with tempfile.TemporaryDirectory() as place:
        for name in (n for n in BASELINES if spec.layout in recipes.table()[n]["domain"]):
            data = first.config.data
            surrogate = workflow.fit(name, data["name"], Path(place) / name, seed=seed, threads=1, **data["options"])
            entrant = _run(surrogate, name, events, spec, full=full, seed=seed, limit=limit, foreign=foreign)
            out.append(replace(entrant, baseline=True))
    return out


def training_seconds(folder: Path) -> float:
    """Wall clock of training as the run's event files tell it, over all its sessions; NaN without them."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    total = []
    for path in sorted((folder / "events").glob("events.out.*")):
        times = [event.wall_time for event in EventFileLoader(str(path)).Load()]
        total += [max(times) - min(times)] if times else []
    return sum(total) if total else float("nan")


def machine() -> str:
    """What the times were measured on, in words."""
    import os
    import platform

    import torch

    return f"Times on {platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}."


def print_tables(entrants: Sequence[Entrant]) -> None:
    """One line per model, then the tables of the page."""
    from rich.console import Console
    from rich.table import Table

    from simulacra.report.comparison import cost, fidelity, sentence

    console = Console(width=None if sys.stdout.isatty() else 200)
    for kind, name, line in (sentence(e) for e in entrants):
        console.print(f"{name}{' (baseline)' if kind == 'note' else ''}: {line}", highlight=False)
    for held in (fidelity(entrants), cost(entrants)):
        table = Table(box=None, pad_edge=False)
        table.add_column("model")
        for head in held.columns:
            table.add_column(head, justify="right")
        for name, cells in held.rows:
            table.add_row(name, *(text for text, _ in cells))
        console.print(table)
