"""Flows of pictures: masks, the squeeze from space to channels, couplings by small CNNs, and several scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import Field, Given
from simulacra.errors import UserError
from simulacra.flows.transforms import Affine
from simulacra.networks.conditioning import Conditions

Shape = tuple[int, int, int]
"""Channels, height, width."""


def checkerboard(shape: Shape, k: int = 0) -> Tensor:
    """The mask of a chess board, alike in all channels, its fields swapped for odd k: [C, H, W], true stays.

    >>> checkerboard((1, 2, 3))[0].long()
    tensor([[1, 0, 1],
            [0, 1, 0]])
    """
    rows, columns = torch.arange(shape[1])[:, None], torch.arange(shape[2])
    return ((rows + columns + k) % 2 == 0).expand(shape)


def channelwise(shape: Shape, k: int = 0) -> Tensor:
    """The mask of channels, whose second half stays, for odd k the first: [C, H, W], true stays.

    >>> channelwise((2, 1, 1)).flatten().tolist()
    [False, True]
    """
    second = torch.arange(shape[0]) >= shape[0] // 2
    return (second if k % 2 == 0 else ~second)[:, None, None].expand(shape)


def scale_shapes(shape: Shape, scales: int) -> list[Shape]:
    """What comes into each scale of a `MultiScale`: each squeezes once, and half of its channels leave.

    Raises:
        UserError: a side is odd; where some scales fit, there are that many.

    >>> scale_shapes((1, 28, 28), 3)
    [(1, 28, 28), (2, 14, 14)]
    """
    channels, height, width = shape
    if height % 2 or width % 2:
        raise UserError(f"expected pictures of even sides to squeeze, came {height} x {width}; crop them or pad them")
    out: list[Shape] = []
    while len(out) < scales and height % 2 == 0 and width % 2 == 0:
        out.append((channels, height, width))
        channels, height, width = 2 * channels, height // 2, width // 2
    return out


class Squeeze(nn.Module):
    """Every square of 2 x 2 pixels becomes four channels: [B, C, H, W] <-> [B, 4 C, H / 2, W / 2]; volume stays.

    Source: Dinh, Sohl-Dickstein and Bengio, "Density estimation using Real NVP" (2017, arXiv:1605.08803).

    >>> Squeeze().to_latent(torch.arange(4.0).view(1, 1, 2, 2))[0].flatten()
    tensor([0., 1., 2., 3.])
    """

    def to_latent(self, x: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        return functional.pixel_unshuffle(x, 2), x.new_zeros(len(x))

    def to_data(self, z: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        return functional.pixel_shuffle(z, 2), z.new_zeros(len(z))


class PictureCoupling(nn.Module):
    """An affine coupling of pictures [B, C, H, W]: what the mask keeps decides, through a CNN, how the rest moves.

    `z = x` where the mask is true, elsewhere `z = x exp(s) + t` with `(s, t) = CNN(x * mask, given)`; log |det| is the
    sum of s over what moves. Both directions cost one pass. The CNN is 3x3, 1x1, 3x3 with ReLU; its last layer starts
    at zero, and so the coupling as the identity.

    Source: Dinh, Sohl-Dickstein and Bengio (2017, arXiv:1605.08803); the CNN as in Kingma and Dhariwal, "Glow" (2018,
    arXiv:1807.03039).

    Args:
        mask: [C, H, W] booleans, true for what stays.
        given: the conditions that the CNN is told, encoded.
        width: of its hidden layers.
        bound: largest |s|.
    """

    mask: Tensor

    def __init__(self, mask: Tensor, given: Mapping[str, Field] = {}, width: int = 64, bound: float = 2.0) -> None:
        super().__init__()
        channels = len(mask)
        self.register_buffer("mask", mask.clone())
        self.transform = Affine(bound)
        self.conditions = Conditions(given)
        self.told = nn.Linear(self.conditions.size, width, bias=False) if self.conditions.size else None
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.inner = nn.Conv2d(width, width, 1)
        self.last = nn.Conv2d(width, 2 * channels, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # pyright: ignore[reportArgumentType]

    def _parameters_of(self, x: Tensor, given: Given) -> Tensor:
        hidden = self.first(x * self.mask)
        if self.told is not None:
            hidden = hidden + self.told(self.conditions(given).to(x.dtype))[:, :, None, None]
        out = self.last(functional.relu(self.inner(functional.relu(hidden))))
        return torch.stack(out.chunk(2, 1), -1)

    def to_latent(self, x: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        moved, log_slope = self.transform.forward(x, self._parameters_of(x, given))
        return torch.where(self.mask, x, moved), (log_slope * ~self.mask).flatten(1).sum(1)

    def to_data(self, z: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        moved, log_slope = self.transform.inverse(z, self._parameters_of(z, given))
        return torch.where(self.mask, z, moved), (log_slope * ~self.mask).flatten(1).sum(1)


class MultiScale(nn.Module):
    """Scale after scale of a picture, multiscale: after each but the last, half of the channels are latents already.

    Takes flat events [B, C H W]. Every scale is a bijection of [B, C, H, W] that squeezes once; the first half of its
    channels leaves, so that coarse structure is worked on longer, and a last coupling that moves this half as the
    other decides is a learnt prior of what leaves. As fast as its scales, in both directions.

    Source: Dinh, Sohl-Dickstein and Bengio (2017, arXiv:1605.08803), section 3.6.

    Args:
        shape: of a picture.
        scales: bijections, for pictures of the shapes of `scale_shapes`.

    Example:
        >>> MultiScale((1, 4, 4), [Squeeze(), Squeeze()]).to_latent(torch.zeros(3, 16))[0].shape
        torch.Size([3, 16])
    """

    def __init__(self, shape: Shape, scales: Sequence[nn.Module]) -> None:
        super().__init__()
        self.shapes = scale_shapes(shape, len(scales))
        if len(self.shapes) < len(scales):
            raise ValueError(f"expected at most {len(self.shapes)} scales for {shape}, came {len(scales)}; take fewer")
        self.scales = nn.ModuleList(scales)

    def to_latent(self, x: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        return self._run(x, given, start=False)

    def begin(self, x: Tensor, given: Given = {}) -> None:
        """Lets each scale see what arrives at it."""
        self._run(x, given, start=True)

    def _run(self, x: Tensor, given: Given, start: bool) -> tuple[Tensor, Tensor]:
        x, total, done = x.view(-1, *self.shapes[0]), x.new_zeros(len(x)), []
        for k, scale in enumerate(self.scales):
            if start and hasattr(scale, "begin"):
                scale.begin(x, given)  # type: ignore[operator]
            x, log_det = scale.to_latent(x, given)  # type: ignore[operator]
            total = total + log_det
            if k + 1 < len(self.scales):
                leaves, x = x.chunk(2, 1)
                done.append(leaves.flatten(1))
        return torch.cat([*done, x.flatten(1)], 1), total

    def to_data(self, z: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        total, inner = z.new_zeros(len(z)), [shape[0] * shape[1] * shape[2] for shape in self.shapes[1:]]
        *left, x = z.split([*inner, inner[-1] if inner else z.shape[1]], 1)
        for k in reversed(range(len(self.scales))):
            channels, height, width = self.shapes[k]
            if k + 1 < len(self.scales):
                half = 2 * channels, height // 2, width // 2
                x = torch.cat([left[k].view(-1, *half), x.view(-1, *half)], 1)
            scale = self.scales[k]
            x, log_det = scale.to_data(x.view(-1, 4 * channels, height // 2, width // 2), given)  # type: ignore[operator]
            total = total + log_det
        return x.flatten(1), total
