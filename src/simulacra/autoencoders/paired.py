"""Denoising where the noisy event comes with the clean one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from simulacra.autoencoders.autoencoder import Autoencoder
from simulacra.batch import Batch, DataSpec, Given


class PairedAutoencoder(Autoencoder):
    """A denoising autoencoder that learns from pairs: the corrupted event is a condition of the clean one.

    It needs no model of the noise: simulated or measured twice, a pair shows what the noise is. The squared error makes
    of it the mean `E[x | corrupted x]`; with two noisy pictures of one scene and noise of mean zero it does so as well
    (Lehtinen et al. 2018, arXiv:1803.04189).

    Args:
        encoder, decoder, density: as of `Autoencoder`; neither network is told the condition.
        corrupted: name of the condition that holds the corrupted event, as many numbers as the event.

    Source: Vincent et al. (2008), with pairs in the place of drawn noise.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, density: nn.Module, corrupted: str) -> None:
        super().__init__(encoder, decoder, density)
        self.name = corrupted

    def seen(self, batch: Batch) -> Batch:
        """The corrupted partners."""
        return batch.with_x(batch.given[self.name].view_as(batch.x))


class PairedCodec(nn.Module):
    """A codec that encodes a condition, each event's corrupted partner, as it encodes events.

    What is learnt from partners then holds for corrupted events that come as events.

    Args:
        codec: of events and conditions.
        data: the physical description.
        corrupted: name of the condition, as many numbers as the event.

    Example:
        >>> import torch
        >>> from simulacra.batch import Field
        >>> from simulacra.testing import Unchanged
        >>> spec = DataSpec("pairs", "vector", Field((2,)), {"noisy": Field((2,))})
        >>> pair = Batch(torch.zeros(3, 2), {"noisy": torch.ones(3, 2)})
        >>> PairedCodec(Unchanged(), spec, "noisy").encode(pair).given["noisy"].shape
        torch.Size([3, 2])
    """

    def __init__(self, codec: nn.Module, data: DataSpec, corrupted: str) -> None:
        super().__init__()
        self.codec: Any = codec
        self.name, self.shape = corrupted, data.x.shape

    def spec(self, data: DataSpec) -> DataSpec:
        return self.codec.spec(data)

    def fit(self, batches: Iterable[Batch]) -> None:
        self.codec.fit(batches)

    def encode(self, batch: Batch) -> Batch:
        encoded = self.codec.encode(batch)
        return replace(encoded, given=self._with_partner(batch.given, encoded.given))

    def encode_given(self, given: Given) -> Given:
        return self._with_partner(given, self.codec.encode_given(given))

    def _with_partner(self, given: Given, encoded: Given) -> Given:
        partner = given[self.name].view(-1, *self.shape)
        return {**encoded, self.name: self.codec.encode(Batch(partner, given)).x}

    def decode(self, batch: Batch) -> Batch:
        return self.codec.decode(batch)

    def log_det(self, batch: Batch) -> Tensor:
        return self.codec.log_det(batch)
