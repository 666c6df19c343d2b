"""Attention between all places of a picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Self-attention: every place of the maps asks all places, and adds what it is told.

    `y_i = x_i + gamma W_o sum_j a_ij W_v x_j` with `a_ij = softmax_j (W_q x_i . W_k x_j)`, i and j over the H W places.
    Convolutions reach a few places further per layer; here any two places are one step apart. gamma starts at 0, where
    the layer is the identity.

    Shapes: [B, C, H, W] -> [B, C, H, W]. Queries and keys have C / 8 channels, values C / 2 (as in the authors' code),
    at least one. No offsets: that of a key would cancel in the softmax. A layer costs (H W)^2 numbers per event.

    Source: Zhang, Goodfellow, Metaxas and Odena (2019), arXiv 1805.08318.

    Example:
        >>> layer, maps = SelfAttention(8), torch.randn(2, 8, 4, 4)
        >>> layer.weights(maps).sum(2).shape, torch.equal(layer(maps), maps)
        (torch.Size([2, 16]), True)
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow, half = max(1, channels // 8), max(1, channels // 2)
        self.query = nn.Conv2d(channels, narrow, 1, bias=False)
        self.key = nn.Conv2d(channels, narrow, 1, bias=False)
        self.value = nn.Conv2d(channels, half, 1, bias=False)
        self.out = nn.Conv2d(half, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def weights(self, x: Tensor) -> Tensor:
        """a_ij, how much place i listens to place j: [B, H W, H W], rows sum to 1."""
        query, key = self.query(x).flatten(2), self.key(x).flatten(2)
        return (query.transpose(1, 2) @ key).softmax(2)

    def forward(self, x: Tensor) -> Tensor:
        told = self.value(x).flatten(2) @ self.weights(x).transpose(1, 2)
        return x + self.gamma * self.out(told.unflatten(2, x.shape[2:]))
