"""Deep encoder and decoder of pictures, of blocks with or without shortcuts around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from simulacra.batch import Field, Given
from simulacra.errors import UserError
from simulacra.networks.conditioning import Conditions
from simulacra.networks.dcgan import stages_of


class Block(nn.Module):
    """`x -> x + conv(relu(norm(conv(relu(norm(x))))))`: a residual block; without its shortcut only the second term.

    Shapes: [B, width, H, W] -> the same. The norm is over all maps and places of an event.

    Source: He et al. (2016), arXiv:1512.03385, arXiv:1603.05027.

    Example:
        >>> block, x = Block(2), torch.ones(1, 2, 4, 4)
        >>> bare = Block(2, shortcut=False)
        >>> _ = bare.load_state_dict(block.state_dict())
        >>> torch.allclose(block(x) - bare(x), x)
        True
    """

    def __init__(self, width: int, shortcut: bool = True) -> None:
        super().__init__()
        self.shortcut = shortcut
        self.norms = nn.ModuleList(nn.GroupNorm(1, width) for _ in range(2))
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, 1, 1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        h = x
        for norm, conv in zip(self.norms, self.convs, strict=True):
            h = conv(relu(norm(h)))
        return x + h if self.shortcut else h


def levels_of(depth: int, shape: tuple[int, ...]) -> list[int]:
    """Blocks at each size of maps, half the picture's side first, 4 last; the smallest get those that are left over.

    >>> levels_of(4, (1, 32, 32)), levels_of(4, (1, 8, 8))
    ([1, 1, 2], [4])

    Raises:
        UserError: there is no block, or the picture is not a square of a power of two.
    """
    if depth < 1:
        raise UserError(f"expected a depth of at least one block, came {depth}; raise it")
    stages = stages_of(shape)
    return [depth // stages + (k >= stages - depth % stages) for k in range(stages)]


class DeepEncoder(nn.Module):
    """Pictures are halved down to 4 x 4 maps, with blocks after every halving, and made a code by one linear map.

    Shapes: (x [B, channels, side, side], given) -> z [B, latent], and the maps of each level [B, width, ., .]. Layers
    in the deepest path: one convolution per halving, 2 `depth` in blocks, one linear map.

    Args:
        shape: of a picture.
        latent: numbers in z.
        given_fields: conditions, constant maps beside the channels.
        width: maps everywhere.
        depth: blocks in all.
        shortcuts: whether the blocks have theirs.

    Raises:
        UserError: there is no block, or the picture is not a square of a power of two.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        latent: int,
        given_fields: Mapping[str, Field] | None = None,
        *,
        width: int = 16,
        depth: int = 4,
        shortcuts: bool = True,
    ) -> None:
        super().__init__()
        self.conditions = Conditions(given_fields or {})
        levels = levels_of(depth, shape)
        inputs = [shape[0] + self.conditions.size, *[width] * (len(levels) - 1)]
        self.halvings = nn.ModuleList(nn.Conv2d(maps, width, 4, 2, 1) for maps in inputs)
        self.levels = nn.ModuleList(nn.Sequential(*[Block(width, shortcuts) for _ in range(n)]) for n in levels)
        self.code = nn.Sequential(nn.GroupNorm(1, width), nn.ReLU(), nn.Flatten(), nn.Linear(16 * width, latent))

    def forward(self, x: Tensor, given: Given = {}) -> tuple[Tensor, list[Tensor]]:
        if self.conditions.size:
            told = self.conditions(given).to(x.dtype)[:, :, None, None].expand(-1, -1, *x.shape[2:])
            x = torch.cat([x, told], 1)
        maps = []
        for halve, blocks in zip(self.halvings, self.levels, strict=True):
            x = blocks(halve(x))
            maps.append(x)
        return self.code(x), maps


class DeepDecoder(nn.Module):
    """The mirror image of `DeepEncoder`: a code becomes 4 x 4 maps, with blocks before every doubling; tanh at the end.

    Shapes: (z [B, latent], given, maps) -> [B, channels, side, side]. Maps of an encoder, if there are any, are added
    to those of the same size before the blocks: shortcuts that go across the code.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        latent: int,
        given_fields: Mapping[str, Field] | None = None,
        *,
        width: int = 16,
        depth: int = 4,
        shortcuts: bool = True,
    ) -> None:
        super().__init__()
        self.conditions = Conditions(given_fields or {})
        levels = levels_of(depth, shape)[::-1]
        inputs = latent + self.conditions.size
        self.first = nn.Sequential(nn.Linear(inputs, 16 * width), nn.Unflatten(1, (width, 4, 4)))
        self.levels = nn.ModuleList(nn.Sequential(*[Block(width, shortcuts) for _ in range(n)]) for n in levels)
        outputs = [*[width] * (len(levels) - 1), shape[0]]
        self.doublings = nn.ModuleList(nn.ConvTranspose2d(width, maps, 4, 2, 1) for maps in outputs)
        self.norm = nn.GroupNorm(1, width)

    def forward(self, z: Tensor, given: Given = {}, maps: Sequence[Tensor] = ()) -> Tensor:
        x = self.first(self.conditions.beside(z, given))
        for k, blocks in enumerate(self.levels):
            x = blocks(x + maps[-1 - k] if maps else x)
            last = k == len(self.levels) - 1
            x = self.doublings[k](relu(self.norm(x)) if last else x)
        return torch.tanh(x)
