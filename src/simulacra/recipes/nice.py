"""NICE: additive couplings, one scaling, and a logistic prior."""

from __future__ import annotations

import torch
from torch import nn

from simulacra.batch import DataSpec
from simulacra.errors import UserError, nearest
from simulacra.flows import AdditiveCoupling, Chain, Flow, Permute, Scale, StandardLogistic, StandardNormal
from simulacra.flows.coupling import alternating
from simulacra.recipes._flows import by_likelihood, density_codec
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "flow"
DOMAIN = ("vector", "image")
PAPER = "Dinh 2014 arXiv:1410.8516"
PRIORS = {"logistic": StandardLogistic, "normal": StandardNormal}


def nice(
    data: DataSpec,
    *,
    prior: str = "logistic",
    layers: int = 6,
    hidden: tuple[int, ...] = (256, 256, 256),
    lr: float = 1e-3,
    decay: float = 0.998,
    batch_size: int = 256,
    rounds: int = 4000,
) -> Experiment:
    """Non-linear independent components: half the numbers are shifted by a network that sees the other half.

    Shifts keep volume, so the density is the prior's at the latents times one factor per number from a diagonal
    scaling at the end. Density and sampling both cost one pass. Pictures are read as rows of numbers, their grey
    levels blurred. It is conditional on whatever the data give.

    Raises:
        UserError: the events are neither vectors nor pictures, or there is no such prior.
    """
    need_layout(data, "nice", *DOMAIN)
    if prior not in PRIORS:
        raise UserError(f"expected a prior, came {prior!r}; {nearest(prior, PRIORS)}")
    codec = density_codec(data)
    spec = codec.spec(data)
    size, mixing = spec.x.size, torch.Generator().manual_seed(0)
    steps: list[nn.Module] = []
    for k in range(layers):
        steps.append(AdditiveCoupling(alternating(size, k), spec.given, hidden))
        if size > 2 and k % 2:
            steps.append(Permute(torch.randperm(size, generator=mixing)))
    flow = Flow(Chain([*steps, Scale(size)]), spec.x.shape, PRIORS[prior](size))
    return by_likelihood(flow, codec, lr=lr, decay=decay, batch_size=batch_size, rounds=rounds)
