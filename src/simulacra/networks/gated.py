"""Convolutions that see only the pixels before, in two stacks without a blind spot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class MaskedConv2d(nn.Conv2d):
    """A convolution whose kernel is zero, and stays zero, beyond its centre: masks A and B.

    `A` leaves out the centre and all after it along the last axis of the kernel that is longer than one (`rows`: along
    rows), `B` keeps the centre. Size is kept.

    Args:
        inputs, outputs: feature maps.
        size: of the kernel (rows, columns), odd.
        kind: `A`, for the first layer, or `B`.
        rows: whether the order is that of rows (the vertical stack) or of columns within one row.

    Source: van den Oord, Kalchbrenner and Kavukcuoglu (2016), arXiv:1601.06759.
    """

    mask: Tensor

    def __init__(self, inputs: int, outputs: int, size: tuple[int, int], kind: str, rows: bool) -> None:
        super().__init__(inputs, outputs, size, padding=(size[0] // 2, size[1] // 2))
        mask = torch.ones(size)
        last = size[0] // 2 if rows else size[1] // 2
        cut = slice(last + (kind == "B"), None)
        mask[(cut, slice(None)) if rows else (slice(None), cut)] = 0
        self.register_buffer("mask", mask)

    def forward(self, input: Tensor) -> Tensor:
        return functional.conv2d(input, self.weight * self.mask, self.bias, padding=self.padding)  # type: ignore[arg-type]


class GatedLayer(nn.Module):
    """One layer of both stacks: `tanh(a) sigmoid(b)` of masked convolutions; rows above tell the row, never back."""

    def __init__(self, inputs: int, width: int, size: int, kind: str, given_size: int) -> None:
        super().__init__()
        self.vertical = MaskedConv2d(inputs, 2 * width, (size, size), kind, rows=True)
        self.horizontal = MaskedConv2d(inputs, 2 * width, (1, size), kind, rows=False)
        self.across = nn.Conv2d(2 * width, 2 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        self.residual, self.side = kind == "B", size // 2
        self.told = nn.Linear(given_size, 4 * width, bias=False) if given_size else None

    def forward(self, above: Tensor, left: Tensor, told: Tensor | None) -> tuple[Tensor, Tensor]:
        down, along = self.vertical(above), self.horizontal(left)
        along = along + self.across(down)
        if self.told is not None and told is not None:
            first, second = self.told(told)[:, :, None, None].chunk(2, 1)
            down, along = down + first, along + second
        along = self.out(_gate(along))
        return _gate(down), along + left if self.residual else along


class GatedStack(nn.Module):
    """Features [B, width, H, W] of pictures [B, C, H, W] that see all pixels before in raster order, and no other.

    A vertical stack sees the rows above, a horizontal one the row to the left and what the vertical one found, so that
    no pixel above to the right falls into the blind spot that one masked stack would have. The first layer has mask A
    (not the pixel itself), the others mask B. The receptive field grows by `size // 2` a layer in each direction.

    Args:
        channels: C.
        width: feature maps.
        depth: gated layers.
        given_size: width of the conditions, which move every gate.
        size: of the kernels, odd.

    Example:
        >>> picture = torch.zeros(1, 1, 3, 3, requires_grad=True)
        >>> GatedStack(1, 4, 3)(picture)[0, :, 1, 1].sum().backward()
        >>> (picture.grad[0, 0] != 0).long()
        tensor([[1, 1, 1],
                [1, 0, 0],
                [0, 0, 0]])

    Source: van den Oord, Kalchbrenner, Vinyals et al. (2016), arXiv:1606.05328.
    """

    def __init__(self, channels: int, width: int, depth: int, given_size: int = 0, size: int = 3) -> None:
        super().__init__()
        layers = [GatedLayer(channels, width, size, "A", given_size)]
        layers += [GatedLayer(width, width, size, "B", given_size) for _ in range(depth - 1)]
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor, told: Tensor | None = None) -> Tensor:
        above, left = x, x
        for layer in self.layers:
            above, left = layer(above, left, told)
        return left

    def scan(self, n: int, width: int, told: Tensor | None = None) -> GatedScan:
        """The features of n pictures `width` pixels wide, pixel by pixel."""
        return GatedScan(self, n, width, told)


class GatedScan:
    """Features of a `GatedStack` pixel by pixel in raster order, each made once.

    What every layer found in the rows above, and to the left in this one, is kept, so that drawing a picture costs what
    one pass over it does (Ramachandran et al. 2017, arXiv:1704.06001).
    """

    def __init__(self, stack: GatedStack, n: int, width: int, told: Tensor | None) -> None:
        self.layers = [layer for layer in stack.layers if isinstance(layer, GatedLayer)]
        self.told = moves(self.layers, told)
        self.above: list[Tensor] = []
        self.left: list[Tensor] = []
        self.across: list[Tensor] = []
        for layer in self.layers:
            inputs, half = layer.vertical.in_channels, layer.side
            self.above.append(layer.out.weight.new_zeros(n, inputs, half + layer.residual, width + 2 * half))
            self.left.append(layer.out.weight.new_zeros(n, inputs, half + width))

    def row(self, above: Tensor) -> None:
        """Begins a row; `above` [n, C, W] is the one before it, zero for the first."""
        self.across = []
        for k, (layer, told) in enumerate(zip(self.layers, self.told, strict=True)):
            seen = functional.pad(above, (layer.side, layer.side))[:, :, None]
            self.above[k] = torch.cat([self.above[k][:, :, 1:], seen], 2)
            kernel = layer.vertical.weight[:, :, : self.above[k].shape[2]]
            down = functional.conv2d(self.above[k], kernel, layer.vertical.bias)
            along = layer.across(down)[:, :, 0]
            down = down[:, :, 0]
            if told is not None:
                first, second = told.chunk(2, 1)
                down, along = down + first, along + second
            self.across.append(along)
            above = _gate(down)

    def pixel(self, column: int, before: Tensor) -> Tensor:
        """Features [n, width] of the pixel of this column; `before` [n, C] is the one to its left, zero at the edge."""
        h = before
        for layer, left, across in zip(self.layers, self.left, self.across, strict=True):
            end = column + layer.side + layer.residual
            if end > layer.side:
                left[:, :, end - 1] = h
            kernel = layer.horizontal.weight[:, :, 0, : layer.side + layer.residual].flatten(1)
            along = functional.linear(left[:, :, column:end].flatten(1), kernel, layer.horizontal.bias)
            along = along + across[:, :, column]
            along = functional.linear(_gate(along), layer.out.weight[:, :, 0, 0], layer.out.bias)
            h = along + h if layer.residual else along
        return h


def moves(layers: Sequence[nn.Module], told: Tensor | None) -> list[Tensor | None]:
    """What the conditions [n, ...] add to the gates of each layer, [n, ..., 1], `None` where they are not heard."""
    heard: list[Any] = [layer.told for layer in layers]
    return [None if told is None or hear is None else hear(told)[..., None] for hear in heard]


def _gate(x: Tensor) -> Tensor:
    a, b = x.chunk(2, 1)
    return a.tanh() * b.sigmoid()
