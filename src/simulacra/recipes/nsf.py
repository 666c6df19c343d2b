"""Neural spline flow: couplings that bend by rational-quadratic splines."""

from __future__ import annotations

import torch
from torch import nn

from simulacra.batch import DataSpec
from simulacra.flows import Autoregressive, Chain, Coupling, Flow, Permute, RationalQuadratic
from simulacra.flows.coupling import alternating
from simulacra.recipes._flows import by_likelihood, density_codec
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "flow"
DOMAIN = ("vector",)
PAPER = "Durkan 2019 arXiv:1906.04032"


def nsf(
    data: DataSpec,
    *,
    autoregressive: bool = False,
    layers: int = 6,
    bins: int = 8,
    tail: float = 4.0,
    hidden: tuple[int, ...] = (128, 128),
    lr: float = 1e-3,
    decay: float = 0.998,
    batch_size: int = 512,
    rounds: int = 3000,
) -> Experiment:
    """A flow whose couplings bend every number by a monotone rational-quadratic spline instead of a straight line.

    Few layers then make sharp and multimodal densities. Splines are inverted in closed form, so density and sampling
    both cost one pass; with `autoregressive` every number is told of all before it, and sampling takes one pass per
    number. Fixed permutations mix the numbers between layers. It is conditional on whatever the data give.

    Raises:
        UserError: the events are not plain vectors.
    """
    need_layout(data, "nsf", *DOMAIN)
    codec = density_codec(data)
    spec = codec.spec(data)
    size, spline, mixing = spec.x.size, RationalQuadratic(bins, tail), torch.Generator().manual_seed(0)
    steps: list[nn.Module] = []
    for k in range(layers):
        if autoregressive:
            steps.append(Autoregressive(size, spline, spec.given, hidden))
            steps.append(Permute(torch.arange(size).flip(0)))
        else:
            steps.append(Coupling(alternating(size, k), spline, spec.given, hidden))
        if size > 2 and k % 2:
            steps.append(Permute(torch.randperm(size, generator=mixing)))
    flow = Flow(Chain(steps), spec.x.shape)
    return by_likelihood(flow, codec, lr=lr, decay=decay, batch_size=batch_size, rounds=rounds)
