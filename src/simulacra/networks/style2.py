"""StyleGAN2's generator: styles scale the weights of convolutions instead of the statistics of maps.

Source: Karras et al. (2020), arXiv 1912.04958.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import Noise
from simulacra.networks.equalised import HE, EqualisedConv2d, EqualisedLinear
from simulacra.networks.modulation import PixelNoise
from simulacra.networks.resampled import blurred, doubled_conv2d
from simulacra.networks.style import SLOPE, doubled, widths_of


class ModulatedConv2d(nn.Module):
    """A convolution whose weights a style scales (modulation), and that are then normalised (weight demodulation).

    `w'_oik = s_i w_oik` and `w''_oik = w'_oik / sqrt(sum_{i,k} w'_oik^2 + eps)`: for numbers of mean square 1,
    independent of each other, so are its outputs. Unlike AdaIN it never looks at the maps, so a generator cannot
    smuggle strength past it in a spike (the droplets of StyleGAN). As a sum over i is linear, maps are scaled by s
    before one convolution for the whole batch and by the root after it: the same as a kernel for each event.

    Shapes: (x [B, inputs, H, W], w [B, size]) -> [B, outputs, H, W].

    Args:
        demodulate: whether weights are normalised; not where pictures are made.
        doubling: whether maps of twice the side are made, with a blur; kernel 3.

    Source: Karras et al. (2020), section 2.2, arXiv 1912.04958.

    Example:
        >>> layer = ModulatedConv2d(8, 6, 3, size=4)
        >>> layer(torch.zeros(2, 8, 5, 5), torch.zeros(2, 4)).shape
        torch.Size([2, 6, 5, 5])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        size: int,
        demodulate: bool = True,
        doubling: bool = False,
        eps: float = 1e-8,
    ) -> None:
        super().__init__()
        self.demodulate, self.doubling, self.eps = demodulate, doubling, eps
        self.style = EqualisedLinear(size, inputs, gain=1, offset=1.0)
        self.conv = EqualisedConv2d(inputs, outputs, kernel, gain=1, bias=False)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        scale = self.style(w)
        weight, _ = self.conv.scaled()
        x = x * scale[:, :, None, None].to(x.dtype)
        if self.doubling:
            y = blurred(doubled_conv2d(x, weight))
        else:
            y = functional.conv2d(x, weight, padding=self.conv.padding)
        if self.demodulate:
            power = scale.square() @ weight.square().sum((2, 3)).T  # [B, outputs]
            y = y * (power + self.eps).rsqrt()[:, :, None, None].to(y.dtype)
        return y


class ModulatedLayer(nn.Module):
    """A modulated convolution, noise, offset and LeakyReLU: (x, w, noise) -> x, of twice the side where `doubling`."""

    def __init__(self, inputs: int, outputs: int, size: int, doubling: bool = False) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(inputs, outputs, 3, size=size, doubling=doubling)
        self.noise, self.bias = PixelNoise(1), nn.Parameter(torch.zeros(outputs, 1, 1))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        return HE * functional.leaky_relu(self.noise(self.conv(x, w), noise) + self.bias, SLOPE)


class ToPicture(nn.Module):
    """Maps and a style to the channels of a picture: 1 x 1, modulated, not demodulated."""

    def __init__(self, inputs: int, channels: int, size: int) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(inputs, channels, 1, size=size, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return self.conv(x, w) + self.bias


class SkipSynthesis(nn.Module):
    """A synthesis network with output skips: a tanh of the sum of what each side adds, doubled to the full one.

    Training shifts from coarse to fine sides by itself, without growing. Shapes, arguments and attributes as
    `Synthesis`; a learned constant, then one layer at 4 x 4 and two at each other side.

    Source: Karras et al. (2020), section 4.1, arXiv 1912.04958.

    Example:
        >>> synthesis = SkipSynthesis((3, 8, 8), 4, base=4)
        >>> noise = {name: torch.randn(2, n) for name, n in synthesis.noises.items()}
        >>> synthesis(torch.randn(2, synthesis.styles, 4), noise).shape
        torch.Size([2, 3, 8, 8])
    """

    def __init__(self, shape: tuple[int, ...], size: int, *, base: int = 16, most: int = 512) -> None:
        super().__init__()
        widths = widths_of(shape, base, most)
        self.constant = nn.Parameter(torch.randn(1, widths[0], 4, 4))
        layers = [ModulatedLayer(widths[0], widths[0], size)]
        for before, width in pairwise(widths):
            layers += [ModulatedLayer(before, width, size, doubling=True), ModulatedLayer(width, width, size)]
        self.layers = nn.ModuleList(layers)
        self.pictures = nn.ModuleList(ToPicture(width, shape[0], size) for width in widths)
        self.styles = len(layers) + 1
        self.noises = {f"noise{k}": 4 ** (2 + (k + 1) // 2) for k in range(len(layers))}

    def forward(self, styles: Tensor, noise: Noise) -> Tensor:
        x = self.constant.expand(len(styles), -1, -1, -1)
        x = self.layers[0](x, styles[:, 0], noise["noise0"])
        picture = self.pictures[0](x, styles[:, 1])
        for k in range(1, len(self.layers), 2):
            x = self.layers[k](x, styles[:, k], noise[f"noise{k}"])
            x = self.layers[k + 1](x, styles[:, k + 1], noise[f"noise{k + 1}"])
            picture = doubled(picture) + self.pictures[(k + 1) // 2](x, styles[:, k + 2])
        return torch.tanh(picture)
