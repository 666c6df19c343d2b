"""A deep autoencoder with shortcuts, and the control whose shortcuts go across the code."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from simulacra.autoencoders.autoencoder import Autoencoder, CodeDensity
from simulacra.batch import Batch, Given
from simulacra.networks import PointMass
from simulacra.training.game import Loss


class DeepAutoencoder(Autoencoder):
    """An autoencoder of deep halves, whose shortcuts lie inside each half and keep the bottleneck, or go across it.

    Inside a half, a shortcut carries x past a block and the code still holds all that comes back. Across, the
    encoder's maps are added to the decoder's of the same size, as a U-Net does (or an exercise that denoises): the
    picture then comes back past the code, which may be empty. That is a control, and no autoencoder any more:
    `reconstruct` uses the maps, `decode` and `sample` have a code only, and show how little is in it.

    Args:
        encoder: (x, given) -> z [B, latent] and maps.
        decoder: (z, given, maps) -> x [B, *event].
        density: of the codes.
        across: whether the decoder is given the maps.

    Source: He et al. (2016), arXiv:1512.03385; across: Ronneberger et al. (2015), arXiv:1505.04597.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, density: CodeDensity, across: bool = False) -> None:
        super().__init__(encoder, decoder, density)
        self.across = across

    def encode(self, batch: Batch) -> Distribution:
        """The code of encoded events, as a point mass; without the maps."""
        return PointMass(self.nets["encoder"](batch.x, batch.given)[0])

    def decode(self, z: Tensor, given: Given = {}) -> Tensor:
        """The event at a code alone."""
        return self.nets["decoder"](z, given)

    def back(self, batch: Batch) -> Tensor:
        """What comes back of events: through the code, and past it where shortcuts go across."""
        z, maps = self.nets["encoder"](batch.x, batch.given)
        return self.nets["decoder"](z, batch.given, maps if self.across else ())

    def loss(self, batch: Batch) -> Loss:
        """The squared error summed over the numbers of an event; watches its mean over numbers."""
        error = (self.back(batch) - batch.x).flatten(1).square()
        return Loss({"error": batch.mean(error.sum(1))}, {"mse": batch.mean(error.mean(1)).detach()})

    @torch.no_grad()
    def reconstruct(self, batch: Batch) -> Batch:
        """What comes back, in the mode in which the networks are."""
        return batch.with_x(self.back(batch))
