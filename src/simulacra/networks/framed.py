"""Pictures of any size through networks that want a square with a side of a power of two."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import Given, Noise


def square(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The smallest square of a power of two that holds pictures of `shape` (channels, height, width).

    >>> square((3, 28, 20))
    (3, 32, 32)
    """
    side = 1 << (max(8, *shape[1:]) - 1).bit_length()
    return (shape[0], side, side)


class Framed(nn.Module):
    """Pictures [B, channels, height, width] in the middle of a frame of -1 (black), then through `body`.

    Args:
        body: (x [B, channels, side, side], given) -> anything.
        shape: of a picture, without its frame.
    """

    def __init__(self, body: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.body: Any = body
        side = square(shape)[1]
        top, left = (side - shape[1]) // 2, (side - shape[2]) // 2
        self.padding = (left, side - shape[2] - left, top, side - shape[1] - top)

    def forward(self, x: Tensor, given: Given = {}) -> Tensor:
        return self.body(functional.pad(x, self.padding, value=-1.0), given)


class Cropped(nn.Module):
    """The middle of what `generator` makes on a square: (noise, given) -> [B, channels, height, width].

    Args:
        generator: (noise, given) -> [B, channels, side, side].
        shape: of a picture, without its frame.
    """

    def __init__(self, generator: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.generator: Any = generator
        side = square(shape)[1]
        top, left = (side - shape[1]) // 2, (side - shape[2]) // 2
        self.rows, self.columns = slice(top, top + shape[1]), slice(left, left + shape[2])

    def forward(self, noise: Noise, given: Given = {}) -> Tensor:
        return self.generator(noise, given)[..., self.rows, self.columns]
