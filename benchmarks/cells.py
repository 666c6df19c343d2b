"""Cells of the tables that compare recipes: one training each, by CPU time, judged, kept under a hash of its code."""

from __future__ import annotations

import argparse
import ast
import datetime
import hashlib
import inspect
import itertools
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loop import hardware
from pace import pace
from torch import nn

from simulacra import recipes
from simulacra.batch import Batch, join
from simulacra.domains import open_data
from simulacra.domains.dataset import parts_of
from simulacra.io.publish import canonical, write_atomic
from simulacra.random import draws, seed_of
from simulacra.surrogate import generate
from simulacra.training.game import Experiment, Player
from simulacra.training.loop import train
from simulacra.training.stream import DataStream, streams_of
from simulacra.workflow import training_spec

PILOT = 40
"""Rounds whose CPU time tells how many fit into the budget."""
HARNESS = 1
"""Raised where this file changes what a cell measures."""


@dataclass(frozen=True)
class Cell:
    """A recipe with its arguments, data, CPU minutes of training and a seed."""

    recipe: str
    data: str
    minutes: float
    seed: int
    arguments: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        told = "".join(f" {k}={v}" for k, v in {**self.arguments, **self.options}.items())
        return f"{self.recipe}{told} on {self.data}, {self.minutes:g} min, seed {self.seed}"


@dataclass
class Trained:
    """A game after its budget.

    Attributes:
        seconds: of CPU that training took; looking is not counted.
        images: real events that the data's stream gave, or, where the game reads none of it, its own streams.
        pace: how slow the machine was, see `pace`; the budget was as much longer.
    """

    experiment: Experiment
    dataset: Any
    rows: Mapping[str, torch.Tensor]
    seed: int
    seconds: float
    images: int
    rounds: int
    pace: float = 1.0

    def sample(self, n: int, given: Mapping[str, torch.Tensor], *words: str) -> Batch:
        """Physical samples; other `words`, other dice."""
        e = self.experiment
        e.model.eval()
        return join(list(generate(e.model, e.codec, n, given, seed_of(self.seed, "samples", *words))))

    def parameters(self) -> dict[str, int]:
        """Numbers that each player moves."""
        players = (p for p in self.experiment.players if isinstance(p, Player))
        return {p.name: sum(w.numel() for w in p.trains.parameters()) for p in players}

    def milliseconds(self, batch: int, repeats: int = 5) -> float:
        """Median time per event of sampling at this batch size."""
        given = {k: v[:1].expand(batch, *v.shape[1:]) for k, v in self.dataset[self.rows["test"][:1]].given.items()}
        model: Any = self.experiment.model
        codec: Any = self.experiment.codec
        times = []
        for _ in range(repeats + 1):
            start = time.perf_counter()
            with torch.no_grad(), draws(1):
                codec.decode(Batch(model.sample(batch, codec.encode_given(given)).x, given))
            times.append(time.perf_counter() - start)
        return sorted(times[1:])[repeats // 2] * 1e3 / batch


@cache
def opened(data: str, options: tuple[tuple[str, Any], ...] = ()) -> tuple[Any, Mapping[str, torch.Tensor]]:
    """The data and the rows of its parts."""
    dataset = open_data(data, **dict(options))
    return dataset, parts_of(dataset)


def build(cell: Cell) -> tuple[Experiment, Any, Mapping[str, torch.Tensor]]:
    """The cell's game before its first round, its data and the rows of their parts."""
    dataset, rows = opened(cell.data, tuple(cell.options.items()))
    chosen = recipes.find(cell.recipe)
    with draws(seed_of(cell.seed, "weights")):
        experiment: Experiment = chosen.build(
            training_spec(dataset, rows["train"]), chosen.resolve(dict(cell.arguments))
        )
    return experiment, dataset, rows


def trained(
    cell: Cell,
    marks: Iterable[int] = (),
    look: Callable[[int, Trained], None] | None = None,
    rounds: int | None = None,
) -> Trained:
    """Plays the recipe's game for the CPU minutes of the cell; `look(images, so far)` at every mark of images seen.

    The number of rounds follows from two pilot games, of `PILOT` rounds and of twice as many, which go through all
    their stages: the second says what a round costs after a beginning that may be dear; where that leaves less than a
    quarter of the first's time, the second is played again with twice as many. A fixed piece of work before, between
    and after them says how slow the machine is just now, and minutes are those of a quiet one. With `rounds`, those of
    the same cell with another seed, there is no pilot: seeds differ by chance alone, and not by what a machine did.
    With 0 minutes the recipe plays its own rounds.
    """
    if not cell.minutes:
        return played(cell, None, sorted(marks), look)
    paces = [pace()]
    if rounds is None:
        begun, pilot, each = played(cell, PILOT).seconds, PILOT, 0.0
        while each * (pilot - PILOT) < begun / 4:
            paces.append(pace())
            pilot *= 2
            each = (played(cell, pilot).seconds - begun) / (pilot - PILOT)
        paces.append(pace())
        budget = 60 * cell.minutes * float(np.mean(paces))
        rounds = max(PILOT, round(PILOT + (budget - begun) / each))
    found = played(cell, rounds, sorted(marks), look)
    found.pace = float(np.mean([*paces, pace()]))
    return found


def played(
    cell: Cell,
    rounds: int | None,
    marks: Iterable[int] = (),
    look: Callable[[int, Trained], None] | None = None,
    alone: str | None = None,
) -> Trained:
    """Plays the recipe's game for so many rounds, or its own; of its players only the one that is named, if one is."""
    experiment, dataset, rows = build(cell)
    experiment.players = [p for p in experiment.players if alone in (None, p.name)]
    experiment.clock = experiment.clock._replace(rounds=rounds or experiment.clock.rounds)
    state = Trained(experiment, dataset, rows, cell.seed, 0.0, 0, 0)
    data = DataStream(dataset, rows["train"], experiment.codec, seed=cell.seed)
    waiting = list(marks)
    streams = streams_of(experiment, data)
    play = train(experiment, streams, seed=cell.seed)
    start = time.process_time()
    for step in play:
        state.seconds += time.process_time() - start
        state.images = _seen(data.state_dict()) or _seen({k: v.state_dict() for k, v in streams.items()})
        state.rounds = step.clock.round
        if waiting and state.images >= waiting[0] and look is not None:
            look(waiting.pop(0), state)
        start = time.process_time()
    experiment.learners.eval()
    experiment.model.eval()
    return state


def _seen(state: Mapping[str, Any]) -> int:
    """Events that a stream, or those of which it is made, has given."""
    if "epoch" in state:
        return state["epoch"] * state["rows"] + state["at"]
    return sum(_seen(value) for value in state.values() if isinstance(value, Mapping))


def code(cell: Cell) -> str:
    """A hash of the code of which the cell's game is made, and of the cell.

    The files counted are the recipe's and those that define what it names and what its modules, terms, codec and hooks
    are instances of; comments and docstrings are not.
    """
    chosen = recipes.find(cell.recipe)
    things: list[Any] = [chosen.function, *recipes.parts_of(chosen)]
    experiment, *_ = build(cell)
    held: list[Any] = [experiment.learners, experiment.model, experiment.codec, *experiment.hooks]
    for root in held:
        things += [type(m) for m in root.modules()] if isinstance(root, nn.Module) else [type(root)]
    for module in experiment.learners.modules():
        for value in vars(module).values():
            things += [type(v) for v in (value if isinstance(value, tuple | list) else [value])]
    files = {inspect.getsourcefile(t) or "" for t in things if getattr(t, "__module__", "").startswith("simulacra.")}
    trees = [(Path(name).name, ast.dump(_Bare().visit(ast.parse(Path(name).read_text())))) for name in sorted(files)]
    return hashlib.sha256(canonical([HARNESS, asdict(cell), trees])).hexdigest()[:12]


class _Bare(ast.NodeTransformer):
    """Takes docstrings away."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else node


def place(folder: Path, cell: Cell) -> Path:
    """Where a cell's numbers lie."""
    told = "-".join([cell.recipe, *(f"{k}={v}" for k, v in {**cell.arguments, **cell.options}.items())])
    return folder / f"{told}-{Path(cell.data).stem.replace(':', '-')}-{cell.minutes:g}min-{cell.seed}.json"


def kept(folder: Path, cell: Cell) -> dict[str, Any] | None:
    """The numbers of a cell if it is there and of today's code."""
    path = place(folder, cell)
    if not path.exists():
        return None
    found = json.loads(path.read_text())
    return found if found["code"] == code(cell) else None


def rounds_of(folder: Path, cell: Cell) -> int | None:
    """The rounds of the same cell with the first seed of which there are numbers of today's code."""
    twins = (kept(folder, replace(cell, seed=seed)) for seed in range(3))
    return next((twin["rounds"] for twin in twins if twin and "rounds" in twin), None)


def longer(folder: Path, short: Sequence[Cell], minutes: float, seeds: Sequence[int], count: int) -> Iterator[Cell]:
    """The `count` of these cells with the least Fréchet distance, for so many minutes and all seeds.

    Which are best is known when all are made; until then come only those longer ones that exist.
    """
    reached = {c.recipe: found.get("fid", [np.inf])[0] for c in short if (found := kept(folder, c))}
    best = sorted(reached, key=lambda name: reached[name])[:count]
    for seed, cell in itertools.product(seeds, short):
        long = replace(cell, minutes=minutes, seed=seed)
        if cell.recipe in best if len(reached) == len(short) else kept(folder, long):
            yield long


def run(folder: Path, cells: Iterable[Cell], measure: Callable[[Cell], dict[str, Any]]) -> None:
    """Makes what is missing, cell by cell, and tells of each."""
    folder.mkdir(parents=True, exist_ok=True)
    for cell in cells:
        if kept(folder, cell) is None:
            start = time.process_time()
            try:
                found = measure(cell)
            except Exception as problem:  # one that fails does not stop the others; the page says so
                found = {"failed": f"{type(problem).__name__}: {problem}"}
            found["busy"] = os.getloadavg()[1] / (os.cpu_count() or 1)
            found["machine"] = hardware().split(",")[0]
            write_atomic(place(folder, cell), canonical({"code": code(cell), **found}))
            print(f"{cell.name}: {time.process_time() - start:.0f} CPU s", file=sys.stderr, flush=True)


def command(
    words: str,
    results: Path,
    cells: Callable[[float, float, Sequence[int]], Iterator[Cell]],
    measure: Callable[[Cell], dict[str, Any]],
    page: Callable[[Sequence[Cell]], str],
    *,
    minutes: float,
    best: float,
    data: Sequence[str],
    out: Path,
) -> None:
    """The command line of a table: makes what is missing, and writes the page of what exists for all seeds."""
    parser = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=minutes, help="of CPU for every recipe")
    parser.add_argument("--best", type=float, default=best, help="of CPU for the best")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", help="these recipes")
    parser.add_argument("--data", nargs="+", choices=data, default=list(data), help="these data")
    parser.add_argument("--page", action="store_true", help="put the page together of what exists")
    parser.add_argument("--out", type=Path, default=out)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if not asked.page:
        wanted = (c for c in cells(asked.minutes, asked.best, asked.seeds) if c.recipe in (asked.only or [c.recipe]))
        run(results, (c for c in wanted if c.data in asked.data), measure)
    whole = list(cells(asked.minutes, asked.best, [0, 1, 2]))
    machines = Counter(f.get("machine", "machines not noted") for c in whole if (f := kept(results, c)))
    where = ", ".join(f"{count} on {name}" for name, count in sorted(machines.items()))
    made = f"Command: `python {sys.argv[0]}`, put together {datetime.date.today()}; trainings: {where}.\n"
    asked.out.write_text(f"{page(whole).rstrip()}\n\n{made}", encoding="utf-8")
