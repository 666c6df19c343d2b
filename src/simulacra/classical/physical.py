"""The codec for models that think in physical units."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from simulacra.batch import Batch, DataSpec, Given


class Physical(nn.Module):
    """Leaves events and conditions as they are."""

    def spec(self, data: DataSpec) -> DataSpec:
        return data

    def fit(self, batches: Iterable[Batch]) -> None:
        """Nothing to fit."""

    def encode(self, batch: Batch) -> Batch:
        return batch

    def encode_given(self, given: Given) -> Given:
        return given

    def decode(self, batch: Batch) -> Batch:
        return batch

    def log_det(self, batch: Batch) -> Tensor:
        """Zero, [B]."""
        return batch.x.new_zeros(len(batch))
