"""Layers whose weights all learn at the same speed, and the normalisation of a feature vector."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.networks.resampled import blurred, doubled_conv2d

HE = math.sqrt(2)
"""The gain of a layer that a (leaky) ReLU follows: it halves the mean square of what is symmetric about 0."""


class _Equalised(nn.Module):
    """Weights w ~ N(0, 1 / rate^2) and the constant by which the forward multiplies them."""

    def __init__(self, shape: tuple[int, ...], gain: float, rate: float, bias: bool, offset: float) -> None:
        super().__init__()
        self.rate, self.constant = rate, gain * rate / math.sqrt(math.prod(shape[1:]))
        self.weight = nn.Parameter(torch.randn(shape) / rate)
        self.bias = nn.Parameter(torch.full(shape[:1], offset / rate)) if bias else None

    def scaled(self) -> tuple[Tensor, Tensor | None]:
        """Weight and bias as they act."""
        return self.weight * self.constant, None if self.bias is None else self.bias * self.rate

    def extra_repr(self) -> str:
        return f"{tuple(self.weight.shape)}, constant={self.constant:.3g}, rate={self.rate:g}"


class EqualisedLinear(_Equalised):
    """Equalised learning rate: `y = c W x + rate b` with He's constant at run time, `c = gain rate / sqrt(fan_in)`.

    Weights start as N(0, 1 / rate^2). Adam's steps do not know the size of a gradient, hence every weight moves equally
    far relative to its range; a layer built into the initial values instead would learn faster where it is narrow.

    Shapes: [B, inputs] -> [B, outputs].

    Args:
        gain: sqrt(2) before a (leaky) ReLU, 1 where nothing follows: then numbers of variance 1 keep it.
        rate: multiplies the layer's learning rate and changes nothing at the start (StyleGAN's mapping has 0.01).
        offset: with which the bias acts at the start.

    Source: Karras et al. (2018), section 4.1, arXiv 1710.10196; `rate`: Karras et al. (2019), arXiv 1812.04948.

    Example:
        >>> layer = EqualisedLinear(400, 300, gain=1)
        >>> abs(layer(torch.randn(500, 400)).std().item() - 1) < 0.05
        True
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        gain: float = HE,
        rate: float = 1.0,
        bias: bool = True,
        offset: float = 0.0,
    ) -> None:
        super().__init__((outputs, inputs), gain, rate, bias, offset)

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, *self.scaled())


class EqualisedConv2d(_Equalised):
    """Convolution of stride 1 with equalised learning rate, padded so that the picture keeps its size.

    As `EqualisedLinear` with `fan_in = inputs * kernel^2`.

    Shapes: [B, inputs, H, W] -> [B, outputs, H, W].

    Args:
        kernel: its side, odd.

    Source: Karras et al. (2018), section 4.1, arXiv 1710.10196.

    Example:
        >>> EqualisedConv2d(3, 5)(torch.zeros(2, 3, 8, 8)).shape
        torch.Size([2, 5, 8, 8])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        gain: float = HE,
        rate: float = 1.0,
        bias: bool = True,
        offset: float = 0.0,
    ) -> None:
        if kernel % 2 != 1:
            raise ValueError(f"expected an odd kernel, came {kernel}; an even one cannot keep the size")
        super().__init__((outputs, inputs, kernel, kernel), gain, rate, bias, offset)
        self.padding = kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.scaled()
        return functional.conv2d(x, weight, bias, padding=self.padding)


class EqualisedDoublingConv2d(EqualisedConv2d):
    """Maps of twice the side by a 3 x 3 convolution with equalised learning rate.

    Shapes: [B, inputs, H, W] -> [B, outputs, 2 H, 2 W].

    Args:
        smooth: whether a blur follows; else pixels are repeated before the convolution, and that is all.

    Source: Karras et al. (2018), arXiv 1710.10196; the blur: Karras et al. (2019), section 2, arXiv 1812.04948.

    Example:
        >>> EqualisedDoublingConv2d(3, 5, smooth=True)(torch.zeros(2, 3, 8, 8)).shape
        torch.Size([2, 5, 16, 16])
    """

    def __init__(self, inputs: int, outputs: int, smooth: bool = False) -> None:
        super().__init__(inputs, outputs)
        self.smooth = smooth

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.scaled()
        return blurred(doubled_conv2d(x, weight), bias) if self.smooth else doubled_conv2d(x, weight, bias)


class PixelNorm(nn.Module):
    """Pixel norm: at every place divides the channels by their root mean square, `b = a / sqrt(mean_c a_c^2 + eps)`.

    It learns nothing and looks at no other event; a generator's signals cannot run away with it.

    Shapes: [B, C, *] -> [B, C, *].

    Source: Karras et al. (2018), section 4.2, arXiv 1710.10196.

    Example:
        >>> PixelNorm()(torch.tensor([[3.0, 4.0], [0.0, 2.0]])).square().mean(1).round(decimals=4)
        tensor([1., 1.])
    """

    def __init__(self, eps: float = 1e-8) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return x * (x.square().mean(1, keepdim=True) + self.eps).rsqrt()
