"""A number that changes over the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from simulacra.training.game import Clock, Experiment


class Anneal:
    """A hook that anneals a buffer: before every round it is `value(progress)`.

    Args:
        owner: a module under `learners`; a buffer itself would be left behind where the module goes to another device.
        name: of its buffer, a number.
        value: of the progress of the run, 0 to 1.

    Example:
        >>> import torch
        >>> model = nn.Module()
        >>> model.register_buffer("temperature", torch.tensor(1.0))
        >>> Anneal(model, "temperature", lambda progress: 0.5**progress).before(Clock(10, 10))
        >>> model.temperature
        tensor(0.5000)
    """

    def __init__(self, owner: nn.Module, name: str, value: Callable[[float], float]) -> None:
        self.owner, self.name, self.value = owner, name, value

    def start(self, experiment: Experiment) -> None:
        pass

    def before(self, clock: Clock) -> None:
        self.owner.get_buffer(self.name).fill_(self.value(clock.progress))

    def after(self, clock: Clock) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass
