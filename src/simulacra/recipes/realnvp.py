"""RealNVP: an exact density from affine couplings."""

from __future__ import annotations

import torch
from torch import nn

from simulacra.batch import DataSpec
from simulacra.domains.standard import Standardize
from simulacra.flows import AffineCoupling, Chain, Flow, Permute
from simulacra.recipes._parts import need_layout
from simulacra.training.averaging import EMA, averaged_copy
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "flow"
DOMAIN = ("vector",)
PAPER = "Dinh 2017 arXiv:1605.08803"


def realnvp(
    data: DataSpec,
    *,
    layers: int = 8,
    hidden: tuple[int, ...] = (128, 128),
    bound: float = 3.0,
    lr: float = 1e-3,
    weight_decay: float = 5e-5,
    decay: float = 0.998,
    batch_size: int = 512,
    rounds: int = 5000,
) -> Experiment:
    """A stack of affine couplings, each moving every other number as the rest decide, trained by maximum likelihood.

    The Jacobian of a coupling is triangular, so the density is exact, and inverting it costs what applying it does.
    Above two numbers, fixed permutations mix them between couplings. It is conditional on whatever the data give.

    Raises:
        UserError: the events are not plain vectors.
    """
    need_layout(data, "realnvp", *DOMAIN)
    codec = Standardize(data)
    spec = codec.spec(data)
    size, mixing = spec.x.size, torch.Generator().manual_seed(0)
    steps: list[nn.Module] = []
    for k in range(layers):
        mask = (torch.arange(size) + k) % 2 == 0 if size > 1 else torch.zeros(1, dtype=torch.bool)
        steps.append(AffineCoupling(mask, spec.given, hidden, bound))
        if size > 2 and k % 2:
            steps.append(Permute(torch.randperm(size, generator=mixing)))
    flow = Flow(Chain(steps), spec.x.shape)
    average = averaged_copy(flow)
    optimizer = torch.optim.Adam(flow.parameters(), lr=lr, weight_decay=weight_decay)
    player = Player("flow", flow, flow.loss, optimizer, clip=10.0, schedule=linear_decay(0.5))
    return Experiment(
        model=average,
        players=[player],
        codec=codec,
        rounds=rounds,
        batch_size=batch_size,
        learners=modules(flow=flow, average=average),
        hooks=[EMA(flow, average, decay)],
    )
