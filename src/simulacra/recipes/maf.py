"""Masked autoregressive flow: densities in one pass."""

from __future__ import annotations

import torch
from torch import nn

from simulacra.batch import DataSpec
from simulacra.flows import Affine, Autoregressive, Chain, Flow, Permute
from simulacra.recipes._flows import by_likelihood, density_codec
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "flow"
DOMAIN = ("vector",)
PAPER = "Papamakarios 2017 arXiv:1705.07057"


def maf(
    data: DataSpec,
    *,
    layers: int = 8,
    hidden: tuple[int, ...] = (128, 128),
    bound: float = 3.0,
    lr: float = 1e-3,
    weight_decay: float = 1e-6,
    decay: float = 0.998,
    batch_size: int = 512,
    rounds: int = 4000,
) -> Experiment:
    """Autoregressive models stacked into a flow: each number is scaled and moved as those before it decide.

    A masked network computes all conditionals at once, so the density of given data costs one pass and training is
    fast; sampling goes number by number and costs as many passes as an event has numbers. The order is reversed
    between layers. It is conditional on whatever the data give.

    Raises:
        UserError: the events are not plain vectors.
    """
    need_layout(data, "maf", *DOMAIN)
    codec = density_codec(data)
    spec = codec.spec(data)
    steps: list[nn.Module] = []
    for _ in range(layers):
        steps.append(Autoregressive(spec.x.size, Affine(bound), spec.given, hidden))
        steps.append(Permute(torch.arange(spec.x.size).flip(0)))
    flow = Flow(Chain(steps), spec.x.shape)
    return by_likelihood(
        flow, codec, lr=lr, weight_decay=weight_decay, decay=decay, batch_size=batch_size, rounds=rounds
    )
