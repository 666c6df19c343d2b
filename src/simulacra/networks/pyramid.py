"""Pictures as a Laplacian pyramid: a small picture, and what every doubling of its side has to add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from simulacra.batch import Field, Given, Noise
from simulacra.networks.conditioning import Conditions
from simulacra.networks.dcgan import NORMS, DCBody, small_weights


def halved(x: Tensor) -> Tensor:
    """Means of 2 x 2 pixels; [B, C, 2 H, 2 W] -> [B, C, H, W]."""
    return avg_pool2d(x, 2)


def doubled(x: Tensor) -> Tensor:
    """Bilinear interpolation; [B, C, H, W] -> [B, C, 2 H, 2 W]."""
    return interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def pyramid(x: Tensor, levels: int) -> list[Tensor]:
    """The Laplacian pyramid: `h_k = I_k - u(I_{k+1})` for k = 0 to `levels` - 1, and `I_levels`, the smallest picture.

    I_0 is the picture, `I_{k+1} = d(I_k)`, d halves and u doubles the side. Any d and u are undone by `rebuilt`; these
    keep constant pictures constant, and the mean is that of the smallest one. Burt and Adelson blur with a kernel of
    5 x 5.

    Args:
        x: [B, C, S, S], S a multiple of 2^levels.

    Source: Burt and Adelson (1983).

    Example:
        >>> [tuple(h.shape[2:]) for h in pyramid(torch.zeros(1, 1, 32, 32), 2)]
        [(32, 32), (16, 16), (8, 8)]
    """
    out = [x]
    for _ in range(levels):
        out.append(halved(out[-1]))
    return [fine - doubled(coarse) for fine, coarse in pairwise(out)] + out[-1:]


def rebuilt(levels: Sequence[Tensor]) -> Tensor:
    """The picture of a Laplacian pyramid, `I_k = u(I_{k+1}) + h_k` from the smallest one up.

    Example:
        >>> x = torch.rand(2, 1, 16, 16)
        >>> torch.allclose(rebuilt(pyramid(x, 2)), x, atol=1e-6)
        True
    """
    x = levels[-1]
    for detail in reversed(levels[:-1]):
        x = doubled(x) + detail
    return x


class DetailGenerator(nn.Module):
    """The details that a blurred picture lacks: three convolutions over it, noise and the conditions as maps.

    `h = tanh(f + atanh(0.95 low)) - low`: the picture that they complete is bounded, so that black can stay black. The
    paper's details are f.

    Shapes: ({"z": [B, side * side]}, given with low_pass [B, C, side, side] within +-1) -> [B, C, side, side].

    Args:
        shape: of the picture: channels, height, width.
        given_fields: conditions beside `low_pass`, as constant maps; classes one-hot.
        width: of the hidden maps.
        norm: `batch`, `layer` or `none`.

    Source: Denton et al. (2015), arXiv 1506.05751.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        given_fields: Mapping[str, Field] | None = None,
        *,
        width: int = 64,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        self.conditions = Conditions(given_fields or {})
        normed, bias = NORMS[norm], norm == "none"
        self.layers = nn.Sequential(
            nn.Conv2d(shape[0] + 1 + self.conditions.size, width, 3, 1, 1, bias=bias),
            normed(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1, bias=bias),
            normed(width),
            nn.ReLU(),
            nn.Conv2d(width, shape[0], 3, 1, 1),
        )
        small_weights(self)

    def forward(self, noise: Noise, given: Given = {}) -> Tensor:
        low = given["low_pass"]
        maps = [low, noise["z"].view(-1, 1, *low.shape[2:])]
        if self.conditions.size:
            maps.append(self.conditions(given)[:, :, None, None].expand(-1, -1, *low.shape[2:]))
        return torch.tanh(self.layers(torch.cat(maps, 1)) + torch.atanh(0.95 * low.clamp(-1, 1))) - low


class DetailBody(nn.Module):
    """Details as a critic sees them: the picture that they complete beside the blurred one, through DCGAN's body.

    Shapes: (details [B, C, side, side], given with low_pass likewise) -> features. The paper adds the two and does not
    show the blurred picture by itself. Other conditions are left to the head.

    Args:
        shape: of the picture: channels, height, width.
        base, norm: as of `DCBody`.

    Source: Denton et al. (2015), arXiv 1506.05751.
    """

    def __init__(self, shape: tuple[int, ...], *, base: int = 32, norm: str = "none") -> None:
        super().__init__()
        self.body = DCBody((2 * shape[0], *shape[1:]), base=base, norm=norm)
        self.features = self.body.features

    def forward(self, x: Tensor, given: Given) -> Tensor:
        low = given["low_pass"]
        return self.body(torch.cat([low + x, low], 1))


class PyramidGenerator(nn.Module):
    """A picture from the smallest one up: each level's generator adds details to what the coarser ones have made.

    Shapes: ({"level0": [B, side^2], ..., "level<K>": [B, latent]}, given) -> x [B, C, side, side]. Level 0 is the
    finest; noise is named by the level that it moves.

    Args:
        levels: generators from the finest to the coarsest; the last one makes the smallest picture.
    """

    def __init__(self, levels: Sequence[nn.Module]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(levels)

    def forward(self, noise: Noise, given: Given = {}) -> Tensor:
        *fine, coarsest = range(len(self.levels))
        x = self.levels[coarsest]({"z": noise[f"level{coarsest}"]}, given)
        for k in reversed(fine):
            low = doubled(x)
            x = low + self.levels[k]({"z": noise[f"level{k}"]}, {**given, "low_pass": low})
        return x
