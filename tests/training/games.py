"""A two-player game with every kind of state, and ways to train it that a test may kill."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from simulacra.batch import Batch, DataSpec, Field
from simulacra.testing import Rows, Unchanged, streams_for
from simulacra.training import run
from simulacra.training.averaging import EMA, averaged_copy
from simulacra.training.engine import Engine
from simulacra.training.game import Clock, Experiment, Loss, Player, Solver, every, linear_decay, modules
from simulacra.training.loop import train
from simulacra.training.stream import DataStream, Weighed

SPEC = DataSpec("plane", "vector", Field((2,)))


def points(n: int = 97, dtype: torch.dtype = torch.float32, weighted: bool = False) -> Rows:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(n, 2, generator=generator, dtype=dtype) * torch.tensor([1.0, 0.3], dtype=dtype) + 1
    weight = torch.rand(n, generator=generator, dtype=dtype) + 0.5 if weighted else None
    return Rows(SPEC, Batch(x, weight=weight))


class Table(nn.Module):
    """The mean of what came, by a closed form."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2))

    def collect(self, batch: Batch) -> dict[str, Tensor]:
        return {"n": torch.tensor(float(len(batch))), "sum": batch.x.sum(0)}

    def solve(self, sums: Mapping[str, Tensor]) -> Loss:
        self.mean.lerp_(sums["sum"] / sums["n"], 0.1)
        return Loss({"moved": self.mean.square().sum()})


class Duel:
    """Generator with batch norm and dropout, critic with spectral norm, an average, a table, a replay of fakes."""

    def __init__(self, rows: Rows) -> None:
        self.generator = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 2))
        self.critic = nn.Sequential(spectral_norm(nn.Linear(2, 8)), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))
        self.table, self.average = Table(), averaged_copy(self.generator)
        self.sharp = averaged_copy(self.critic)
        self.replay = nn.Module()
        self.replay.register_buffer("fakes", torch.zeros(4, 2))
        adam = torch.optim.Adam(self.critic.parameters(), lr=1e-2, betas=(0.5, 0.9))
        own = DataStream(rows, torch.arange(len(rows)), Unchanged(), seed=8)
        critic_and_replay = modules(critic=self.critic, replay=self.replay)
        self.experiment = Experiment(
            model=self.average,
            players=[
                Player("critic", critic_and_replay, self.judge, adam, repeats=2, accumulate=2, after=[self.remember]),
                Player("slope", self.critic, self.slope, adam, when=every(3), stream=own),
                Player(
                    "generator",
                    self.generator,
                    self.please,
                    torch.optim.RMSprop(self.generator.parameters(), lr=1e-2),
                    clip=0.5,
                    schedule=linear_decay(0.5, 0.2),
                ),
                Solver("table", self.table, self.table.collect, self.table.solve, accumulate=3),
            ],
            codec=Unchanged(),
            rounds=8,
            batch_size=lambda clock: 10 + clock.round % 5,
            learners=modules(
                generator=self.generator,
                critic=self.critic,
                table=self.table,
                average=self.average,
                sharp=self.sharp,
                replay=self.replay,
            ),
            hooks=[EMA(self.generator, self.average, 0.9), EMA(self.critic, self.sharp, 0.9, every=2)],
        )

    def fake(self, n: int) -> Tensor:
        return self.generator(torch.randn(n, 3)) + self.table.mean

    def judge(self, batch: Batch) -> Loss:
        real, fake = self.critic(batch.x)[:, 0], self.critic(self.fake(len(batch)))[:, 0]
        return Loss({"gap": fake.mean() - real.mean(), "size": real.square().mean()}, {"real": real.mean()})

    def slope(self, batch: Batch) -> Loss:
        x = batch.x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(x).sum(), x, create_graph=True)
        return Loss({"r1": slope.square().sum(1).mean()})

    def please(self, batch: Batch) -> Loss:
        return Loss({"score": -self.critic(self.fake(len(batch))).mean()})

    def remember(self, batch: Batch, seen: Mapping[str, Tensor]) -> None:
        self.replay.fakes.mul_(0.9).add_(batch.x[:4] * seen["gap"])


def duel(rows: Rows | None = None) -> Experiment:
    return Duel(rows or points()).experiment


def play(
    folder: str, rounds: int = 24, every_: int = 2, build: Any = duel, seed: int = 7, timeout_s: float = 60.0
) -> None:
    """What a trainer does: owns the folder, goes on from the newest checkpoint, logs, saves."""
    torch.set_num_threads(1)
    place, engine = Path(folder), Engine.start("cpu", timeout_s=timeout_s)
    torch.manual_seed(1)
    experiment = build()
    experiment.clock = Clock(0, rounds)
    streams = streams_for(experiment, points(), seed, engine=engine)
    config = run.RunConfig("duel", {}, {"name": "duel", "options": {}}, SPEC, seed, rounds, None, 1, "float32", {})
    if engine.rank == 0:
        place.mkdir(parents=True, exist_ok=True)
        with run.locked(place):
            if not (place / "run.json").exists():
                run.create(place, config)
            engine.barrier()
            _play(place, experiment, streams, engine, every_, seed)
    else:
        engine.barrier()
        _play(place, experiment, streams, engine, every_, seed)


def _play(place: Path, experiment: Experiment, streams: Any, engine: Engine, every_: int, seed: int) -> None:
    run.resume(place, experiment, streams, engine)
    log = run.LossLog(place, experiment.clock.round, active=engine.rank == 0)
    for step in train(experiment, streams, seed=seed, engine=engine):
        log.add(step)
        if step.clock.round % every_ == 0 or step.clock.round == step.clock.rounds:
            run.save(place, experiment, streams, engine, log)
    run.save(place, experiment, streams, engine, log)
    engine.barrier()


def contents(folder: Path) -> dict[str, bytes]:
    """Every byte of a run folder, but for the lock."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != ".lock"
    }


def stuck(folder: str, who: int) -> None:
    """Two processes of which one stops answering in the middle."""
    import time

    engine = Engine.start("cpu", timeout_s=3.0)
    engine.reduce(torch.ones(1))
    if engine.rank == who:
        time.sleep(60)
    engine.reduce(torch.ones(1))


def gradients(folder: str) -> None:
    """The gradients of this process's share, averaged over processes; rank 0 writes them."""
    engine = Engine.start("cpu", timeout_s=60.0)
    for case in ("plain", "weighted", "unused"):
        _gradients(folder, case, engine)
    engine.barrier()


def _gradients(folder: str, case: str, engine: Engine) -> None:
    torch.manual_seed(2)
    net = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 1)).double()
    spare = nn.Linear(1, 1).double()
    both = modules(net=net, spare=spare)
    rows = points(31, torch.float64, weighted=case == "weighted")

    def loss(batch: Batch) -> Loss:
        x = batch.x.clone().requires_grad_()
        score = net(x)[:, 0]
        (slope,) = torch.autograd.grad(score.sum(), x, create_graph=True)
        parts = {"fit": batch.mean((score - batch.x[:, 0]).square()), "slope": batch.mean(slope.square().sum(1))}
        if case == "unused":  # only the events of process 0 ask for it
            mine = batch.x[::2] if engine.world == 1 else batch.x[: len(batch) * (1 - engine.rank)]
            used = spare(mine[:, :1]).square().sum() if len(mine) else batch.x.new_zeros(())
            parts["spare"] = used / len(batch)
        return Loss(parts)

    optimizer = torch.optim.SGD(both.parameters(), lr=1.0)
    player = Player("fit", both, loss, optimizer)
    experiment = Experiment(net, [player], Unchanged(), 1, 31, both)
    before = [p.detach().clone() for p in both.parameters()]
    stream = DataStream(rows, torch.arange(31), Unchanged(), seed=1, engine=engine)
    streams = {"data": Weighed(stream) if case == "weighted" else stream}
    seen = [step.losses for step in train(experiment, streams, engine=engine)]
    moved = [(a - b.detach()).flatten().tolist() for a, b in zip(before, both.parameters(), strict=True)]
    if engine.rank == 0:
        losses = {k: float(v) for k, v in seen[0].items()}
        (Path(folder) / f"{case}-{engine.world}.json").write_text(json.dumps([moved, losses]))


def limited(folder: str, size: int) -> None:
    """Trains under a limit on the size of files, and tells how it ended."""
    import resource

    from simulacra.errors import SimulacraError

    def shrinking(clock: Clock) -> int:
        if clock.round == 5:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        return 10 + clock.round % 5

    def build() -> Experiment:
        experiment = duel()
        experiment.batch_size = shrinking
        return experiment

    try:
        play(folder, 8, build=build)
    except SimulacraError as error:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        os.write(2, str(error).encode())
        os._exit(error.exit_code)
