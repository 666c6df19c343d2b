"""Annealed importance sampling of partition functions."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from simulacra.errors import UserError


class Tempered(Protocol):
    """A model of bits that leads from independent ones (beta = 0) to itself (beta = 1)."""

    def log_tempered(self, v: Tensor, beta: float) -> Tensor: ...

    def log_base(self) -> Tensor: ...

    def base(self, n: int) -> Tensor: ...

    def move(self, v: Tensor, beta: float = 1.0) -> Tensor: ...

    def log_partition(self) -> Tensor: ...


class Annealed(NamedTuple):
    """An estimate of log Z in nats.

    Attributes:
        log_partition: log of the mean weight; below log Z in expectation.
        error: of it, the weights' relative standard error (it is too small where few weights dominate).
        effective: sample size of the weights, `(sum w)^2 / sum w^2`.
    """

    log_partition: float
    error: float
    effective: float


@torch.no_grad()
def annealed(model: Tempered, chains: int = 1000, temperatures: int = 1000) -> Annealed:
    """Annealed importance sampling: `Z_1 / Z_0 = E prod_k p*_k(v_{k-1}) / p*_{k-1}(v_{k-1})` over chains.

    v_0 is a draw at beta_0 = 0, where Z is known, and v_k follows from v_{k-1} by a move that leaves p_k unchanged. The
    mean of the weights is unbiased, so the mean of its logarithm lies below log Z.

    Args:
        model: such as an `RBM` or a `BoltzmannMachine`.
        chains: weights.
        temperatures: equal steps from beta 0 to 1.

    Raises:
        ValueError: fewer than two chains or no temperature.

    Example:
        >>> from simulacra.markov.rbm import RBM
        >>> model = RBM((6,), 4)
        >>> abs(annealed(model, 100, 10).log_partition - model.log_partition().item()) < 0.1
        True

    Source: Neal (2001); Salakhutdinov and Murray (2008) for restricted Boltzmann machines.
    """
    if chains < 2 or temperatures < 1:
        raise ValueError(f"expected 2 chains and 1 temperature or more, came {chains} and {temperatures}; raise them")
    betas = [k / temperatures for k in range(temperatures + 1)]
    v = model.base(chains)
    log_weight = torch.zeros(chains, dtype=torch.float64, device=v.device)
    for low, high in pairwise(betas):
        log_weight += (model.log_tempered(v, high) - model.log_tempered(v, low)).double()
        v = model.move(v, high)
    weight = (log_weight - log_weight.max()).exp()
    mean = weight.mean()
    value = model.log_base().item() + log_weight.max().item() + mean.log().item()
    error = (weight.std() / mean).item() / math.sqrt(chains)
    return Annealed(value, error, (weight.sum().square() / weight.square().sum()).item())


@torch.no_grad()
def log_normaliser(model: Tempered, chains: int = 1000, temperatures: int = 1000) -> tuple[float, float]:
    """log Z in nats and its standard error: summed over all states where they are few, else annealed.

    >>> from simulacra.markov.rbm import RBM
    >>> log_normaliser(RBM((6,), 4))[1], log_normaliser(RBM((30,), 25), 10, 5)[1] > 0
    (0.0, True)
    """
    try:
        return model.log_partition().item(), 0.0
    except UserError:
        found = annealed(model, chains, temperatures)
        return found.log_partition, found.error
