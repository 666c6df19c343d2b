"""Glow: activations normalised from the first batch, channels mixed by a learnt matrix, then a coupling."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import Field, Given
from simulacra.flows.bijections import Chain
from simulacra.flows.pictures import PictureCoupling, Shape, Squeeze, channelwise, checkerboard


class ActNorm(nn.Module):
    """ActNorm: `z_c = (x_c - m_c) exp(s_c)` for each channel, begun so that the first batch has mean 0, variance 1.

    After the start m and s are learnt like all else, so that a batch of one is no worse than another. log |det| =
    `H W sum_c s_c`. A channel that never varies keeps its scale. Both directions are fast.

    Source: Kingma and Dhariwal, "Glow" (2018, arXiv:1807.03039).

    Args:
        channels: C; events are [B, C, H, W] or [B, C].

    Example:
        >>> norm, x = ActNorm(1), torch.tensor([[1.0], [3.0]])
        >>> norm.begin(x)
        >>> norm.to_latent(x)[0].flatten().tolist()
        [-1.0, 1.0]
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))

    @torch.no_grad()
    def begin(self, x: Tensor, given: Given = {}) -> None:
        """Sets mean and scale from a batch."""
        each = x.transpose(0, 1).flatten(1).double()
        mean, spread = each.mean(1), each.std(1, correction=0)
        flat = spread <= 1e-6 * mean.abs().clamp(min=1e-6)
        self.mean.copy_(mean)
        self.log_scale.copy_(torch.where(flat, 0.0, -torch.where(flat, 1.0, spread).log()))

    def _over(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        wide = (1, -1, *[1] * (x.dim() - 2))
        pixels = x[0, 0].numel() if len(x) else 1
        return self.mean.view(wide), self.log_scale.view(wide), (pixels * self.log_scale.sum()).expand(len(x))

    def to_latent(self, x: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        mean, log_scale, log_det = self._over(x)
        return (x - mean) * log_scale.exp(), log_det

    def to_data(self, z: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        mean, log_scale, log_det = self._over(z)
        return z * (-log_scale).exp() + mean, -log_det


class InvertibleConvolution(nn.Module):
    """Invertible 1x1 convolution: `z = W x` at every pixel, `W = P L (U + diag(sign exp(s)))`, a learnt permutation.

    P is fixed, L lower triangular with ones, U strictly upper, begun as a random rotation; log |det| = `H W sum s`.
    The inverse of W is a matrix too, kept until W changes: sampling solves nothing, and both directions cost the same.

    Source: Kingma and Dhariwal, "Glow" (2018, arXiv:1807.03039).

    Args:
        channels: of the pictures.
    """

    order: Tensor
    sign: Tensor
    inverse: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        rotation = torch.linalg.qr(torch.randn(channels, channels, dtype=torch.float64))[0]
        order, lower, upper = (part.to(torch.get_default_dtype()) for part in torch.linalg.lu(rotation))
        self.register_buffer("order", order)
        self.register_buffer("sign", upper.diagonal().sign())
        self.register_buffer("inverse", torch.zeros_like(order), persistent=False)
        self.lower = nn.Parameter(lower.tril(-1))
        self.upper = nn.Parameter(upper.triu(1))
        self.log_scale = nn.Parameter(upper.diagonal().abs().log())
        self._seen: tuple[Tensor, ...] = ()

    def weight(self) -> Tensor:
        """W, [C, C]."""
        one = torch.eye(len(self.order), dtype=self.order.dtype, device=self.order.device)
        upper = self.upper.triu(1) + torch.diag(self.sign * self.log_scale.exp())
        return self.order @ (self.lower.tril(-1) + one) @ upper

    def weight_inverse(self) -> Tensor:
        """W^-1, [C, C]: with gradient where one is asked for, else as kept."""
        if (torch.is_grad_enabled() and self.lower.requires_grad) or torch.compiler.is_compiling():
            return torch.linalg.inv(self.weight())
        parts = (self.order, self.sign, self.lower, self.upper, self.log_scale)
        if not self._seen or not all(map(_same, parts, self._seen)):
            with torch.no_grad():
                self.inverse = torch.linalg.inv(self.weight().double()).to(self.order)
            self._seen = tuple(part.detach().clone() for part in parts)
        return self.inverse

    def _log_det(self, x: Tensor) -> Tensor:
        return (x.shape[2] * x.shape[3] * self.log_scale.sum()).expand(len(x))

    def to_latent(self, x: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        return _mix(x, self.weight()), self._log_det(x)

    def to_data(self, z: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        return _mix(z, self.weight_inverse()), -self._log_det(z)


def _same(a: Tensor, b: Tensor) -> bool:
    """By value, for fused optimisers leave a tensor's version as it was."""
    return a.device == b.device and a.dtype == b.dtype and torch.equal(a, b)


def _mix(x: Tensor, weight: Tensor) -> Tensor:
    with torch.autocast(x.device.type, enabled=False):  # what is mixed in half precision cannot be unmixed
        return functional.conv2d(x.to(weight.dtype), weight[:, :, None, None])


def glow_scale(shape: Shape, steps: int, given: Mapping[str, Field] = {}, width: int = 64) -> Chain:
    """One scale of Glow: a squeeze, then `steps` times ActNorm, invertible 1x1 convolution, and coupling of channels.

    The last coupling moves the half that leaves after it.
    """
    inner = 4 * shape[0], shape[1] // 2, shape[2] // 2
    chain: list[nn.Module] = [Squeeze()]
    for _ in range(steps):
        chain += [ActNorm(inner[0]), InvertibleConvolution(inner[0])]
        chain.append(PictureCoupling(channelwise(inner), given, width))
    return Chain(chain)


def realnvp_scale(shape: Shape, given: Mapping[str, Field] = {}, width: int = 64) -> Chain:
    """One scale of RealNVP: three couplings on checkerboards, a squeeze, three couplings of channels.

    ActNorm stands in for the paper's batch normalisation. The last coupling moves the half that leaves after it.

    Source: Dinh, Sohl-Dickstein and Bengio, "Density estimation using Real NVP" (2017, arXiv:1605.08803).
    """
    inner = 4 * shape[0], shape[1] // 2, shape[2] // 2
    chain: list[nn.Module] = []
    for k in range(3):
        chain += [ActNorm(shape[0]), PictureCoupling(checkerboard(shape, k), given, width)]
    chain.append(Squeeze())
    for k in (0, 1, 2):
        chain += [ActNorm(inner[0]), PictureCoupling(channelwise(inner, k), given, width)]
    return Chain(chain)
