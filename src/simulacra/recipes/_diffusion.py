"""What the recipes of diffusion share: the size of the network, and the one player who denoises."""

from __future__ import annotations

from typing import Any

import torch

from simulacra.batch import DataSpec
from simulacra.diffusion import Diffusion
from simulacra.domains.images import ImageCodec
from simulacra.domains.standard import Standardize
from simulacra.errors import UserError
from simulacra.training.averaging import EMA, averaged_copy
from simulacra.training.game import Experiment, Player, linear_decay, modules


def network_of(data: DataSpec, hidden: int, base: int, network: str, patch: int | None) -> dict[str, Any]:
    """The options of a denoiser: an MLP of width `hidden` for numbers; a U-Net of `base`, or a transformer of 4 `base`.

    Raises:
        UserError: patches without a transformer.
    """
    if network != "transformer" and patch is not None:
        raise UserError(f"expected --network transformer for patches of {patch}, came {network}; leave --patch out")
    if data.layout != "image":
        return {"network": network, "hidden": hidden}
    return {"network": network, **({"width": 4 * base, "patch": patch} if network == "transformer" else {"base": base})}


def turns(data: DataSpec, rounds: int | None, batch_size: int | None, usual: int = 4000) -> tuple[int, int]:
    """Rounds and the size of their batches; where left out, `usual` of 128 rows of numbers, 8 `usual` of 16 pictures.

    A small network learns more from many small batches of as many pictures.
    """
    picture = data.layout == "image"
    return rounds or (8 * usual if picture else usual), batch_size or (16 if picture else 128)


def by_denoising(
    model: Diffusion, codec: ImageCodec | Standardize, *, lr: float, decay: float, rounds: int, batch_size: int
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
