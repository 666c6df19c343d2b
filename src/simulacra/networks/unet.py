"""A small U-Net with attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, silu

from simulacra.batch import Field, Given
from simulacra.networks.attention import SelfAttention
from simulacra.networks.denoisers import Context


def group_norm(channels: int) -> nn.GroupNorm:
    """Group norm over four maps at a time, all together where they do not divide."""
    return nn.GroupNorm(channels // 4 if channels % 4 == 0 else 1, channels)


class TimedBlock(nn.Module):
    """`x -> shortcut(x) + conv(silu((1 + a) norm(conv(silu(norm(x)))) + b))`, a and b from the context.

    Shapes: (x [B, inputs, H, W], context [B, width]) -> [B, outputs, H, W]. The second convolution begins at zero.
    """

    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__()
        self.norm, self.inner = group_norm(inputs), group_norm(outputs)
        self.first, self.second = nn.Conv2d(inputs, outputs, 3, 1, 1), nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.told = nn.Linear(width, 2 * outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False) if inputs != outputs else nn.Identity()
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        scale, shift = self.told(context)[..., None, None].chunk(2, 1)
        h = self.inner(self.first(silu(self.norm(x))))
        return self.shortcut(x) + self.second(silu((1 + scale) * h + shift))


class UNet(nn.Module):
    """U-Net: maps are halved and doubled again, each level of the way up sees what the way down had at that size.

    Shapes: (x [B, C, H, W], label [B], given, keep [B] or None) -> [B, C, H, W]. Widths are `base * multiples`; a level
    is left out where a side would be odd or below 4. Self-attention at the smallest maps. It begins at zero.

    Source: Ronneberger, Fischer and Brox (2015), arXiv:1505.04597; in diffusion, Ho, Jain and Abbeel (2020),
    arXiv:2006.11239, with the scale and shift of Dhariwal and Nichol (2021), arXiv:2105.05233.

    Args:
        shape: of a picture: channels, height, width.
        given_fields: conditions, classes one-hot.
        base: maps at full size.
        multiples: of `base`, level by level.

    Example:
        >>> UNet((1, 28, 28), base=4)(torch.zeros(2, 1, 28, 28), torch.zeros(2)).shape
        torch.Size([2, 1, 28, 28])
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        given_fields: Mapping[str, Field] = {},
        base: int = 32,
        multiples: Sequence[int] = (1, 2, 2),
    ) -> None:
        super().__init__()
        channels, height, breadth = shape
        widths = [base * multiples[0]]
        for multiple in multiples[1:]:
            if height % 2 or breadth % 2 or min(height, breadth) < 8:
                break
            height, breadth = height // 2, breadth // 2
            widths.append(base * multiple)
        row = 4 * base
        self.context = Context(given_fields, row)
        self.entry = nn.Conv2d(channels, widths[0], 3, 1, 1)
        before = [widths[0], *widths[:-1]]
        self.down = nn.ModuleList(TimedBlock(a, b, row) for a, b in zip(before, widths, strict=True))
        self.middle = nn.ModuleList(TimedBlock(widths[-1], widths[-1], row) for _ in range(2))
        self.attention = SelfAttention(widths[-1])
        self.up = nn.ModuleList(
            TimedBlock(2 * b, a, row) for a, b in zip(reversed(before), reversed(widths), strict=True)
        )
        self.norm = group_norm(widths[0])
        self.exit = nn.Conv2d(widths[0], channels, 3, 1, 1)
        for parameter in self.exit.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, label: Tensor, given: Given = {}, keep: Tensor | None = None) -> Tensor:
        context, h, seen = self.context(label, given, keep), self.entry(x), []
        for k, block in enumerate(self.down):
            h = block(avg_pool2d(h, 2) if k else h, context)
            seen.append(h)
        h = self.middle[1](self.attention(self.middle[0](h, context)), context)
        for k, block in enumerate(self.up):
            h = interpolate(h, scale_factor=2.0) if k else h
            h = block(torch.cat([h, seen.pop()], 1), context)
        return self.exit(silu(self.norm(h)))
