"""The critics of StyleGAN and StyleGAN2."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import DataSpec, Given
from simulacra.networks.equalised import EqualisedConv2d, EqualisedLinear
from simulacra.networks.heads import Critic, ProjectionHead, head_for
from simulacra.networks.minibatch import MinibatchDeviation
from simulacra.networks.style import SLOPE, widths_of


def halved(x: Tensor) -> Tensor:
    """Maps of half the side: a blur [1, 2, 1] / 4 along both sides, then the mean of 2 x 2 pixels; 0 around the maps.

    >>> import torch
    >>> halved(torch.ones(1, 1, 8, 8))[0, 0, 1]
    tensor([0.8750, 1.0000, 1.0000, 0.8750])
    """
    line = x.new_tensor([1.0, 3.0, 3.0, 1.0]) / 8  # both steps in one
    kernel = (line[:, None] * line).expand(x.shape[1], 1, 4, 4)
    return functional.conv2d(x, kernel, stride=2, padding=1, groups=x.shape[1])


class HalvingBlock(nn.Module):
    """Two convolutions, the second at half the side: [B, inputs, H, W] -> [B, outputs, H / 2, W / 2]."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.second = EqualisedConv2d(inputs, inputs), EqualisedConv2d(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.leaky_relu(self.first(x), SLOPE)
        return functional.leaky_relu(self.second(halved(x)), SLOPE)


class ResidualBlock(HalvingBlock):
    """A halving block with a way around it: `(block(x) + conv(halved(x))) / sqrt(2)`, 1 x 1 and linear.

    Source: Karras et al. (2020), section 4.1, arXiv 1912.04958.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.around = EqualisedConv2d(inputs, outputs, 1, gain=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return (super().forward(x) + self.around(halved(x))) / math.sqrt(2)


class StyleBody(nn.Module):
    """Pictures are halved down to 4 x 4, where the minibatch's standard deviation joins; then a dense layer.

    Shapes: ([B, channels, side, side], given) -> [B, features].

    Args:
        shape: of a picture: channels, height, width.
        base: maps at the full side; twice as many with every halving, up to `most`.
        block: makes what halves: `HalvingBlock` (StyleGAN) or `ResidualBlock` (StyleGAN2).

    Attributes:
        features: numbers per event that come out.

    Source: Karras et al. (2018), arXiv 1710.10196; Karras et al. (2020), arXiv 1912.04958.

    Example:
        >>> import torch
        >>> body = StyleBody((1, 16, 16), base=4)
        >>> body(torch.zeros(2, 1, 16, 16)).shape, body.features
        (torch.Size([2, 16]), 16)
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        base: int = 16,
        most: int = 512,
        block: Callable[[int, int], nn.Module] = HalvingBlock,
    ) -> None:
        super().__init__()
        widths = widths_of(shape, base, most)[::-1]
        self.features = last = widths[-1]
        act = nn.LeakyReLU(SLOPE)
        self.layers = nn.Sequential(
            EqualisedConv2d(shape[0], base, 1),
            act,
            *(block(width, after) for width, after in pairwise(widths)),
            MinibatchDeviation(last),
            EqualisedConv2d(last + 1, last),
            act,
            nn.Flatten(),
            EqualisedLinear(last * 16, last),
            act,
        )

    def forward(self, x: Tensor, given: Given = {}) -> Tensor:
        return self.layers(x)


def style_critic(spec: DataSpec, **options: Any) -> Critic:
    """The critic of encoded pictures, told the conditions by a projection; options as `StyleBody`.

    The head's weights are equalised as all others are.
    """
    body = StyleBody(spec.x.shape, **options)
    head = head_for(body.features, spec.given)
    head.score = EqualisedLinear(body.features, 1, gain=1)  # type: ignore[assignment]
    if isinstance(head, ProjectionHead):
        told = EqualisedLinear(head.conditions.size, body.features, gain=1, bias=False)
        head.embedding = told  # type: ignore[assignment]
    return Critic(body, head)
