"""What a style and a noise do to maps: adaptive instance normalisation, and noise of a learned strength."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.networks.equalised import EqualisedLinear


class AdaIN(nn.Module):
    """Adaptive instance normalisation: every map gets the mean and the deviation that a style prescribes.

    `s (x - mean(x)) / sqrt(var(x) + eps) + b`, mean and variance over the places of one map of one event, and
    `(s - 1, b)` a linear function of w.

    Shapes: (x [B, C, H, W], w [B, size]) -> [B, C, H, W].

    Source: Huang and Belongie (2017), arXiv 1703.06868.
    """

    def __init__(self, size: int, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.style = EqualisedLinear(size, 2 * channels, gain=1)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        scale, shift = self.style(w)[:, :, None, None].chunk(2, 1)
        return (1 + scale) * functional.instance_norm(x, eps=self.eps) + shift


class PixelNoise(nn.Module):
    """Per-pixel noise: adds one map of N(0, 1) to every map of x, each with a learned strength, which starts at 0.

    Shapes: (x [B, C, H, W], noise [B, H W]) -> [B, C, H, W].

    Args:
        strengths: C, or 1 for all maps together.
    """

    def __init__(self, strengths: int) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(strengths, 1, 1))

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        return x + self.strength * noise.to(x.dtype).view(-1, 1, *x.shape[2:])
