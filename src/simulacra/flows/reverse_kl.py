"""Reverse KL: a flow learns from an energy, without data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from simulacra.batch import Batch
from simulacra.flows.flow import Flow
from simulacra.protocols import Energy
from simulacra.training.game import Clock, Experiment, Loss


class ReverseKL:
    """Reverse KL: `KL(q | p) + log Z = E_q [log q(x) + T U(x)]` over samples of the flow, with `p = exp(-T U) / Z`.

    Its smallest value is `-log Z`, reached where q = p. It needs an energy and no event: the batch only says how many
    samples to draw and at which conditions. Modes that the flow never visits cost nothing, so it may miss some; a
    temperature that rises from near 0 to 1 (annealing) helps it to spread first. The flow must be fast from latent to
    data: planar flows, IAF and couplings are.

    As a hook of the experiment it lets T follow the clock. Watched: `ess`, the effective share of the
    samples, `(sum w)^2 / (n sum w^2)` with `w = exp(-U) / q`; 1 where q = p.

    Source: Rezende and Mohamed, "Variational inference with normalizing flows" (2015, arXiv:1505.05770), equation 20
    for the annealing.

    Args:
        flow: what learns.
        target: the energy U of encoded events.
        anneal: share of the run in which T rises from `coolest` to 1; 0 for none.
        coolest: T at the start.

    Example:
        >>> from simulacra.flows.bijections import Scale
        >>> class Normal:
        ...     def energy(self, batch: Batch) -> Tensor:
        ...         return batch.x.square().sum(1) / 2
        >>> loss = ReverseKL(Flow(Scale(2), (2,)), Normal()).loss(Batch(torch.zeros(8, 0)))
        >>> round(loss.parts["reverse_kl"].item(), 4), round(loss.watch["ess"].item(), 4)  # -log(2 pi), and all
        (-1.8379, 1.0)
    """

    def __init__(self, flow: Flow, target: Energy, anneal: float = 0.0, coolest: float = 0.01) -> None:
        self.flow, self.target, self.anneal, self.coolest = flow, target, anneal, coolest
        self.temperature = 1.0

    def loss(self, batch: Batch) -> Loss:
        """Of `len(batch)` samples of the flow, at the batch's conditions and weights; in nats."""
        made, log_q = self.flow.draw(len(batch), batch.given)
        energy = self.target.energy(made).to(log_q.dtype)
        log_weight = (-energy - log_q).detach()
        ess = (2 * log_weight.logsumexp(0) - (2 * log_weight).logsumexp(0) - math.log(len(batch))).exp()
        return Loss({"reverse_kl": batch.mean(log_q + self.temperature * energy)}, {"ess": ess})

    def start(self, experiment: Experiment) -> None:
        pass

    def before(self, clock: Clock) -> None:
        done = min(1.0, clock.progress / self.anneal) if self.anneal else 1.0
        self.temperature = self.coolest + (1 - self.coolest) * done

    def after(self, clock: Clock) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass


class NoData:
    """A stream of empty batches, x [n, 0]: for a player who learns from an energy.

    >>> NoData().next(3).x.shape
    torch.Size([3, 0])
    """

    def next(self, n: int) -> Batch:
        return Batch(torch.zeros(n, 0))

    peek = next

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass
