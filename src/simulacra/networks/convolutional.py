"""Convolutions without padding from a picture of any size down to a code, and their mirror image."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from simulacra.batch import Field, Given, Noise
from simulacra.errors import UserError
from simulacra.networks.conditioning import Conditions


def stages(height: int, width: int) -> list[tuple[tuple[int, int], int]]:
    """Kernels (rows, columns) and strides: two of 5 (3 below 16 pixels), strides of 2 to at most 4, one over all.

    A kernel of stride 2 is 4 where the side is even and 3 where it is odd, so that no row is left over. For 28 x 28
    the sides are 24, 20, 9, 4, 1.

    Raises:
        UserError: the picture is smaller than 7 x 7.

    >>> stages(28, 28)
    [((5, 5), 1), ((5, 5), 1), ((4, 4), 2), ((3, 3), 2), ((4, 4), 1)]
    """
    if min(height, width) < 7:
        raise UserError(f"expected pictures of at least 7 x 7, came {height} x {width}; resize or pad them")
    edge = 5 if min(height, width) >= 16 else 3
    out: list[tuple[tuple[int, int], int]] = [((edge, edge), 1)] * 2
    rows, columns = height - 2 * (edge - 1), width - 2 * (edge - 1)
    while max(rows, columns) > 4:
        kernel = min(rows, 4 - rows % 2), min(columns, 4 - columns % 2)
        out.append((kernel, 2))
        rows, columns = (rows - kernel[0]) // 2 + 1, (columns - kernel[1]) // 2 + 1
    return [*out, ((rows, columns), 1)]


class ConvolutionalBody(nn.Module):
    """Pictures through convolutions without padding, each with a ReLU, up to the one that sees all: features.

    Shapes: (x [B, channels, height, width], given) -> [B, features]. Conditions are constant maps beside the channels.
    A linear layer on the features is the last convolution of the stack, whose kernel covers what is left.

    Args:
        shape: of a picture.
        given_fields: conditions, classes one-hot.
        width: maps of every layer.

    Attributes:
        features: numbers per event that come out.

    Source: the stack of Fleuret, "Deep learning" (EPFL), lecture 7.2.

    Example:
        >>> import torch
        >>> body = ConvolutionalBody((1, 28, 28), width=4)
        >>> body(torch.zeros(2, 1, 28, 28)).shape, body.features
        (torch.Size([2, 64]), 64)
    """

    def __init__(self, shape: tuple[int, ...], given_fields: Mapping[str, Field] | None = None, *, width: int = 16):
        super().__init__()
        self.conditions = Conditions(given_fields or {})
        *inner, (last, _) = stages(*shape[1:])
        layers: list[nn.Module] = []
        maps = shape[0] + self.conditions.size
        for kernel, stride in inner:
            layers += [nn.Conv2d(maps, width, kernel, stride), nn.ReLU()]
            maps = width
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.features = width * last[0] * last[1]

    def forward(self, x: Tensor, given: Given = {}) -> Tensor:
        if self.conditions.size:
            told = self.conditions(given).to(x.dtype)[:, :, None, None].expand(-1, -1, *x.shape[2:])
            x = torch.cat([x, told], 1)
        return self.layers(x)


class ConvolutionalDecoder(nn.Module):
    """The mirror image of `ConvolutionalBody`: transposed convolutions with a ReLU between them.

    Shapes: ({"z": [B, latent]}, given) -> [B, channels, height, width]. Conditions are joined to z. There is no tanh at
    the end: on pictures that are nearly black it would come to rest at black, where it has no slope.

    Args:
        shape: of a picture.
        latent: numbers in z.
        given_fields: conditions, classes one-hot.
        width: maps of every layer.
    """

    def __init__(
        self, shape: tuple[int, ...], latent: int, given_fields: Mapping[str, Field] | None = None, *, width: int = 16
    ) -> None:
        super().__init__()
        self.conditions = Conditions(given_fields or {})
        maps = latent + self.conditions.size
        layers: list[nn.Module] = [nn.Unflatten(1, (maps, 1, 1))]
        back = stages(*shape[1:])[::-1]
        for k, (kernel, stride) in enumerate(back):
            last = k == len(back) - 1
            layers += [nn.ConvTranspose2d(maps, shape[0] if last else width, kernel, stride), nn.ReLU()]
            maps = width
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, noise: Noise, given: Given = {}) -> Tensor:
        return self.layers(self.conditions.beside(noise["z"], given))
