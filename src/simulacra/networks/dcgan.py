"""Convolutional generator and critic after the five guidelines of DCGAN, for pictures of any power-of-two size.

The guidelines, and the argument that each one is:

1. strided convolutions instead of pooling: `strided`
2. batch norm in both networks, not at the generator's output nor at the critic's input: `norm`
3. no hidden fully connected layer: `dense`
4. ReLU in the generator, tanh at its output: `activation`, `output`
5. LeakyReLU in the critic: `slope`

Source: Radford, Metz and Chintala (2016), arXiv 1511.06434.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from simulacra.batch import Field, Given, Noise
from simulacra.errors import UserError
from simulacra.networks.conditioning import Conditions

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "layer": lambda channels: nn.GroupNorm(1, channels),
    "none": lambda channels: nn.Identity(),
}


def stages_of(shape: tuple[int, ...]) -> int:
    """How often 4 x 4 is doubled to make a picture of `shape` (channels, height, width).

    Raises:
        UserError: the picture is not square, or its side is not 8, 16, 32, ...
    """
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] < 8 or shape[1] & (shape[1] - 1):
        raise UserError(
            f"expected square pictures with a side of 8, 16, 32, ..., came {' x '.join(map(str, shape))}; "
            "resize or pad them"
        )
    return shape[1].bit_length() - 3


class DCGenerator(nn.Module):
    """DCGAN's generator: z and the conditions become 4 x 4 maps, which are doubled until they are the picture.

    Shapes: ({"z": [B, latent]}, given) -> [B, channels, size, size].

    Widths fall from `base * 2^(stages - 1)` to `base`.

    Args:
        shape: of a picture: channels, height, width.
        latent: numbers in z.
        given_fields: conditions, joined to z; classes one-hot.
        base: maps at the last hidden stage.
        norm: `batch`, `layer` or `none`.
        strided: transposed convolutions of stride 2; otherwise nearest-neighbour doubling, then a convolution.
        dense: width of a hidden fully connected layer before the maps; 0 for none.
        activation: of hidden layers.
        output: of the last one, whose range must be that of the encoded pictures.

    Example:
        >>> DCGenerator((3, 16, 16), 10)({"z": torch.zeros(2, 10)}, {}).shape
        torch.Size([2, 3, 16, 16])
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        latent: int,
        given_fields: Mapping[str, Field] | None = None,
        *,
        base: int = 64,
        norm: str = "batch",
        strided: bool = True,
        dense: int = 0,
        activation: Callable[[], nn.Module] = nn.ReLU,
        output: Callable[[], nn.Module] = nn.Tanh,
    ) -> None:
        super().__init__()
        stages, normed, bias = stages_of(shape), NORMS[norm], norm == "none"
        self.conditions = Conditions(given_fields or {})
        inputs = latent + self.conditions.size
        hidden: list[nn.Module] = [nn.Linear(inputs, dense), activation()] if dense else []
        width = base * 2 ** (stages - 1)
        first = nn.ConvTranspose2d(dense or inputs, width, 4, bias=bias)
        layers: list[nn.Module] = [
            *hidden,
            nn.Unflatten(1, (dense or inputs, 1, 1)),
            first,
            normed(width),
            activation(),
        ]
        for _ in range(stages - 1):
            layers += [_double(width, width // 2, strided, bias), normed(width // 2), activation()]
            width //= 2
        self.layers = nn.Sequential(*layers, _double(width, shape[0], strided, True), output())
        small_weights(self)

    def forward(self, noise: Noise, given: Given = {}) -> Tensor:
        return self.layers(self.conditions.beside(noise["z"], given))


class DCBody(nn.Module):
    """Pictures, with the conditions as constant maps beside their channels, are halved down to 4 x 4 maps.

    Shapes: ([B, channels, size, size], given) -> features [B, base * 2^(stages - 1) * 16]. A linear head on them is the
    4 x 4 convolution that ends DCGAN's discriminator.

    Args:
        shape: of a picture: channels, height, width.
        given_fields: conditions that the body sees; none where a projection head sees them.
        base: maps at the first stage.
        norm: `batch`, `layer` (for gradient penalties) or `none`; not at the input.
        strided: convolutions of stride 2; otherwise a convolution, then average pooling.
        dense: width of a hidden fully connected layer at the end; 0 for none.
        slope: of LeakyReLU on its negative side.

    Attributes:
        features: numbers per event that come out.

    Example:
        >>> body = DCBody((1, 32, 32), base=8)
        >>> body(torch.zeros(2, 1, 32, 32), {}).shape, body.features
        (torch.Size([2, 512]), 512)
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        given_fields: Mapping[str, Field] | None = None,
        *,
        base: int = 64,
        norm: str = "batch",
        strided: bool = True,
        dense: int = 0,
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        stages, normed, bias = stages_of(shape), NORMS[norm], norm == "none"
        self.conditions = Conditions(given_fields or {})
        width = base
        layers: list[nn.Module] = [_halve(shape[0] + self.conditions.size, width, strided, True), nn.LeakyReLU(slope)]
        for _ in range(stages - 1):
            layers += [_halve(width, width * 2, strided, bias), normed(width * 2), nn.LeakyReLU(slope)]
            width *= 2
        layers.append(nn.Flatten())
        self.features = width * 16
        if dense:
            layers += [nn.Linear(self.features, dense), nn.LeakyReLU(slope)]
            self.features = dense
        self.layers = nn.Sequential(*layers)
        small_weights(self)

    def forward(self, x: Tensor, given: Given = {}) -> Tensor:
        if self.conditions.size:
            told = self.conditions(given).to(x.dtype)[:, :, None, None]
            x = torch.cat([x, told.expand(-1, -1, *x.shape[2:])], 1)
        return self.layers(x)


def small_weights(network: nn.Module) -> None:
    """DCGAN's start: convolutions N(0, 0.02), scales of norms N(1, 0.02), no offsets."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)


def _double(inputs: int, outputs: int, strided: bool, bias: bool) -> nn.Module:
    if strided:
        return nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=bias)
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, 1, 1, bias=bias))


def _halve(inputs: int, outputs: int, strided: bool, bias: bool) -> nn.Module:
    if strided:
        return nn.Conv2d(inputs, outputs, 4, 2, 1, bias=bias)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, 1, 1, bias=bias), nn.AvgPool2d(2))
