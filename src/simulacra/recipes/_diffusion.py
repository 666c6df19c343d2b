"""What the recipes of diffusion share: the size of the network, and the one player who denoises."""

from __future__ import annotations

from typing import Any

import torch

from simulacra.batch import DataSpec
from simulacra.diffusion import Diffusion
from simulacra.domains.images import ImageCodec
from simulacra.domains.standard import Standardize
from simulacra.training.averaging import EMA, averaged_copy
from simulacra.training.game import Experiment, Player, linear_decay, modules


def width_of(data: DataSpec, hidden: int, base: int) -> dict[str, Any]:
    """The option that sets the width of a denoiser: the MLP's for numbers, the U-Net's for pictures."""
    return {"base": base} if data.layout == "image" else {"hidden": hidden}


def by_denoising(
    model: Diffusion, codec: ImageCodec | Standardize, *, lr: float, decay: float, batch_size: int, rounds: int
) -> Experiment:
    """One player who learns to denoise, and the exponential moving average of its weights."""
    average = averaged_copy(model)
    optimizer = torch.optim.Adam(model.parameters(), lr)
    player = Player("denoiser", model, model.loss, optimizer, clip=1.0, schedule=linear_decay(start=0.5, warmup=0.02))
    return Experiment(
        model=average,
        players=[player],
        codec=codec,
        rounds=rounds,
        batch_size=batch_size,
        learners=modules(model=model, average=average),
        hooks=[EMA(model, average, decay)],
    )
