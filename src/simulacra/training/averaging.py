"""Exponential moving average of weights, as a hook whose average is the experiment's model."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrizations import _SpectralNorm

from simulacra.training.game import Clock, Experiment


def averaged_copy(live: nn.Module) -> nn.Module:
    """A frozen copy in evaluation mode, to hold the average of `live`."""
    return copy.deepcopy(live).eval().requires_grad_(False)


class EMA:
    """average <- d average + (1 - d) live after every round, d = min(decay, (1 + t) / (10 + t)).

    Parameters are averaged, buffers are copied; the vectors of spectral norms belong to the live weights, so they
    are iterated once more for the averaged ones.

    Args:
        live: what is trained.
        average: a copy made by `averaged_copy`; put it under `learners` and make it the experiment's `model`.
        decay: of the old average per round.
        every: rounds between updates; the decay is raised to this power.

    Source: Polyak and Juditsky (1992); the ramp as in TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, live: nn.Module, average: nn.Module, decay: float = 0.999, every: int = 1) -> None:
        self.live, self.average, self.decay, self.every = live, average, decay, every

    @torch.no_grad()
    def _blend(self, decay: float) -> None:
        mine, theirs = list(self.average.parameters()), [p.detach() for p in self.live.parameters()]
        if mine:
            torch._foreach_lerp_(mine, theirs, 1 - decay)
        for own, other in zip(self.average.buffers(), self.live.buffers(), strict=True):
            own.copy_(other)
        for module in self.average.modules():
            if isinstance(module, _SpectralNorm):
                owner = _weight_of(self.average, module)
                module._power_method(owner.flatten(1) if owner.dim() > 1 else owner, 1)

    def start(self, experiment: Experiment) -> None:
        self._blend(0.0)

    def before(self, clock: Clock) -> None:
        pass

    def after(self, clock: Clock) -> None:
        if clock.round % self.every == 0:
            t = clock.round // self.every
            self._blend(min(self.decay**self.every, (1 + t) / (10 + t)))

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass


def _weight_of(root: nn.Module, norm: _SpectralNorm) -> torch.Tensor:
    for module in root.modules():
        for parametrizations in getattr(module, "parametrizations", {}).values():
            if any(p is norm for p in parametrizations):
                return norm._reshape_weight_to_matrix(parametrizations.original)
    raise LookupError("a spectral norm without its weight")
