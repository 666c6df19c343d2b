"""The one loop: it knows players, turns and rounds, and nothing of what they play."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from simulacra.batch import Batch
from simulacra.errors import UserError, nearest
from simulacra.random import reseed
from simulacra.training.engine import Engine
from simulacra.training.game import Clock, Experiment, Player, Solver, Stream, batch_size_at
from simulacra.training.stream import DataStream, Weighed
from simulacra.training.watch import Watch


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
) -> Generator[Step, None, None]:
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
    experiment.alarm = watch.check
    of = {player.name: _stream_of(player, streams) for player in experiment.players}
    experiment.restore_modes()
    if experiment.clock.round == 0:
        reseed(seed, "begin")
        physical = getattr(streams.get("data"), "physical", None)
        if physical is not None:
            experiment.codec.fit(physical())
        if experiment.begin is not None:
            size = batch_size_at(experiment.batch_size, experiment.clock)
            with torch.no_grad():
                experiment.begin(next(iter(of.values())).peek(size).to(engine.device))
        engine.agree(experiment.learners)
        for hook in experiment.hooks:
            hook.start(experiment)
    seats = {player.name: _Seat(player, experiment.learners) for player in experiment.players}
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
            seat = seats[player.name]
            seat.sit()
            for _ in range(repeats):
                batch = of[player.name].next(batch_size_at(experiment.batch_size, clock)).to(engine.device)
                with torch.enable_grad():
                    if isinstance(player, Solver):
                        seen = _solve(player, seat, batch, clock, engine, watch)
                    else:
                        seen = _step(player, seat, batch, clock, engine, watch)
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
    if isinstance(player.stream, str) and player.stream not in streams:
        raise UserError(
            f"player {player.name!r} expected a stream {player.stream!r}, came {sorted(streams)}; "
            f"{nearest(player.stream, streams)}"
        )
    stream = streams[player.stream] if isinstance(player.stream, str) else player.stream
    return Weighed(stream) if isinstance(player, Solver) and isinstance(stream, DataStream) else stream


def _pieces(batch: Batch, count: int) -> list[Batch]:
    if count == 1:
        return [batch]
    edges = [len(batch) * k // count for k in range(count + 1)]
    return [batch[a:b] for a, b in pairwise(edges) if b > a]


def _weight(batch: Batch) -> Tensor:
    """The sum of event weights, on the batch's device, as a real number."""
    if batch.weight is not None:
        return batch.weight.sum()
    kind = torch.promote_types(batch.x.dtype, torch.float32)
    return torch.tensor(float(len(batch)), dtype=kind, device=batch.x.device)


class _Seat:
    """What a player may move, and the buffers that it may not.

    The tree of modules is walked once in a run and stays as it is; what needs a gradient and what the buffers hold is
    seen every round.
    """

    def __init__(self, player: Player | Solver, root: nn.Module) -> None:
        self.player, self.named = player, list(player.trains.named_parameters())
        own = {id(module) for module in player.trains.modules()}
        self.mine = list(player.trains.modules())
        self.others = [module for module in root.modules() if id(module) not in own]

    def sit(self) -> None:
        """Looks up what this round's turns may move and must keep."""
        player, named = self.player, [(name, p) for name, p in self.named if p.requires_grad]
        self.parameters = [p for _, p in named]
        mine = {id(value) for module in self.mine for value in module._buffers.values()}
        self.foreign = [
            (module._buffers, name, value)
            for module in self.others
            for name, value in module._buffers.items()
            if id(value) not in mine
        ]
        values = [value for *_, value in self.foreign if value is not None]
        self.same: list[tuple[list[Tensor], list[Tensor]]] = []
        for kind in dict.fromkeys((value.dtype, value.device) for value in values):
            group = [value for value in values if (value.dtype, value.device) == kind]
            self.same.append((group, [torch.empty_like(value) for value in group]))
        if isinstance(player, Player):
            known = {id(p) for group in player.optimizer.param_groups for p in group["params"]}
            lost = [name for name, p in named if id(p) not in known]
            if lost or not self.parameters:
                came = f"{lost[0]} outside of it" if lost else "none that needs a gradient"
                raise UserError(
                    f"player {player.name!r} expected an optimizer over the parameters that it trains, came {came}; "
                    "build the optimizer from trains.parameters()"
                )

    @torch.no_grad()
    def note(self) -> None:
        """Remembers the foreign buffers. Versions would not do: batch norm moves its statistics without one."""
        for live, kept in self.same:
            torch._foreach_copy_(kept, live)  # pyright: ignore[reportPrivateImportUsage]

    @torch.no_grad()
    def put_back(self) -> None:
        """Gives foreign buffers the values they had, also where a forward replaced the tensor."""
        for live, kept in self.same:
            torch._foreach_copy_(live, kept)  # pyright: ignore[reportPrivateImportUsage]
        for buffers, name, value in self.foreign:
            buffers[name] = value


def _step(player: Player, seat: _Seat, batch: Batch, clock: Clock, engine: Engine, watch: Watch) -> dict[str, Tensor]:
    """One turn of a player: exactly its parameters move."""
    optimizer, parameters = player.optimizer, seat.parameters
    optimizer.zero_grad(set_to_none=True)
    seat.note()
    total, seen, names = _weight(batch), {}, []
    for piece in _pieces(batch, player.accumulate):
        share = _weight(piece) / total
        with engine.autocast():
            loss = player.loss(piece)
        names = list(loss.parts)
        objective = torch.stack([v.float() if v.dtype is torch.bfloat16 else v for v in loss.parts.values()]).sum()
        if not objective.requires_grad:
            raise ValueError(f"the loss of player {player.name!r} reaches none of its parameters; check what it trains")
        (objective if player.accumulate == 1 else objective * share).backward(inputs=parameters)
        for name, value in {**loss.parts, **loss.watch}.items():
            seen[name] = seen.get(name, 0) + value.detach() * share
    seat.put_back()
    engine.average_gradients(parameters, total)
    if engine.world > 1:
        both = torch.stack([total, *[v.to(total) * total for v in seen.values()]])
        both = engine.reduce(both)
        seen = dict(zip(seen, both[1:] / both[0], strict=True))
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients) if gradients else total.new_zeros(())
    watch.see(player.name, clock.round, {n: seen[n] for n in names}, norm)
    if player.clip is not None and gradients:
        torch.nn.utils.clip_grads_with_norm_(parameters, player.clip, norm)
    factor = player.schedule(clock.progress)
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


def _solve(solver: Solver, seat: _Seat, batch: Batch, clock: Clock, engine: Engine, watch: Watch) -> dict[str, Tensor]:
    """One turn of a solver: sums over pieces and processes, then one solution."""
    seat.note()
    with torch.no_grad():
        sums: dict[str, Tensor] = {}
        for piece in _pieces(batch, solver.accumulate):
            for name, value in solver.collect(piece).items():
                sums[name] = sums[name] + value if name in sums else value
        loss = solver.solve(engine.sums(sums))
    seat.put_back()
    watch.see(solver.name, clock.round, loss.parts, batch.x.new_zeros(()))
    return {name: value.detach() for name, value in {**loss.parts, **loss.watch}.items()}
