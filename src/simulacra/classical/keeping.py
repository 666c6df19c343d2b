"""Models that keep the training events themselves, padded to the size of their buffers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from simulacra.batch import Batch
from simulacra.errors import UserError


def gather(model: nn.Module, batch: Batch, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `collect` gives: `found` and the events' weights, padded with zeros to the buffers of the same names.

    There is no sum to speak of: one batch must hold all events, and `batches` counts them.
    """
    sums = {}
    for name, value in {
        **found,
        "weight": batch.x.new_ones(len(batch)) if batch.weight is None else batch.weight,
    }.items():
        sums[name] = torch.zeros_like(model.get_buffer(name))
        sums[name][: len(batch)] = value
    return {**sums, "batches": torch.ones((), device=batch.x.device)}


def keep(model: nn.Module, sums: Mapping[str, Tensor]) -> None:
    """Puts what was gathered into the buffers.

    Raises:
        UserError: it came from several processes.
    """
    if sums["batches"] > 1:
        raise UserError(
            f"expected one process to keep training events, came {int(sums['batches'])}; train without torchrun"
        )
    for name in sums.keys() - {"batches"}:
        model.get_buffer(name).copy_(sums[name])
