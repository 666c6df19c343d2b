"""Batch norm that is told something."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConditionalBatchNorm(nn.Module):
    """Conditional batch norm: scale and shift of every map depend on what an event is told.

    `y = (s + S^T c) * (x - mean) / sqrt(var + eps) + (t + T^T c)` with c one row per event: a class one-hot, so that
    each class has its own scale and shift (its embedding), numbers, a learnt embedding of both, or a piece of z. S and
    T start orthogonal; where they are 0 this is plain batch norm. They are no layers: spectral norm leaves them alone.

    Shapes: (x [B, C, H, W], told [B, `told`]) -> [B, C, H, W].

    Args:
        channels: C.
        told: numbers in a row; with 0 it is plain batch norm.

    Source: Dumoulin, Shlens and Kudlur (2017), arXiv 1610.07629; in GANs: Miyato and Koyama (2018), arXiv 1802.05637.

    Example:
        >>> ConditionalBatchNorm(4, told=3)(torch.zeros(2, 4, 8, 8), torch.eye(3)[:2]).shape
        torch.Size([2, 4, 8, 8])
    """

    def __init__(self, channels: int, told: int = 0) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.own = nn.Parameter(torch.cat([torch.ones(channels), torch.zeros(channels)]))
        self.embedding = nn.Parameter(nn.init.orthogonal_(torch.empty(told, 2 * channels))) if told else None

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        both = self.own if self.embedding is None else self.own + told @ self.embedding
        scale, shift = both[..., None, None].chunk(2, -3)
        return scale * self.norm(x) + shift
