"""Progressive growing: which resolution a game is played at, as a function of the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from simulacra.training.game import Clock, Experiment


class Phase(NamedTuple):
    """The newest stage in use, from 0, and how far it is faded in: `alpha` from 0 to 1, 1 where it is all there is."""

    stage: int
    alpha: float


class Grows(Protocol):
    """A network that was built with all its stages."""

    def grow(self, stage: int, alpha: float) -> None: ...


@dataclass(frozen=True)
class Growth:
    """The schedule of growing: train, fade in, train, fade in, ..., train; clock -> Phase.

    Up to the share `until` of the run all `2 (stages - 1)` phases have the same number of rounds; from there on the
    whole network is trained. While a stage fades in over n rounds, alpha is 1/n, 2/n, ..., 1: it is never 0, where the
    new layers would take steps without a gradient.

    Args:
        stages: how many there are.
        until: the share of the run at which the last one is in; 0 plays all of it at the full side.

    Source: Karras et al. (2018), section 2 and appendix A, arXiv 1710.10196.

    Example:
        >>> growth = Growth(2, until=0.8)
        >>> [tuple(growth(Clock(k, 10))) for k in (0, 3, 4, 5, 7, 8, 9)]
        [(0, 1.0), (0, 1.0), (1, 0.25), (1, 0.5), (1, 1.0), (1, 1.0), (1, 1.0)]
    """

    stages: int
    until: float = 0.6

    def starts(self, rounds: int) -> list[int]:
        """The rounds in which the phases begin, [2 stages - 1]."""
        phases = 2 * (self.stages - 1)
        return [0] + [round(k * self.until * rounds / phases) for k in range(1, phases + 1)]

    def __call__(self, clock: Clock) -> Phase:
        starts = self.starts(clock.rounds)
        phase = sum(start <= clock.round for start in starts) - 1
        if phase % 2 == 0:
            return Phase(phase // 2, 1.0)
        began, ends = starts[phase], starts[phase + 1]
        return Phase((phase + 1) // 2, (clock.round - began + 1) / (ends - began))


@dataclass(frozen=True)
class GrowingBatch:
    """The batch size of a growing game: `size` at the last stage, doubled for every stage before it up to `most`.

    Example:
        >>> batch = GrowingBatch(Growth(3, until=0.8), 16, most=48)
        >>> [batch(Clock(k, 10)) for k in (0, 2, 6)]
        [48, 32, 16]
    """

    growth: Growth
    size: int
    most: int = 128

    def __call__(self, clock: Clock) -> int:
        doublings = self.growth.stages - 1 - self.growth(clock).stage
        return max(self.size, min(self.size << doublings, self.most))


class Growing:
    """Sets stage and alpha of networks before every round. They follow from the clock, so that there is no state.

    Parameters of stages that are not reached have no gradient: no optimiser touches them, nor has it a state for them.

    Args:
        growth: the schedule.
        networks: of both players.
    """

    def __init__(self, growth: Growth, *networks: Grows) -> None:
        self.growth, self.networks = growth, networks

    def start(self, experiment: Experiment) -> None:
        pass

    def before(self, clock: Clock) -> None:
        for network in self.networks:
            network.grow(*self.growth(clock))

    def after(self, clock: Clock) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass
