"""3 x 3 convolutions at twice or half the side, as one strided convolution instead of a resizing and a full one."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, pad


def doubled_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The 3 x 3 convolution of maps whose pixels are repeated, `conv2d(repeat(x), weight, bias, padding=1)`.

    Pixels that are alike share a product: a transposed convolution with the sums of neighbouring weights, 4 x 4 at
    stride 2, has 4 products per output for 9, and no repeated maps in memory.

    Shapes: (x [B, inputs, H, W], weight [outputs, inputs, 3, 3], bias [outputs]) -> [B, outputs, 2 H, 2 W].

    Source: Karras et al. (2018), the fused layers of their published code, arXiv 1710.10196.
    """
    return conv_transpose2d(x, _spread(weight.transpose(0, 1).flip(2, 3)), bias, stride=2, padding=1)


def halved_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The mean of 2 x 2 pixels of a 3 x 3 convolution, `avg_pool2d(conv2d(x, weight, bias, padding=1), 2)`.

    As in `doubled_conv2d`, 16 products per output for 36.

    Shapes: (x [B, inputs, H, W], weight [outputs, inputs, 3, 3], bias [outputs]) -> [B, outputs, H / 2, W / 2].
    """
    return conv2d(x, _spread(weight) / 4, bias, stride=2, padding=1)


def blurred(x: Tensor, bias: Tensor | None = None) -> Tensor:
    """Maps of the same side after a blur [1, 2, 1] / 4 along both sides, 0 around them; then an offset for each map.

    After `doubled_conv2d` it is a convolution of maps doubled by linear interpolation, but for the border.

    Shapes: (x [B, C, H, W], bias [C]) -> [B, C, H, W].
    """
    line = x.new_tensor([1.0, 2.0, 1.0]) / 4
    kernel = (line[:, None] * line).expand(x.shape[1], 1, 3, 3)
    return conv2d(x, kernel, bias, padding=1, groups=x.shape[1])


class DoublingConv2d(nn.Conv2d):
    """`doubled_conv2d` as a layer: [B, inputs, H, W] -> [B, outputs, 2 H, 2 W].

    Example:
        >>> import torch
        >>> layer, x = DoublingConv2d(2, 3), torch.randn(1, 2, 4, 4)
        >>> repeated = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        >>> torch.allclose(layer(x), nn.Conv2d.forward(layer, repeated), atol=1e-6)
        True
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        return doubled_conv2d(input, self.weight, self.bias)


class HalvingConv2d(nn.Conv2d):
    """`halved_conv2d` as a layer: [B, inputs, H, W] -> [B, outputs, H / 2, W / 2].

    Example:
        >>> import torch
        >>> layer, x = HalvingConv2d(2, 3), torch.randn(1, 2, 8, 8)
        >>> torch.allclose(layer(x), nn.functional.avg_pool2d(nn.Conv2d.forward(layer, x), 2), atol=1e-6)
        True
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        return halved_conv2d(input, self.weight, self.bias)


def _spread(weight: Tensor) -> Tensor:
    """Kernels of 3 x 3 convolved with a square of four ones: [*, 4, 4]."""
    wide = pad(weight, (1, 1, 1, 1))
    return wide[..., 1:, 1:] + wide[..., :-1, 1:] + wide[..., 1:, :-1] + wide[..., :-1, :-1]
