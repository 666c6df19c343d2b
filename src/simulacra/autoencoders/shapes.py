"""Priors of codes that can be drawn and have no density of use: a flower and a swiss roll in the plane."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Flower(nn.Module):
    """Long Gaussians that point away from 0 like petals, one for each of `pieces` equal parts of a uniform number.

    `z = R(2 pi k / K) (2 + 0.6 n_1, 0.12 n_2)`, k = floor(K u), R a rotation.

    Source: Makhzani et al. (2016), arXiv:1511.05644, figure 4.

    Example:
        >>> Flower(4)(torch.tensor([0.1, 0.3]), torch.zeros(2, 2)).round().abs()
        tensor([[2., 0.],
                [0., 2.]])
    """

    size = 2

    def __init__(self, pieces: int = 10) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, component: Tensor, normal: Tensor) -> Tensor:
        """Codes [n, 2] of uniform numbers [n] and standard normal ones [n, 2]."""
        angle = 2 * math.pi * (self.pieces * component).floor().clamp(max=self.pieces - 1) / self.pieces
        out, aside = 2.0 + 0.6 * normal[:, 0], 0.12 * normal[:, 1]
        return torch.stack([out * angle.cos() - aside * angle.sin(), out * angle.sin() + aside * angle.cos()], 1)


class SwissRoll(nn.Module):
    """A swiss roll in the plane, along which a uniform number leads from the inner end to the outer one.

    `z = t (cos t, sin t) / 4 + 0.08 n`, `t = pi / 2 + 3 pi u^1/2`: equal parts of u are about as long.

    Source: Makhzani et al. (2016), arXiv:1511.05644, figure 4.

    Example:
        >>> SwissRoll()(torch.tensor([0.0, 1.0]), torch.zeros(2, 2)).round(decimals=1).abs()
        tensor([[0.0000, 0.4000],
                [0.0000, 2.7000]])
    """

    size = 2

    def forward(self, component: Tensor, normal: Tensor) -> Tensor:
        """Codes [n, 2] of uniform numbers [n] and standard normal ones [n, 2]."""
        turn = 3 * math.pi * component.sqrt() + 0.5 * math.pi
        return torch.stack([turn * turn.cos(), turn * turn.sin()], 1) / 4 + 0.08 * normal
