"""Exponential moving average of weights, as a hook whose average is the experiment's model."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import _SpectralNorm

from simulacra.training.game import Clock, Experiment


def averaged_copy(live: nn.Module) -> nn.Module:
    """A frozen copy in evaluation mode, to hold the average of `live`."""
    return copy.deepcopy(live).eval().requires_grad_(False)


class EMA:
    """Exponential moving average: after every round a <- d a + (1 - d) live, d = min(decay, (1 + t) / (10 + t)).

    Parameters are averaged, buffers are copied. The vectors of spectral norms belong to one weight each: the average
    keeps its own and iterates them after every blend, so that its largest singular value stays 1.

    Args:
        live: what is trained.
        average: a copy made by `averaged_copy`; put it under `learners` and make it the experiment's `model`.
        decay: of the old average per round.
        every: rounds between updates; the decay is raised to this power.

    Source: Polyak and Juditsky (1992); the ramp as in TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, live: nn.Module, average: nn.Module, decay: float = 0.999, every: int = 1) -> None:
        self.decay, self.every = decay, every
        self._norms = list(_spectral_norms(average))
        self._own: list[Tensor] = list(average.parameters())
        self._others: list[Tensor] = list(live.parameters())
        self._holders = [
            (own, other) for own, other in zip(average.modules(), live.modules(), strict=True) if own._buffers
        ]

    @torch.no_grad()
    def _blend(self, decay: float, iterations: int = 10) -> None:
        torch._foreach_lerp_(self._own, self._others, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]
        vectors = {id(vector) for norm, _ in self._norms for vector in (norm._u, norm._v)}
        for mine, theirs in self._holders:
            for name, own in mine._buffers.items():
                if own is not None and id(own) not in vectors:
                    own.copy_(theirs._buffers[name])  # type: ignore[arg-type]
        for norm, weight in self._norms:
            norm._power_method(norm._reshape_weight_to_matrix(weight.original), iterations)

    def start(self, experiment: Experiment) -> None:
        self._blend(0.0, iterations=15)

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


def _spectral_norms(root: nn.Module) -> Iterator[tuple[_SpectralNorm, Any]]:
    """Each spectral norm of a matrix or a kernel, with the parametrised tensor whose `original` it divides."""
    for module in root.modules():
        parametrised = getattr(module, "parametrizations", None)
        lists: list[Any] = list(parametrised.values()) if isinstance(parametrised, nn.ModuleDict) else []
        for tensor in lists:
            for norm in tensor:
                if isinstance(norm, _SpectralNorm) and hasattr(norm, "_u"):
                    yield norm, tensor
