"""A diffusion transformer: the patches of a picture, which attend to each other, in the place of a U-Net."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, scaled_dot_product_attention

from simulacra.batch import Field, Given
from simulacra.errors import UserError
from simulacra.networks.denoisers import Context

FEWEST = 7
"""Patches along a side, below which a patch would be too coarse where its size is left open."""


def patchify(x: Tensor, side: int) -> Tensor:
    """Patches as rows: x [B, C, H, W] -> [B, H W / side^2, C side^2], row by row of the picture.

    >>> patchify(torch.arange(16.0).view(1, 1, 4, 4), 2)[0, 1]
    tensor([2., 3., 6., 7.])
    """
    rows = x.unflatten(3, (-1, side)).unflatten(2, (-1, side))  # [B, C, h, side, w, side]
    return rows.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def unpatchify(tokens: Tensor, shape: tuple[int, int, int], side: int) -> Tensor:
    """The inverse of `patchify`: [B, H W / side^2, C side^2] -> [B, C, H, W]."""
    channels, height, width = shape
    rows = tokens.view(-1, height // side, width // side, channels, side, side)
    return rows.permute(0, 3, 1, 4, 2, 5).reshape(-1, *shape)


def places(height: int, width: int, size: int) -> Tensor:
    """Where each patch stands, [height width, size]: sines and cosines of its row, then of its column.

    `sin(f_k r), cos(f_k r)`, f_k from 1 to 1e-4 in equal ratios, in half of the numbers; the column in the other half.

    >>> places(1, 2, 4)[1]
    tensor([0.0000, 1.0000, 0.8415, 0.5403])

    Source: Vaswani et al. (2017), arXiv:1706.03762; of two axes, Dosovitskiy et al. (2021), arXiv:2010.11929.
    """
    frequencies = 1e4 ** (-torch.arange(size // 4, dtype=torch.float32) / max(1, size // 4))
    row, column = (
        torch.cat([angle.sin(), angle.cos()], 1)
        for angle in (torch.arange(count)[:, None] * frequencies for count in (height, width))
    )
    return torch.cat([row.repeat_interleave(width, 0), column.repeat(height, 1)], 1)


class ModulatedBlock(nn.Module):
    """Attention and MLP on tokens, each scaled, shifted and weighed by the context: adaptive layer norm (adaLN-Zero).

        x <- x + g_1 attend((1 + a_1) norm(x) + b_1),  x <- x + g_2 mlp((1 + a_2) norm(x) + b_2)

    a, b and g are a linear function of the context that begins at zero, so the block begins as the identity. Attention
    is `softmax(Q K^T / sqrt(d)) V` in each head. Shapes: (x [B, T, size], context [B, width]) -> [B, T, size].

    Source: Peebles and Xie (2023), arXiv:2212.09748, section 3.2.
    """

    def __init__(self, size: int, heads: int, width: int) -> None:
        super().__init__()
        self.heads = heads
        self.told = _zero(nn.Linear(width, 6 * size))
        self.query, self.key, self.value = (nn.Linear(size, size, bias=False) for _ in range(3))
        self.out = nn.Linear(size, size)
        self.mlp = nn.Sequential(nn.Linear(size, 4 * size), nn.GELU("tanh"), nn.Linear(4 * size, size))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        a, b, g, c, d, h = self.told(context)[:, None].chunk(6, 2)
        x = x + g * self.attend((1 + a) * _norm(x) + b)
        return x + h * self.mlp((1 + c) * _norm(x) + d)

    def attend(self, x: Tensor) -> Tensor:
        """What every token is told by all tokens, [B, T, size]."""
        query, key, value = (
            layer(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        return self.out(scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class DiffusionTransformer(nn.Module):
    """Diffusion transformer (DiT): a picture is cut into patches, whose tokens attend to each other, all at one size.

    Each patch becomes a token by a linear map, and its place is added; every block is told the noise and the conditions
    by adaptive layer norm; a last modulated norm and a linear map give the patches back. It begins at zero, and so does
    what each block adds. The cost of attention grows with the square of the number of patches, (H W / patch^2)^2.

    Shapes: (x [B, C, H, W], label [B], given, keep [B] or None) -> [B, C, H, W].

    Args:
        shape: of a picture: channels, height, width.
        given_fields: conditions, classes one-hot.
        width: numbers of a token, a multiple of 4 and of the heads.
        depth: blocks.
        heads: which attend apart from each other.
        patch: side of a patch; where left open, the largest that leaves 7 patches along the shorter side, or else 1.

    Raises:
        UserError: the patch does not divide the sides, or the heads the width.

    Example:
        >>> network = DiffusionTransformer((1, 28, 28), width=16, depth=1)
        >>> network.patch, network(torch.zeros(2, 1, 28, 28), torch.zeros(2)).shape
        (4, torch.Size([2, 1, 28, 28]))

    Source: Peebles and Xie (2023), arXiv:2212.09748.
    """

    place: Tensor

    def __init__(
        self,
        shape: tuple[int, ...],
        given_fields: Mapping[str, Field] = {},
        width: int = 64,
        depth: int = 4,
        heads: int = 4,
        patch: int | None = None,
    ) -> None:
        super().__init__()
        channels, high, broad = shape
        side = patch_of(high, broad) if patch is None else patch
        if side < 1 or high % side or broad % side:
            raise UserError(f"expected a patch that divides the sides {high} and {broad}, came {side}; choose another")
        if width < 1 or heads < 1 or width % math.lcm(4, heads):
            raise UserError(f"expected a width that 4 and {heads} heads divide, came {width}; make it a multiple")
        self.shape, self.patch = (channels, high, broad), side
        size = channels * side**2
        self.context = Context(given_fields, width)
        self.entry = nn.Linear(size, width)
        self.register_buffer("place", places(high // side, broad // side, width), persistent=False)
        self.blocks = nn.ModuleList(ModulatedBlock(width, heads, width) for _ in range(depth))
        self.told = _zero(nn.Linear(width, 2 * width))
        self.exit = _zero(nn.Linear(width, size))

    def forward(self, x: Tensor, label: Tensor, given: Given = {}, keep: Tensor | None = None) -> Tensor:
        context = self.context(label, given, keep)
        h = self.entry(patchify(x, self.patch)) + self.place
        for block in self.blocks:
            h = block(h, context)
        scale, shift = self.told(context)[:, None].chunk(2, 2)
        return unpatchify(self.exit((1 + scale) * _norm(h) + shift), self.shape, self.patch)


def patch_of(high: int, broad: int) -> int:
    """The largest patch that divides both sides and leaves 7 patches along the shorter one; 1 where there is none.

    >>> patch_of(28, 28), patch_of(64, 32), patch_of(8, 8), patch_of(7, 5)
    (4, 4, 1, 1)
    """
    fits = [side for side in range(1, min(high, broad) // FEWEST + 1) if high % side == broad % side == 0]
    return max(fits, default=1)


def _norm(x: Tensor) -> Tensor:
    """Layer norm without scale and shift, which the context gives."""
    return layer_norm(x, x.shape[-1:], eps=1e-6)


def _zero(layer: nn.Linear) -> nn.Linear:
    """The layer, beginning at zero."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
