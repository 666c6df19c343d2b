"""The one loop: it knows players, turns and rounds, and nothing of what they play."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from simulacra.batch import Batch
from simulacra.errors import UserError, nearest
from simulacra.random import reseed
from simulacra.training.alarms import Watch
from simulacra.training.engine import Engine
from simulacra.training.game import Clock, Experiment, Player, Solver, Stream, batch_size_at


class Step(NamedTuple):
    """One round that is over: the clock after it, and what the players saw, as `player/part`."""

    clock: Clock
    losses: dict[str, Tensor]


def train(
    experiment: Experiment,
    streams: Mapping[str, Stream],
    *,
    seed: int = 0,
    engine: Engine | None = None,
    watch: Watch | None = None,
) -> Iterator[Step]:
    """Plays the rounds that the experiment's clock still has, one per iteration.

    The caller's loop body is the callback: looking, sampling and changing modes in it never change the run. Every
    round starts from generators reseeded by (seed, round, rank).

    Example:
        >>> from simulacra.testing import tiny_game
        >>> experiment, streams = tiny_game(rounds=3)
        >>> [step.clock.round for step in train(experiment, streams)]
        [1, 2, 3]

    Raises:
        NonFinite: a loss or a gradient is not finite.
        UserError: a player's stream is not among `streams`, or the call is under `torch.inference_mode`.
    """
    if torch.is_inference_mode_enabled():
        raise UserError("expected gradients, came torch.inference_mode; call train outside of it")
    engine = engine or Engine()
    watch = watch or Watch()
    of = {player.name: _stream_of(player, streams) for player in experiment.players}
    experiment.restore_modes()
    if experiment.clock.round == 0:
        reseed(seed, "begin")
        data = streams.get("data")
        if data is not None and hasattr(data, "physical"):
            experiment.codec.fit(data.physical())
        if experiment.begin is not None:
            size = batch_size_at(experiment.batch_size, experiment.clock)
            with torch.no_grad():
                experiment.begin(next(iter(of.values())).peek(size).to(engine.device))
        engine.agree(experiment.learners)
        for hook in experiment.hooks:
            hook.start(experiment)
    while experiment.clock.round < experiment.clock.rounds:
        clock = experiment.clock
        reseed(seed, "round", clock.round, engine.rank)
        for hook in experiment.hooks:
            hook.before(clock)
        losses: dict[str, Tensor] = {}
        for player in experiment.players:
            if not player.when(clock):
                continue
            repeats = player.repeats(clock) if callable(player.repeats) else player.repeats
            for _ in range(repeats):
                batch = of[player.name].next(batch_size_at(experiment.batch_size, clock)).to(engine.device)
                turn = _solve if isinstance(player, Solver) else _step
                with torch.enable_grad():
                    seen = turn(player, batch, experiment, engine, watch)  # type: ignore[arg-type]
                losses.update({f"{player.name}/{part}": value for part, value in seen.items()})
        experiment.clock = clock._replace(round=clock.round + 1)
        for hook in experiment.hooks:
            hook.after(experiment.clock)
        try:
            yield Step(experiment.clock, losses)
        finally:
            experiment.restore_modes()
    watch.check()


def _stream_of(player: Player | Solver, streams: Mapping[str, Stream]) -> Stream:
    if not isinstance(player.stream, str):
        return player.stream
    if player.stream not in streams:
        raise UserError(
            f"player {player.name!r} expected a stream {player.stream!r}, came {sorted(streams)}; "
            f"{nearest(player.stream, streams)}"
        )
    return streams[player.stream]


def _pieces(batch: Batch, count: int) -> list[Batch]:
    if count == 1:
        return [batch]
    edges = [len(batch) * k // count for k in range(count + 1)]
    return [batch[a:b] for a, b in pairwise(edges) if b > a]


def _weight(batch: Batch) -> Tensor:
    """The sum of event weights, on the batch's device."""
    return batch.x.new_tensor(float(len(batch))) if batch.weight is None else batch.weight.sum()


class _Kept:
    """Buffers of modules that are not the player's, as they were before its turn."""

    def __init__(self, root: nn.Module, own: nn.Module) -> None:
        mine = {id(b) for b in own.buffers()}
        self.kept = [
            (module, name, value, value.clone())
            for module in root.modules()
            if module.training
            for name, value in module._buffers.items()
            if value is not None and id(value) not in mine
        ]

    def put_back(self) -> None:
        with torch.no_grad():
            for module, name, value, before in self.kept:
                value.copy_(before)
                module._buffers[name] = value


def _step(player: Player, batch: Batch, experiment: Experiment, engine: Engine, watch: Watch) -> dict[str, Tensor]:
    """One turn of a player: exactly its parameters move."""
    optimizer = player.optimizer
    optimizer.zero_grad(set_to_none=True)
    parameters = [p for p in player.trains.parameters() if p.requires_grad]
    kept = _Kept(experiment.learners, player.trains)
    total, seen, names = _weight(batch), {}, []
    for piece in _pieces(batch, player.accumulate):
        share = _weight(piece) / total
        with engine.autocast():
            loss = player.loss(piece)
        names = list(loss.parts)
        objective = torch.stack([v.float() if v.dtype is torch.bfloat16 else v for v in loss.parts.values()]).sum()
        (objective if player.accumulate == 1 else objective * share).backward(inputs=parameters)
        for name, value in {**loss.parts, **loss.watch}.items():
            seen[name] = seen.get(name, 0) + value.detach() * share
    kept.put_back()
    engine.average_gradients(parameters, total)
    if engine.world > 1:
        both = torch.stack([total, *[v.to(total) * total for v in seen.values()]])
        both = engine.reduce(both)
        seen = dict(zip(seen, both[1:] / both[0], strict=True))
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients) if gradients else total.new_zeros(())
    watch.see(player.name, experiment.clock.round, {n: seen[n] for n in names}, norm)
    if player.clip is not None and gradients:
        torch.nn.utils.clip_grads_with_norm_(parameters, player.clip, norm)
    factor = player.schedule(experiment.clock.progress)
    rates = [group["lr"] for group in optimizer.param_groups]
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate * factor
    optimizer.step()
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    with torch.no_grad():
        for act in player.after:
            act(batch, seen)
    return seen


def _solve(solver: Solver, batch: Batch, experiment: Experiment, engine: Engine, watch: Watch) -> dict[str, Tensor]:
    """One turn of a solver: sums over pieces and processes, then one solution."""
    kept = _Kept(experiment.learners, solver.trains)
    with torch.no_grad():
        sums: dict[str, Tensor] = {}
        for piece in _pieces(batch, solver.accumulate):
            for name, value in solver.collect(piece).items():
                sums[name] = sums[name] + value if name in sums else value
        loss = solver.solve(engine.sums(sums))
    kept.put_back()
    watch.see(solver.name, experiment.clock.round, loss.parts, batch.x.new_zeros(()))
    return {name: value.detach() for name, value in {**loss.parts, **loss.watch}.items()}
