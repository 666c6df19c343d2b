"""Inverse autoregressive flow: samples in one pass."""

from __future__ import annotations

import torch
from torch import nn

from simulacra.batch import DataSpec
from simulacra.domains.standard import Standardize
from simulacra.flows import Affine, Autoregressive, Chain, Flow, Invert, Permute
from simulacra.recipes._flows import by_energy, by_likelihood
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "flow"
DOMAIN = ("vector",)
PAPER = "Kingma 2016 arXiv:1606.04934"


def iaf(
    data: DataSpec,
    *,
    energy: bool = False,
    layers: int = 6,
    hidden: tuple[int, ...] = (128, 128),
    bound: float = 3.0,
    lr: float = 1e-3,
    decay: float = 0.998,
    batch_size: int = 512,
    rounds: int = 3000,
) -> Experiment:
    """Inverse autoregressive flow: every number of an event is made of the noise of those before it.

    Sampling then costs one pass, and the density of given data as many passes as an event has numbers: learning from
    events by maximum likelihood is slow and suits few numbers. With `energy` it never sees an event and makes the
    reverse KL to a toy's known energy small, which needs samples only. It is conditional on whatever the data give.

    Raises:
        UserError: the events are not plain vectors, or `energy` is asked of data that are no toy.
    """
    need_layout(data, "iaf", *DOMAIN)
    codec = Standardize(data)
    spec = codec.spec(data)
    steps: list[nn.Module] = []
    for _ in range(layers):
        steps.append(Autoregressive(spec.x.size, Affine(bound), spec.given, hidden))
        steps.append(Permute(torch.arange(spec.x.size).flip(0)))
    flow = Flow(Invert(Chain(steps)), spec.x.shape)
    if energy:
        return by_energy(flow, data, codec, lr=lr, decay=decay, batch_size=batch_size, rounds=rounds)
    return by_likelihood(flow, codec, lr=lr, decay=decay, batch_size=batch_size, rounds=rounds)
