"""A number that changes over the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from simulacra.training.game import Clock, Experiment


class Anneal:
    """A hook that anneals a buffer: before every round it is `value(progress)`.

    Args:
        buffer: a number, under `learners`.
        value: of the progress of the run, 0 to 1.

    Example:
        >>> import torch
        >>> temperature = torch.tensor(1.0)
        >>> Anneal(temperature, lambda progress: 0.5**progress).before(Clock(10, 10))
        >>> temperature
        tensor(0.5000)
    """

    def __init__(self, buffer: Tensor, value: Callable[[float], float]) -> None:
        self.buffer, self.value = buffer, value

    def start(self, experiment: Experiment) -> None:
        pass

    def before(self, clock: Clock) -> None:
        self.buffer.fill_(self.value(clock.progress))

    def after(self, clock: Clock) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass
