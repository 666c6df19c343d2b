"""What the recipes of flows share: the codec under which a density makes sense, and their two trainings."""

from __future__ import annotations

import torch
from torch import Tensor

from simulacra.batch import Batch, DataSpec
from simulacra.domains.images import ImageCodec
from simulacra.domains.standard import Standardize
from simulacra.domains.toys import TOYS
from simulacra.errors import UserError
from simulacra.flows import Flow, NoData, ReverseKL
from simulacra.training.averaging import EMA, averaged_copy
from simulacra.training.game import Experiment, Player, linear_decay, modules


def density_codec(data: DataSpec) -> ImageCodec | Standardize:
    """Numbers standardised; pictures as they are, their grey levels blurred so that a density is finite."""
    return ImageCodec(data, size=0, dequantise=True) if data.layout == "image" else Standardize(data)


def by_likelihood(
    flow: Flow,
    codec: ImageCodec | Standardize,
    *,
    lr: float,
    decay: float,
    batch_size: int,
    rounds: int,
    weight_decay: float = 0.0,
) -> Experiment:
    """One player who maximises the likelihood of the data, and the exponential moving average of its weights."""
    average = averaged_copy(flow)
    optimizer = torch.optim.Adam(flow.parameters(), lr=lr, weight_decay=weight_decay, fused=True)
    player = Player("flow", flow, flow.loss, optimizer, clip=10.0, schedule=linear_decay(0.5))
    return Experiment(
        model=average,
        players=[player],
        codec=codec,
        rounds=rounds,
        batch_size=batch_size,
        learners=modules(flow=flow, average=average),
        hooks=[EMA(flow, average, decay)],
        begin=flow.begin,
    )


class ToyEnergy:
    """`U(x) = -log p(x)` of a toy whose density is known, at encoded points x.

    Raises:
        UserError: the data are no toy, or carry conditions.
    """

    def __init__(self, data: DataSpec, codec: Standardize) -> None:
        name = (data.geometry or {}).get("name")
        if name not in TOYS or data.given:
            what = "a toy without conditions" if data.given else "a toy, whose energy is known"
            raise UserError(f"expected {what}, came {data.name}; leave the energy out to learn from events")
        self.toy, self.codec = TOYS[name], codec

    def energy(self, batch: Batch) -> Tensor:
        """In nats, up to a constant; [B]."""
        return -self.toy.log_prob(self.codec.decode(batch).x)


def by_energy(
    flow: Flow, data: DataSpec, codec: Standardize, *, lr: float, decay: float, batch_size: int, rounds: int
) -> Experiment:
    """One player without data, who makes the reverse KL to the toy's energy small, annealed over half of the run."""
    average = averaged_copy(flow)
    game = ReverseKL(flow, ToyEnergy(data, codec), anneal=0.5)
    optimizer = torch.optim.Adam(flow.parameters(), lr=lr)
    player = Player("flow", flow, game.loss, optimizer, stream=NoData(), clip=10.0, schedule=linear_decay(0.5))
    return Experiment(
        model=average,
        players=[player],
        codec=codec,
        rounds=rounds,
        batch_size=batch_size,
        learners=modules(flow=flow, average=average),
        hooks=[game, EMA(flow, average, decay)],
    )
