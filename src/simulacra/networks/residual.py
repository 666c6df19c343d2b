"""Residual generator and critic for pictures of any power-of-two size, with or without attention.

Blocks after Miyato et al. (2018), arXiv 1802.05957; attention as in Zhang et al. (2019), arXiv 1805.08318; pieces of z
at every block and a shared embedding as in Brock et al. (2019), arXiv 1809.11096. Weights start orthogonal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from simulacra.batch import Field, Given, Noise
from simulacra.errors import UserError
from simulacra.networks.attention import SelfAttention
from simulacra.networks.conditional_norm import ConditionalBatchNorm
from simulacra.networks.conditioning import Conditions
from simulacra.networks.dcgan import stages_of
from simulacra.networks.resampled import DoublingConv2d, HalvingConv2d

UPSAMPLING: dict[str, Callable[[int, int], nn.Module]] = {
    "resize": lambda c, d: DoublingConv2d(c, d, bias=False),
    "transposed": lambda c, d: nn.ConvTranspose2d(c, d, 4, 2, 1, bias=False),
    "shuffle": lambda c, d: nn.Sequential(nn.Conv2d(c, 4 * d, 3, 1, 1, bias=False), nn.PixelShuffle(2)),
}
"""Convolutions that double maps, (inputs, outputs) -> layer: nearest-neighbour resizing, then a convolution; a
transposed convolution; a convolution to four maps whose pixels are shuffled into one (Shi et al. 2016, arXiv
1609.05158)."""


class UpBlock(nn.Module):
    """`x -> up(conv(x)) + conv(relu(norm(up(relu(norm(x))))))`: maps are doubled around a shortcut.

    Shapes: (x [B, inputs, H, W], told [B, told]) -> [B, outputs, 2 H, 2 W]. The first convolution of the branch does
    the doubling that `upsampling` names. No offsets: the next norm would take them away.
    """

    def __init__(self, inputs: int, outputs: int, told: int = 0, upsampling: str = "resize") -> None:
        super().__init__()
        self.first, self.second = ConditionalBatchNorm(inputs, told), ConditionalBatchNorm(outputs, told)
        self.up = UPSAMPLING[upsampling](inputs, outputs)
        self.conv = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        branch = self.conv(relu(self.second(self.up(relu(self.first(x, told))), told)))
        return branch + interpolate(self.shortcut(x), scale_factor=2)


class DownBlock(nn.Module):
    """`x -> pool(conv(x)) + pool(conv(relu(conv(relu(x)))))`: maps are halved around a shortcut; no norm.

    Shapes: [B, inputs, H, W] -> [B, outputs, H / 2, W / 2], or the same size where `halves` is false.

    Args:
        bare: whether x is the picture itself, which is not rectified.
    """

    def __init__(self, inputs: int, outputs: int, *, bare: bool = False, halves: bool = True) -> None:
        super().__init__()
        self.bare, self.halves = bare, halves
        self.first = nn.Conv2d(inputs, outputs, 3, 1, 1)
        self.second = HalvingConv2d(outputs, outputs) if halves else nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.second(relu(self.first(x if self.bare else relu(x))))
        return self.shortcut(avg_pool2d(x, 2) if self.halves else x) + branch


class ResidualGenerator(nn.Module):
    """Residual generator: z becomes 4 x 4 maps, which blocks double; conditions enter by conditional batch norm.

    Shapes: ({"z": [B, latent]}, given) -> [B, channels, size, size], between -1 and 1.

    Widths fall from `base * 2^(stages - 1)` to `base`.

    Args:
        shape: of a picture: channels, height, width.
        latent: numbers in z.
        given_fields: conditions, classes one-hot: every norm is told them.
        base: maps at full size.
        attention: side of the maps before which there is self-attention, 4, 8, ... to half the picture; 0 for none.
        upsampling: `resize`, `transposed` or `shuffle`.
        hierarchical: z is cut into stages + 1 pieces: the first makes the maps, each block is told one more.
        shared: numbers of a learnt embedding of the conditions, shared by all norms; 0 tells them the conditions.

    Raises:
        UserError: the picture is not a square of a power of two, or there are no such maps or upsampling.

    Example:
        >>> net = ResidualGenerator((1, 16, 16), 6, base=4, attention=8, hierarchical=True)
        >>> net({"z": torch.zeros(2, 6)}).shape
        torch.Size([2, 1, 16, 16])
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        latent: int,
        given_fields: Mapping[str, Field] | None = None,
        *,
        base: int = 16,
        attention: int = 0,
        upsampling: str = "resize",
        hierarchical: bool = False,
        shared: int = 0,
    ) -> None:
        super().__init__()
        stages = stages_of(shape)
        if upsampling not in UPSAMPLING:
            raise UserError(f"expected upsampling among {', '.join(UPSAMPLING)}, came {upsampling!r}; choose one")
        if hierarchical and latent <= stages:
            raise UserError(
                f"expected a latent of at least {stages + 1}, one number per block, came {latent}; raise it"
            )
        self.conditions = Conditions(given_fields or {})
        self.pieces = stages + 1 if hierarchical else 1
        first, *rest = (len(piece) for piece in torch.arange(latent).tensor_split(self.pieces))
        rest = rest or [0] * stages
        self.embedding = None
        row = self.conditions.size
        if shared and row:
            self.embedding = nn.Parameter(nn.init.orthogonal_(torch.empty(row, shared)))
            row = shared
        wide = base * 2 ** (stages - 1)
        widths = [wide, *(wide // 2**k for k in range(stages))]
        self.first = nn.Sequential(nn.Linear(first, wide * 16), nn.Unflatten(1, (wide, 4, 4)))
        self.blocks = nn.ModuleList(UpBlock(widths[k], widths[k + 1], rest[k] + row, upsampling) for k in range(stages))
        self.at = _place(attention, shape[1])
        self.attention = SelfAttention(widths[self.at]) if self.at is not None else nn.Identity()
        self.last = nn.Sequential(nn.BatchNorm2d(base), nn.ReLU(), nn.Conv2d(base, shape[0], 3, 1, 1), nn.Tanh())
        orthogonal_weights(self)

    def forward(self, noise: Noise, given: Given = {}) -> Tensor:
        first, *rest = noise["z"].tensor_split(self.pieces, 1)
        row = first[:, :0]
        if self.conditions.size:
            row = self.conditions(given).to(first.dtype)
        if self.embedding is not None:
            row = row @ self.embedding
        x = self.first(first)
        for k, block in enumerate(self.blocks):
            x = self.attention(x) if k == self.at else x
            x = block(x, torch.cat([rest[k], row], 1) if rest else row)
        return self.last(x)


class ResidualBody(nn.Module):
    """Residual critic's body: pictures are halved down to 4 x 4 maps, which one more block reads; sums over places.

    Shapes: ([B, channels, size, size], given) -> features [B, base * 2^(stages - 1)]. Conditions are for the head.

    Args:
        shape: of a picture: channels, height, width.
        base: maps after the first block.
        attention: side of the maps before which there is self-attention, 4, 8, ... to half the picture; 0 for none.

    Attributes:
        features: numbers per event that come out.

    Example:
        >>> body = ResidualBody((1, 32, 32), base=4, attention=16)
        >>> body(torch.zeros(2, 1, 32, 32)).shape, body.features
        (torch.Size([2, 16]), 16)
    """

    def __init__(self, shape: tuple[int, ...], *, base: int = 16, attention: int = 0) -> None:
        super().__init__()
        stages = stages_of(shape)
        widths = [shape[0], *(base * 2**k for k in range(stages))]
        self.blocks = nn.ModuleList(DownBlock(widths[k], widths[k + 1], bare=not k) for k in range(stages))
        self.features = widths[-1]
        self.blocks.append(DownBlock(self.features, self.features, halves=False))
        place = _place(attention, shape[1])
        self.at = None if place is None else stages - place
        self.attention = SelfAttention(widths[self.at]) if self.at is not None else nn.Identity()
        orthogonal_weights(self)

    def forward(self, x: Tensor, given: Given = {}) -> Tensor:
        for k, block in enumerate(self.blocks):
            x = block(self.attention(x) if k == self.at else x)
        return relu(x).sum((2, 3))


def orthogonal_weights(network: nn.Module) -> None:
    """Starts every layer with rows or columns that are orthonormal, and no offset."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.orthogonal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _place(attention: int, side: int) -> int | None:
    """How often 4 x 4 maps are doubled to have the side `attention`; `None` for no attention."""
    sides = [1 << k for k in range(2, side.bit_length() - 1)]
    if attention and attention not in sides:
        raise UserError(
            f"expected attention at maps of side {', '.join(map(str, sides))}, or 0 for none, came {attention}; "
            "choose one of them"
        )
    return sides.index(attention) if attention else None
