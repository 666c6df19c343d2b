"""`simulacra classify`: the class of events that a run has not seen, and how often it is right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulacra.cli.words import plain

if TYPE_CHECKING:
    from torch import Tensor

    from simulacra.batch import Batch, Field
    from simulacra.evaluation import Measurement
    from simulacra.evaluation.classification import Classes
    from simulacra.surrogate import Surrogate

SUFFIXES = (".csv", ".npz", ".png")
MANY = 100_000
"""Training events that say how frequent classes are."""


def classify(
    run: Annotated[Path, typer.Argument(help="A run folder that reads classes, or is told them and has a density.")],
    file: Annotated[Path | None, typer.Argument(help="Events; by default the run's own held-out ones.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the class, where the run has several.")] = None,
    uniform: Annotated[bool, typer.Option("--uniform", help="Take classes as equally frequent.")] = False,
    draws: Annotated[int, typer.Option(min=1, help="Latents of each event and class, of a model with a bound.")] = 16,
    n: Annotated[int, typer.Option("-n", min=2, help="How many events, at most.")] = 1000,
    out: Annotated[
        Path | None, typer.Option(help="Where to write: .csv or .npz with probabilities, .png of what is confused.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The measurements as JSON, and nothing else.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of the latents.")] = 0,
    recipe: Annotated[str | None, typer.Option(help="The file.py:function of a run with a recipe of your own.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Says to which class events belong: as the run reads it off them, or by Bayes' rule from its density.

    Where the events know their class, also how many were right, beside always saying the commonest class.
    """
    import json

    from simulacra.domains import open_data
    from simulacra.domains.dataset import parts_of
    from simulacra.domains.matching import matched
    from simulacra.errors import UserError, nearest
    from simulacra.evaluation.classification import told_apart
    from simulacra.evaluation.rows import some_of
    from simulacra.surrogate import Surrogate

    if out is not None and (out.suffix not in SUFFIXES or out.is_dir()):
        raise UserError(
            f"expected --out ending in .csv, .npz or .png, came {out.name!r}; {nearest(out.suffix, SUFFIXES)}"
        )
    surrogate = Surrogate.load(run, recipe, device)
    own = surrogate.data
    events = (
        some_of(own, n, parts_of(own)["test"]) if file is None else some_of(matched(open_data(file), surrogate.spec), n)
    )
    if tuple(events.x.shape[1:]) != surrogate.spec.x.shape:
        raise UserError(
            f"expected events of shape {surrogate.spec.x.shape}, {file} has {tuple(events.x.shape[1:])}; convert it"
        )
    found = classes_of(surrogate, events, name, uniform=uniform, draws=draws, seed=seed)
    field, label = surrogate.spec.given[found.name], events.given.get(found.name)
    if label is None and out is not None and out.suffix == ".png":
        raise UserError(f"expected the true {found.name} of events for a .png, {file} has none; write a .csv")
    metrics = {} if label is None else told_apart(found.log_posterior, label, events.weight)
    if out is not None:
        _write(out, found, field, label)
    if as_json:
        print(json.dumps({key: m.to_json() for key, m in metrics.items()}))
        return
    print(f"{len(events):,} events, {plain(found.name)} of {field.levels} classes, {found.way}")
    names = _names(field)
    if metrics:
        for key, meaning in _MEANINGS.items():
            print(f"  {key.partition('/')[2]:<16}{metrics[key]}  {meaning}")
    else:
        counts = found.log_posterior.argmax(1).bincount(minlength=field.levels).tolist()
        print("  " + ", ".join(f"{plain(word)} {count:,}" for word, count in zip(names, counts, strict=True)))
    if out is not None:
        print(f"wrote {plain(out)}")


_MEANINGS = {
    "classified/right": "floor: always the commonest class",
    "classified/surprise": "-log p(true class); floor: by the classes' shares alone",
    "classified/overconfidence": "mean largest probability, less the share that is right",
}


def classes_of(
    surrogate: Surrogate,
    events: Batch,
    name: str | None = None,
    *,
    uniform: bool = False,
    draws: int = 16,
    seed: int = 0,
) -> Classes:
    """What a run says of the classes of physical events; of its only class where none is named.

    Raises:
        UserError: the run knows no such class or several, the events lack a condition, or the run can tell no classes.
    """
    from dataclasses import replace

    import torch

    from simulacra.domains.dataset import parts_of
    from simulacra.errors import UserError, nearest
    from simulacra.evaluation import classification
    from simulacra.evaluation.rows import some_of

    spec = surrogate.spec
    kinds = [k for k, field in spec.given.items() if field.kind == "class" and field.size == 1]
    if not kinds:
        raise UserError(f"expected a run whose data have a class, {spec.name} has none; train on labelled events")
    if name is None and len(kinds) > 1:
        raise UserError(f"expected --name, for the run has several classes; choose among {', '.join(kinds)}")
    name = name or kinds[0]
    if name not in kinds:
        raise UserError(f"expected a class among: {', '.join(kinds)}, came {name!r}; {nearest(name, kinds)}")
    missing = [k for k in spec.given if k != name and k not in events.given]
    if missing:
        raise UserError(f"expected the condition {missing[0]!r}, the events have {sorted(events.given)}; add it")
    field = spec.given[name]
    unknown = torch.zeros(len(events), *field.shape, dtype=torch.long)
    asked = replace(events, given={k: unknown if k == name else events.given[k] for k in spec.given})
    seen = some_of(surrogate.data, MANY, parts_of(surrogate.data)["train"])
    rows = torch.arange(len(seen)) if seen.weight is None else seen.weight.nonzero()[:, 0]
    weight = torch.ones(len(rows)) if seen.weight is None else seen.weight[rows]
    label = seen.given[name].flatten().long()[rows]
    shares = label.bincount(weight / weight.mean(), minlength=field.levels) + 1.0  # no class is impossible
    shares = shares / shares.sum()
    return classification.classify(surrogate.experiment, asked, name, shares, uniform=uniform, draws=draws, seed=seed)


def classes_read(surrogate: Surrogate, events: Batch) -> dict[str, Measurement]:
    """How well a run whose data have one class reads it off events that know it; nothing where it does not read it."""
    from simulacra.evaluation.classification import read_off, told_apart

    kinds = [k for k, field in surrogate.spec.given.items() if field.kind == "class" and field.size == 1]
    if len(kinds) != 1 or kinds[0] not in events.given:
        return {}
    found = read_off(surrogate.experiment, events, kinds[0])
    return {} if found is None else told_apart(found, events.given[kinds[0]], events.weight)


def _names(field: Field) -> list[str]:
    return list(field.names) or [str(k) for k in range(field.levels)]


def _write(out: Path, found: Classes, field: Field, label: Tensor | None) -> None:
    """One row for each event: the true class where it is known, the most probable one, and all probabilities."""
    import csv
    import io

    import numpy as np

    from simulacra import figures
    from simulacra.cli.files import write_bytes
    from simulacra.evaluation.classification import confusions
    from simulacra.figures import conditioning

    p, names = found.log_posterior.exp(), _names(field)
    best = p.argmax(1).tolist()
    true = None if label is None else label.flatten().tolist()
    if out.suffix == ".png":
        assert label is not None
        counts = confusions(found.log_posterior, label)
        write_bytes(out, figures.png(conditioning.confusions(counts.numpy(), names, found.name)))
    elif out.suffix == ".npz":
        box = io.BytesIO()
        known: dict[str, Any] = {} if label is None else {"true": np.array(true)}
        np.savez_compressed(box, probability=p.numpy(), best=np.array(best), names=np.array(names), **known)
        write_bytes(out, box.getvalue())
    else:
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow([*(["true"] if true else []), "best", *(f"p({name})" for name in names)])
        for k, row in enumerate(p.tolist()):
            table.writerow([*([names[true[k]]] if true else []), names[best[k]], *(f"{value:.6g}" for value in row)])
        write_bytes(out, text.getvalue().encode())
