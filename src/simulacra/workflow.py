"""From data to a trained run: what `simulacra train` does, for a caller in Python as well."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from simulacra import recipes
from simulacra.batch import DataSpec
from simulacra.domains import open_data
from simulacra.domains.dataset import parts_of
from simulacra.errors import UserError
from simulacra.protocols import Dataset
from simulacra.surrogate import Surrogate, build
from simulacra.training import run
from simulacra.training.alarms import Alarms
from simulacra.training.engine import Engine
from simulacra.training.events import EventLog
from simulacra.training.game import Experiment
from simulacra.training.loop import Step, train
from simulacra.training.stream import DataStream, streams_of


def training_spec(dataset: Dataset, rows: Tensor) -> DataSpec:
    """The data as seen in training: the spec with the rows and the range of every condition among them."""
    given = dict(dataset.spec.given)
    for name, field in given.items():
        if field.kind == "real":
            low, high = float("inf"), float("-inf")
            step = max(256, 2**26 // max(dataset.spec.x.size, 1))
            for start in range(0, len(rows), step):
                values = dataset[rows[start : start + step]].given[name]
                low, high = min(low, float(values.min())), max(high, float(values.max()))
            given[name] = replace(field, range=(low, high))
    return replace(dataset.spec, given=given, rows=len(rows))


@dataclass(eq=False)
class Training:
    """A run that is being trained: `for step in training.rounds(): ...`."""

    folder: Path
    config: run.RunConfig
    experiment: Experiment
    streams: Mapping[str, DataStream]
    engine: Engine
    passed: list[str]

    def rounds(self, checkpoint_every: int | None = None) -> Generator[Step, None, None]:
        """Plays to the end of the budget, logs every round, and publishes checkpoints; also when left early."""
        clock = self.experiment.clock
        every = checkpoint_every or max(1, clock.rounds // 10)
        first = self.engine.rank == 0
        with ExitStack() as stack:
            if first:
                stack.enter_context(run.locked(self.folder))
            log = run.LossLog(self.folder, clock.round, active=first)
            events = EventLog(self.folder, clock.round, active=first)
            stack.callback(events.close)
            watch = self._alarms() if first else None
            try:
                for step in train(
                    self.experiment, self.streams, seed=self.config.seed, engine=self.engine, watch=watch
                ):
                    if watch is not None:
                        watch.look(step.clock)
                    log.add(step)
                    events.add(step)
                    if step.clock.round % every == 0 or step.clock.round == step.clock.rounds:
                        log.flush()
                        self.save()
                    yield step
            except GeneratorExit:
                log.flush()
                self.save()
                raise

    def _alarms(self) -> Alarms:
        dataset = self.streams["data"].dataset
        held_out = parts_of(dataset)["validation"][:256]
        return Alarms(self.experiment, self.streams, dataset[held_out] if len(held_out) else None)

    def save(self) -> None:
        """Publishes a checkpoint of this round."""
        run.save(self.folder, self.experiment, self.streams, self.engine)

    def surrogate(self) -> Surrogate:
        """The trained model, put to work."""
        return Surrogate.load(self.folder, self.config.recipe if ".py:" in self.config.recipe else None)


def _streams(
    config: run.RunConfig, dataset: Dataset, rows: Tensor, experiment: Experiment, engine: Engine
) -> dict[str, DataStream]:
    block = 256 if hasattr(dataset, "blocks") else 0  # showers that stay on disk
    experiment.learners.to(engine.device)
    codec: Any = experiment.codec
    codec.to(engine.device)
    data = DataStream(dataset, rows, experiment.codec, seed=config.seed, engine=engine, block=block)
    return streams_of(experiment, data)


def begin(
    folder: str | Path,
    recipe: str,
    data: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    rounds: int | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "float32",
    threads: int | None = None,
    **options: Any,
) -> Training:
    """A new run in `folder`, ready for its first round.

    Raises:
        UserError: the recipe, the data or an argument does not fit, or the folder is taken.
    """
    for name, value in (("rounds", rounds), ("batch-size", batch_size), ("threads", threads)):
        if value is not None and value < 1:
            raise UserError(f"expected --{name} of at least 1, came {value}; leave it out for the recipe's own")
    chosen = recipes.find(recipe)
    resolved = json.loads(json.dumps(chosen.resolve(arguments or {})))  # what a later rebuild will read
    dataset = open_data(data, **options)
    rows = parts_of(dataset)["train"]
    engine = Engine.start(device, precision)
    config = run.RunConfig(
        chosen.name,
        resolved,
        {"name": data, "options": {k: v for k, v in options.items() if k != "fetch"}},
        training_spec(dataset, rows),
        seed,
        rounds or 0,
        batch_size,
        threads or 0,
        precision,
        run.RunConfig.versions_here(),
    )
    named = chosen.name if ".py:" in chosen.name else None
    experiment = build(config, named)
    config = replace(config, rounds=rounds or experiment.rounds)
    experiment.clock = experiment.clock._replace(rounds=config.rounds)
    if threads is None:
        threads = measured_threads(lambda: build(config, named), lambda e: _streams(config, dataset, rows, e, engine))
    config = replace(config, threads=threads)
    torch.set_num_threads(threads)
    if engine.rank == 0:
        run.create(Path(folder), config)
    engine.barrier()
    return Training(Path(folder), config, experiment, _streams(config, dataset, rows, experiment, engine), engine, [])


def proceed(
    folder: str | Path, recipe: str | None = None, *, device: str = "auto", data: str | None = None
) -> Training:
    """The run in `folder`, put back to its newest sound checkpoint.

    Raises:
        UserError: there is no run, or the recipe or the data are not those of the run.
    """
    place = Path(folder)
    config = run.RunConfig.read(place)
    if data is not None and data != config.data["name"]:
        raise UserError(f"expected the run's data {config.data['name']!r}, came {data!r}; leave --data out")
    dataset = open_data(config.data["name"], **config.data["options"])
    if dataset.spec.fingerprint != config.spec.fingerprint:
        raise UserError(f"expected the data of the run, {config.data['name']} has changed; bring the old file back")
    engine = Engine.start(device, config.precision)
    torch.set_num_threads(config.threads)
    experiment = build(config, recipe)
    streams = _streams(config, dataset, parts_of(dataset)["train"], experiment, engine)
    passed = run.resume(place, experiment, streams, engine)
    return Training(place, config, experiment, streams, engine, passed)


def measured_threads(make: Callable[[], Experiment], streams: Callable[[Experiment], Any], seconds: float = 1.5) -> int:
    """The number of threads on which this game plays fastest here: small networks lose by sharing their work."""
    best, most = (float("inf"), 1), torch.get_num_threads()
    for threads in dict.fromkeys((1, most)):
        if most == 1:
            return 1
        torch.set_num_threads(threads)
        experiment = make()
        play = train(experiment, streams(experiment))
        next(play)
        start, count = time.perf_counter(), 0
        for _ in play:
            count += 1
            if time.perf_counter() - start > seconds:
                break
        play.close()
        best = min(best, ((time.perf_counter() - start) / max(count, 1), threads))
    return best[1]


def fit(recipe: str, data: str, out: str | Path, **options: Any) -> Surrogate:
    """Trains a recipe on data into the run folder `out`, and gives the surrogate."""
    training = begin(out, recipe, data, **options)
    for _ in training.rounds():
        pass
    return training.surrogate()
