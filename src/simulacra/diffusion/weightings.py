"""How much an error counts at every noise level: a weight on the squared error of a network's own prediction."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from simulacra.diffusion.paths import Place
from simulacra.diffusion.predictions import slope

Weighting = Callable[[str, Place], Tensor]
"""(kind of prediction, place [B]) -> weight [B]."""


def simple(kind: str, place: Place) -> Tensor:
    """1: the squared error as the network makes it; DDPM's simple loss where it predicts noise.

    Source: Ho, Jain and Abbeel (2020), arXiv:2006.11239, eq. 14.
    """
    return torch.ones_like(place.alpha)


def measured_in(other: str) -> Weighting:
    """The squared error of another kind of prediction, `(slope(other) / slope(kind))^2`.

    >>> from simulacra.diffusion.paths import EDM
    >>> measured_in("noise")("data", EDM().at(torch.tensor([0.5])))
    tensor([4.])
    """

    def weight(kind: str, place: Place) -> Tensor:
        return (slope(other, place) / slope(kind, place)).square()

    return weight


def min_snr(gamma: float = 5.0) -> Weighting:
    """`min(alpha^2 / sigma^2, gamma)` on the squared error of the event: large signals count no more than gamma.

    Source: Hang et al. (2023), arXiv:2303.09556.
    """

    def weight(kind: str, place: Place) -> Tensor:
        ratio = (place.alpha / place.sigma).square()
        return ratio.clamp(max=gamma) / slope(kind, place).square()

    return weight


def likelihood(kind: str, place: Place) -> Tensor:
    """`g^2 / 2` on the squared error of the score, with `g^2 = 2 sigma (sigma' - sigma alpha' / alpha)`.

    Its mean over t bounds the KL divergence from data to samples. Large where sigma is small: the loss is noisy.

    Source: Song et al. (2021), arXiv:2101.09258.
    """
    a, s, a_rate, s_rate = place
    return s * (s_rate - s * a_rate / a) * (slope("score", place) / slope(kind, place)).square()
