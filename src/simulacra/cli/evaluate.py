"""`simulacra evaluate`: how faithful a run or a file of events is, with errors and floors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

if TYPE_CHECKING:
    from simulacra.batch import Batch
    from simulacra.evaluation import Evaluation, Measurement
    from simulacra.protocols import Dataset
    from simulacra.surrogate import Surrogate

LEAST = 80
"""Events without which nothing can be judged."""
ASKED = 300
"""Real events whose likelihood is asked."""
RANKED, DRAWS, MOST_NUMBERS = 500, 9, 2**22
"""Real events, each ranked among so many that are made at its conditions, where these hold no more numbers."""


def evaluate(
    context: typer.Context,
    what: Annotated[Path, typer.Argument(help="A run folder, or a file of events.")],
    reference: Annotated[
        Path | None, typer.Option(help="Real events; by default the test part of the run's data.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The metrics as JSON, and nothing else.")] = False,
    fast: Annotated[bool, typer.Option("--fast", help="At most 1,000 events, and fewer classifiers.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of the generated events and of the judge.")] = 0,
    limit: Annotated[int, typer.Option(help="At most this many reference events.")] = 10_000,
    report: Annotated[
        Path | None, typer.Option(help="Where to write the page; by default report.html beside it.")
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="The file.py:function of a run with a recipe of your own.")] = None,
) -> None:
    """Judges generated events against real ones at the same conditions, and writes a report.

    What a recipe does in sampling alone may be another than in training, such as --steps 25 of a diffusion model.
    """
    from simulacra.cli.train import recipe_arguments
    from simulacra.errors import UserError
    from simulacra.surrogate import Surrogate

    if limit < LEAST:
        raise UserError(f"expected --limit of at least {LEAST} events, came {limit}; a judge needs events")
    page = report or (what / "report.html" if what.is_dir() else what.with_suffix(".html"))
    if page.is_dir() or page.suffix != ".html":
        raise UserError(f"expected --report ending in .html, came {page}; name a file")
    sampling = recipe_arguments(context.args)
    if what.is_dir():
        surrogate = Surrogate.load(what, recipe, sampling=sampling)
        evaluation, speed, lines = judge_run(surrogate, reference, seed=seed, fast=fast, limit=limit, page=page)
    else:
        if sampling:
            raise UserError(f"expected a run to be sampled with --{next(iter(sampling))}, {what} is no run folder")
        if reference is None:
            raise UserError(f"expected --reference for the file {what}, came nothing; name a file of real events")
        evaluation, lines = judge_file(what, reference, page, seed=seed, fast=fast, limit=limit)
        speed = {}
    if as_json:
        print(json.dumps({name: m.to_json() for name, m in evaluation.metrics.items()}))
        return
    print_table(evaluation, speed, lines)
    print(f"report: {page}")


def judge_run(
    surrogate: Surrogate,
    reference: Path | None,
    *,
    seed: int = 0,
    fast: bool = False,
    limit: int = 10_000,
    page: Path | None = None,
) -> tuple[Evaluation, dict[str, float], list[str]]:
    """Judges a run at the reference's conditions and writes its report.

    Raises:
        UserError: the data of the run are gone, or the reference does not fit them.
    """
    from dataclasses import asdict, replace

    from simulacra import domains, evaluation
    from simulacra.cli.classify import classes_read
    from simulacra.domains.dataset import parts_of
    from simulacra.domains.matching import matched
    from simulacra.evaluation.calibration import of_observables
    from simulacra.evaluation.held_out import held_out
    from simulacra.evaluation.rows import some_of
    from simulacra.report import write_report
    from simulacra.training.run import read_losses

    spec = surrogate.spec
    own = whole(surrogate)
    parts = parts_of(own)
    train = some_of(own, limit, parts["train"])
    other = own if reference is None else matched(domains.open_data(reference), own.spec)
    events = some_of(other, limit, parts["test"] if reference is None else None)
    made = counterpart(surrogate, events, seed)
    observables = domains.observables(spec)
    found = evaluation.evaluate(events, made, spec, observables, train, fast, seed, foreign=reference is not None)
    speed = {"ms at batch 1": surrogate.milliseconds(1), "ms at batch 1000": surrogate.milliseconds(1000)}
    model, codec = cast("Any", surrogate.experiment.model), surrogate.experiment.codec
    more = {**held_out(model, codec, some_of(events, ASKED), seed=seed), **codes_of(surrogate, events, train, seed)}
    more |= classes_read(surrogate, events)
    small = RANKED * DRAWS * spec.x.size <= MOST_NUMBERS
    if spec.given and events.weight is None and not fast and small:
        some = some_of(events, RANKED)
        more |= of_observables(model, codec, some, spec, observables, count=DRAWS, seed=seed + 2)
    found = replace(found, metrics={**found.metrics, **more})
    simulator = domains.simulator_ms(spec, events)
    if simulator is not None:
        speed["times faster than the simulator"] = simulator / speed["ms at batch 1000"]
    if surrogate.evaluations:
        speed["calls of the network for each event"] = surrogate.evaluations
    lines = evaluation.verdict(found)
    told = {"sampling": dict(surrogate.sampling)} if surrogate.sampling else {}
    write_report(
        page or surrogate.folder / "report.html",
        title=f"{surrogate.config.recipe} on {spec.name}",
        config={**asdict(surrogate.config), "spec": None, **told},
        evaluation=found,
        verdict=lines,
        reference=drawn(events),
        generated=drawn(made),
        spec=spec,
        observables=observables,
        losses=read_losses(surrogate.folder),
        speed=speed,
    )
    return found, speed, lines


def whole(surrogate: Surrogate) -> Dataset:
    """The data of a run with all their conditions, for a judge knows also what the run was not told."""
    from simulacra.domains import open_data

    data = surrogate.config.data
    return open_data(data["name"], **{name: value for name, value in data["options"].items() if name != "ignore"})


def counterpart(surrogate: Surrogate, events: Batch, seed: int) -> Batch:
    """What a run makes in the place of real events, at their conditions; without classes to which it does not listen.

    Where real events are weighted, what is made at their conditions takes their weights, so that conditions are as
    frequent on both sides; what is made without conditions needs none.

    Raises:
        UserError: its events have another shape, or it needs a condition that the real ones do not have.
    """
    from simulacra.batch import Batch
    from simulacra.errors import UserError

    spec, came = surrogate.spec, tuple(events.x.shape[1:])
    if came != spec.x.shape:
        raise UserError(
            f"expected events of shape {spec.x.shape} for {surrogate.folder.name}, the reference has {came}"
        )
    missing = [name for name in spec.given if name not in events.given]
    if missing:
        raise UserError(f"expected the condition {missing[0]!r} in the reference, it has {sorted(events.given)}")
    given = {name: events.given[name] for name in spec.given}
    made = surrogate.sample(len(events), given, seed=seed + 1, extrapolate=True)
    heard = surrogate.listens_to()
    kept = {k: v for k, v in made.given.items() if k in heard or spec.given[k].kind != "class"}
    return Batch(made.x, kept, weight=events.weight if spec.given else None)


def codes_of(surrogate: Surrogate, events: Batch, train: Batch, seed: int) -> dict[str, Measurement]:
    """The mutual information gap of a run that encodes events whose factors are known and not told to it; else nothing.

    `mig` of the means of q(z | x), and `mig/pca` of as many principal components of the training events.
    """
    import torch
    from sklearn.decomposition import PCA

    from simulacra.evaluation.disentanglement import FEWEST, mutual_information_gap
    from simulacra.evaluation.latent import codes
    from simulacra.protocols import Encoder
    from simulacra.random import draws, seed_of

    spec, model = surrogate.spec, surrogate.experiment.model
    factors = [name for name in (spec.geometry or {}).get("factors", {}) if name not in spec.given]
    known = bool(factors) and all(name in events.given for name in factors)
    if not known or not isinstance(model, Encoder) or len(events) < FEWEST:
        return {}
    with draws(seed_of(seed, "codes")):  # a codec may blur grey levels
        pieces = [
            codes(model, surrogate.experiment.codec, events[rows]) for rows in torch.arange(len(events)).split(1024)
        ]
    z, v = torch.cat(pieces), torch.cat([events.given[name] for name in factors], 1)
    if z.dim() != 2 or z.shape[1] < 2:  # the class of a mixture, say
        return {}
    x, seen = (batch.x.flatten(1).numpy() for batch in (events, train))
    plain = PCA(min(z.shape[1], *seen.shape), random_state=0).fit(seen).transform(x)
    return {
        "mig": mutual_information_gap(z, v, seed=seed),
        "mig/pca": mutual_information_gap(plain, v, seed=seed),
    }


def drawn(events: Batch) -> Batch:
    """Events as the page draws them: of weighted ones those that acceptance by weight leaves, where they are enough."""
    from simulacra.evaluation.weights import accepted

    kept = accepted(events)
    return kept if len(kept) >= LEAST else events


def judge_file(
    what: Path, reference: Path, page: Path, *, seed: int, fast: bool, limit: int
) -> tuple[Evaluation, list[str]]:
    """Judges a file of events against a file of real ones."""
    from simulacra import domains, evaluation
    from simulacra.domains.matching import matched
    from simulacra.errors import UserError
    from simulacra.evaluation.rows import some_of
    from simulacra.report import write_report

    data, real = domains.open_data(what), domains.open_data(reference)
    if data.spec.x.shape != real.spec.x.shape:
        raise UserError(f"expected events of shape {real.spec.x.shape}, {what} has {data.spec.x.shape}; name another")
    n = min(limit, len(data), len(real))
    made, (events, others) = some_of(matched(data, real.spec), n), _dealt(real, n)
    observables = domains.observables(real.spec)
    found = evaluation.evaluate(events, made, real.spec, observables, train=others, fast=fast, seed=seed)
    lines = evaluation.verdict(found)
    write_report(
        page,
        title=f"{what.name} against {reference.name}",
        config=None,
        evaluation=found,
        verdict=lines,
        reference=drawn(events),
        generated=drawn(made),
        spec=real.spec,
        observables=observables,
        losses={},
        speed={},
    )
    return found, lines


def _dealt(real: Dataset, n: int) -> tuple[Batch, Batch | None]:
    """n real events, and as many others for the floors where there are so many, both from all over the file."""
    from simulacra.evaluation.rows import some_of

    if len(real) < 2 * n:
        return some_of(real, n), None
    both = some_of(real, 2 * n)
    return both[slice(0, None, 2)], both[slice(1, None, 2)]


_FIRST = ("response/", "resolution/", "auc/", "js/", "memorisation/", "modes/", "fid", "class", "nll", "mig")


def print_table(evaluation: Evaluation, speed: dict[str, float], lines: list[str]) -> None:
    """The verdict, the leading metrics with error and floor, and the worst separations."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for line in lines:
        console.print(line, highlight=False)
    table = Table(box=None, pad_edge=False)
    for head in ("metric", "value ± error", "floor"):
        table.add_column(head, justify="left" if head == "metric" else "right")
    separations = sorted(
        (m for m in evaluation.metrics.items() if m[0].startswith("separation/")), key=lambda m: -m[1].value
    )
    for name, m in [*(m for m in evaluation.metrics.items() if m[0].startswith(_FIRST)), *separations[:5]]:
        table.add_row(name, *str(m).removesuffix(")").split(" (floor "))
    console.print(table)
    for name, value in speed.items():
        console.print(f"{name}: {value:,.3g}", highlight=False)
