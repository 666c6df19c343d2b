"""Likelihoods p(x | z): how the numbers of a decoder are read as a distribution over events."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal, constraints
from torch.nn import functional

from simulacra.errors import UserError

SMALLEST = 1e-3
START = -2.25
"""A sigma of 0.1. From 1, the spread of the data, nothing is worth encoding: it would stay there."""


class Gaussian(nn.Module):
    """`p(x | z) = N(x; mu(z), sigma^2)` with the decoder as mu and one sigma, fixed or learned.

    `-log p = sum_v (x_v - mu_v)^2 / (2 sigma^2) + D log sigma + D/2 log 2 pi`: half the squared error summed over all
    D numbers where sigma = 1. A plain squared error has variance 1/2, and its mean over the numbers D/2. A learned
    sigma ends at the root mean squared error, and thereby weighs reconstruction against the divergence.

    Args:
        sigma: in encoded units; `None` to learn it, above 1e-3 and from 0.1.

    Source: Kingma and Welling (2014), arXiv:1312.6114; learned: Rybkin, Daniilidis and Levine (2021), arXiv:2006.13202.

    Example:
        >>> p = Gaussian(sigma=1.0)(torch.zeros(1, 2))
        >>> round(p.log_prob(torch.tensor([[1.0, 1.0]])).item() + math.log(2 * math.pi), 6)  # minus half the square
        -1.0
    """

    fixed: Tensor

    def __init__(self, sigma: float | None = None) -> None:
        super().__init__()
        if sigma is not None and sigma <= 0:
            raise UserError(f"expected a sigma above 0, came {sigma}; leave it out to learn it")
        self.raw = nn.Parameter(torch.tensor(START)) if sigma is None else None
        self.register_buffer("fixed", torch.tensor(0.0 if sigma is None else float(sigma)))

    @property
    def sigma(self) -> Tensor:
        return self.fixed if self.raw is None else functional.softplus(self.raw) + SMALLEST

    def forward(self, output: Tensor) -> Distribution:
        """The decoder's output [B, *event] as a distribution over events."""
        return Independent(Normal(output, self.sigma, validate_args=False), output.dim() - 1, validate_args=False)

    def noise(self, output: Tensor) -> Tensor:
        """What an event is made of beside the output: one standard normal for each number."""
        return torch.randn_like(output)

    def push(self, output: Tensor, noise: Tensor) -> Tensor:
        """`mu + sigma e`."""
        return output + self.sigma * noise


class Pixels(Distribution):
    """Independent black (-1) and white (+1) pixels, white with probability `sigmoid(logits)`; [B, *event].

    `log_prob` is per unit of encoded x, in which black and white lie 2 apart, so that the codec's `log_det` turns it
    into the log-probability of the picture.
    """

    has_rsample = False

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        super().__init__(logits.shape[:1], logits.shape[1:], validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        return {"logits": constraints.real}

    @property
    def mean(self) -> Tensor:
        return torch.tanh(self.logits / 2)

    @property
    def variance(self) -> Tensor:
        return 1 - self.mean.square()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        white = self.logits.sigmoid().expand(*sample_shape, *self.logits.shape)
        return 2 * torch.bernoulli(white) - 1

    def log_prob(self, value: Tensor) -> Tensor:
        white = (value + 1) / 2
        each = white * functional.logsigmoid(self.logits) + (1 - white) * functional.logsigmoid(-self.logits)
        return (each - math.log(2)).flatten(1).sum(1)


class Bernoulli(nn.Module):
    """`p(x | z) = prod_v pi_v^y (1 - pi_v)^(1 - y)` of pixels y = (x + 1) / 2, with the decoder's output as logits.

    A probability of black-and-white pictures. Grey levels give the cross-entropy, which trains well and has its
    smallest value at pi = y, but is no density of them: only bounds of binary pictures are likelihoods.

    Source: Kingma and Welling (2014), arXiv:1312.6114; Loaiza-Ganem and Cunningham (2019), arXiv:1907.06845.

    Example:
        >>> p = Bernoulli()(torch.zeros(1, 1, 2, 2))
        >>> round(p.log_prob(torch.ones(1, 1, 2, 2)).item() / math.log(2), 4)  # 4 bits, and 4 for the unit of x
        -8.0
    """

    def forward(self, output: Tensor) -> Distribution:
        """The decoder's output [B, *event] as a distribution over events."""
        return Pixels(output)

    def noise(self, output: Tensor) -> Tensor:
        """One uniform number for each pixel."""
        return torch.rand_like(output)

    def push(self, output: Tensor, noise: Tensor) -> Tensor:
        """White where the noise is below the probability; no gradient."""
        return 2 * (noise < output.sigmoid()).to(output) - 1
