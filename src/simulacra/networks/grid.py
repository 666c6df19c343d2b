"""Pictures as a grid of vectors, a quarter as wide and high, and back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from simulacra.batch import Field, Given
from simulacra.networks.conditioning import Conditions


class Residual(nn.Module):
    """`x + W2 relu(W1 relu(x))` with a 3 x 3 and a 1 x 1 convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class GridEncoder(nn.Module):
    """Two strided convolutions and a residual block: (x [B, channels, height, width], given) -> [B, N, size].

    N = height / 4 x width / 4, row by row; both sides are multiples of 4. Conditions are left to the decoder.

    Source: van den Oord et al. (2017), arXiv:1711.00937, with one block.
    """

    def __init__(self, channels: int, size: int, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(width, width, 4, 2, 1),
            Residual(width),
            nn.ReLU(),
            nn.Conv2d(width, size, 1),
        )

    def forward(self, x: Tensor, given: Given = {}) -> Tensor:
        return self.layers(x).flatten(2).mT


class GridDecoder(nn.Module):
    """The mirror image of `GridEncoder`: (vectors [B, N, size], given) -> x in (-1, 1).

    Conditions are maps beside the vectors.

    Args:
        shape: of a picture: channels, height, width.
        size: numbers in a vector.
    """

    def __init__(self, shape: tuple[int, ...], size: int, given_fields: Mapping[str, Field], width: int = 32) -> None:
        super().__init__()
        self.conditions, self.grid = Conditions(given_fields), (shape[1] // 4, shape[2] // 4)
        self.layers = nn.Sequential(
            nn.Conv2d(size + self.conditions.size, width, 3, padding=1),
            Residual(width),
            nn.ReLU(),
            nn.ConvTranspose2d(width, width, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(width, shape[0], 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, vectors: Tensor, given: Given = {}) -> Tensor:
        x = vectors.mT.unflatten(2, self.grid)
        if self.conditions.size:
            told = self.conditions(given).to(x.dtype)[:, :, None, None]
            x = torch.cat([x, told.expand(-1, -1, *self.grid)], 1)
        return self.layers(x)
