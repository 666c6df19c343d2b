"""Denoising where the noisy event comes with the clean one."""

from __future__ import annotations

from torch import nn

from simulacra.autoencoders.autoencoder import Autoencoder
from simulacra.batch import Batch


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
