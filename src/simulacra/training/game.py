"""Training is a game of one or more players: who moves, on which loss, how often, on which data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from simulacra.batch import Batch
from simulacra.protocols import Codec


class Clock(NamedTuple):
    """Where the run stands: `round` rounds are over, of `rounds` in all."""

    round: int
    rounds: int

    @property
    def progress(self) -> float:
        """0 at the start, 1 at the end."""
        return self.round / self.rounds if self.rounds else 1.0


class Loss(NamedTuple):
    """What a player wants small, as named scalars; and what it only watches."""

    parts: Mapping[str, Tensor]
    watch: Mapping[str, Tensor] = {}


def always(clock: Clock) -> bool:
    return True


def every(k: int) -> Callable[[Clock], bool]:
    """True in rounds 0, k, 2k, ..."""
    return lambda clock: clock.round % k == 0


def from_round(k: int) -> Callable[[Clock], bool]:
    """True in round k and after: a generator that plays `from_round(k)` waits for discriminator pre-training."""
    return lambda clock: clock.round >= k


def until(k: int) -> Callable[[Clock], bool]:
    """True before round k."""
    return lambda clock: clock.round < k


def constant(progress: float) -> float:
    return 1.0


def linear_decay(start: float = 0.0, warmup: float = 0.0) -> Callable[[float], float]:
    """A factor on the learning rate: rises over `warmup`, 1 until `start` of the run, then falls linearly to 0."""

    def factor(progress: float) -> float:
        rise = min(1.0, (progress + 1e-9) / warmup) if warmup else 1.0
        return rise * min(1.0, (1.0 - progress) / (1.0 - start)) if start < 1.0 else rise

    return factor


@dataclass(frozen=True, eq=False)
class Player:
    """One who moves some parameters to make a loss small.

    Attributes:
        name: in logs and messages.
        trains: exactly these parameters move in its turn.
        loss: of a batch, encoded.
        optimizer: may be shared between players.
        repeats: turns in a round (n_critic), a number or a function of the clock.
        when: rounds in which it plays at all.
        stream: by name among the streams given to `train`, or its own.
        accumulate: pieces into which its batch is cut to save memory.
        clip: the gradient's largest norm.
        schedule: of progress, times the optimiser's rate.
        after: called after the step, without gradient, with the batch and what was seen.
    """

    name: str
    trains: nn.Module
    loss: Callable[[Batch], Loss]
    optimizer: Optimizer
    repeats: int | Callable[[Clock], int] = 1
    when: Callable[[Clock], bool] = always
    stream: str | Stream = "data"
    accumulate: int = 1
    clip: float | None = None
    schedule: Callable[[float], float] = constant
    after: Sequence[Callable[[Batch, Mapping[str, Tensor]], None]] = ()


@dataclass(frozen=True, eq=False)
class Solver:
    """A player that solves instead of stepping (EM, k-means, closed forms).

    `collect` turns a batch into sums, which add over pieces and ranks; `solve` sets the parameters from them.
    """

    name: str
    trains: nn.Module
    collect: Callable[[Batch], Mapping[str, Tensor]]
    solve: Callable[[Mapping[str, Tensor]], Loss]
    repeats: int | Callable[[Clock], int] = 1
    when: Callable[[Clock], bool] = always
    stream: str | Stream = "data"
    accumulate: int = 1


class Stream(Protocol):
    """Batches without end, whose position can be saved. `n` is the global batch size."""

    def next(self, n: int) -> Batch: ...

    def peek(self, n: int) -> Batch: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


class Hook(Protocol):
    """Acts around every round: growing before it, averaging after it."""

    def start(self, experiment: Experiment) -> None: ...

    def before(self, clock: Clock) -> None: ...

    def after(self, clock: Clock) -> None: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


@dataclass(eq=False)
class Experiment:
    """What a recipe returns: a game, ready to be played. Its modules are all there before the first round, and stay.

    Attributes:
        model: what is sampled, judged and exported: the averaged copy where there is one.
        players: in turn order.
        codec: between physical units and the networks.
        rounds: the recipe's own budget; `clock` starts with it, and a run may set another.
        batch_size: events of one turn over all processes, a number or a function of the clock.
        learners: root of everything that changes, frozen teachers included.
        hooks: EMA, growing.
        begin: data-dependent initialisation, once, before round 0, with an encoded batch.
        streams: further streams for players to name, each made of the `DataStream` of the data (few labelled rows).
    """

    model: nn.Module
    players: Sequence[Player | Solver]
    codec: Codec
    rounds: int
    batch_size: int | Callable[[Clock], int]
    learners: nn.Module
    hooks: Sequence[Hook] = ()
    begin: Callable[[Batch], None] | None = None
    streams: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    clock: Clock = field(init=False)
    alarm: Callable[[], None] | None = field(init=False, default=None)
    """Raises NonFinite for what the loop has noted and not yet looked at; called before anything is saved."""

    def __post_init__(self) -> None:
        self.clock = Clock(0, self.rounds)
        roots: list[Any] = [self.learners, self.model, self.codec]
        found = {id(m): m for root in roots if isinstance(root, nn.Module) for m in root.modules()}
        self._modes = [(module, module.training) for module in found.values()]

    def restore_modes(self) -> None:
        """Puts every module back into the mode in which the recipe left it."""
        for module, training in self._modes:
            if module.training is not training:
                module.training = training

    def optimizers(self) -> list[Optimizer]:
        """Each optimiser once, in the order of the players."""
        found: dict[int, Optimizer] = {}
        for player in self.players:
            if isinstance(player, Player):
                found.setdefault(id(player.optimizer), player.optimizer)
        return list(found.values())


def modules(**named: nn.Module) -> nn.ModuleDict:
    """A root module that holds `named` ones: the usual `learners`."""
    return nn.ModuleDict(named)


def batch_size_at(size: int | Callable[[Clock], int], clock: Clock) -> int:
    return size(clock) if callable(size) else size
