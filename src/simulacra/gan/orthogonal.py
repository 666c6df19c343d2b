"""A term that keeps the filters of a network apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from simulacra.gan.duel import Duel

_LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


@dataclass(frozen=True, eq=False)
class OrthogonalRegularisation:
    """Orthogonal regularisation: `sum over layers || W W^T * (1 - I) ||_F^2`, W [outputs, inputs * kernel].

    Filters are pushed towards being orthogonal to each other, and their lengths are left alone; 0 where they are
    orthogonal. A generator with it tolerates truncated latents. Of layers under spectral norm it is about the weight
    that is divided. Not about embeddings and norms.

    Args:
        network: of the player; its parameters are read, not owned.
        weight: of the term, the paper's beta.

    Source: Brock, Donahue and Simonyan (2019), section 3.1, arXiv 1809.11096.

    Example:
        >>> net = nn.Linear(2, 2)
        >>> net.weight.data = torch.tensor([[1.0, 0.0], [2.0, 3.0]])  # rows whose product is 2, twice
        >>> OrthogonalRegularisation(net).overlap().item()
        8.0
    """

    network: nn.Module
    weight: float = 1e-4
    name: str = "orthogonality"

    def overlap(self) -> Tensor:
        """The squared products of different filters, summed over pairs and layers; a scalar."""
        layers: list[Any] = [m for m in self.network.modules() if isinstance(m, _LAYERS)]
        parts = []
        for layer in layers:
            weight = layer.parametrizations.weight.original if hasattr(layer, "parametrizations") else layer.weight
            filters = (weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight).flatten(1)
            gram = filters @ filters.T
            parts.append((gram - gram.diagonal().diag()).square().sum())
        return torch.stack(parts).sum()

    def __call__(self, duel: Duel) -> Tensor:
        return self.overlap()
