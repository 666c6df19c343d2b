"""A prior of codes that is a flow, learned with the bound like any other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from simulacra.autoencoders.bent import BentGaussian
from simulacra.batch import Given
from simulacra.distributions import Prior
from simulacra.flows import Chain, Coupling, Permute, RationalQuadratic
from simulacra.flows.coupling import alternating


def couplings(size: int, layers: int = 4, hidden: Sequence[int] = (64,)) -> Chain:
    """Spline couplings of codes, fast both ways and at the start the identity but for the order of the numbers.

    A lone number is bent by itself. Above two, fixed permutations mix them.

    >>> couplings(2).to_latent(torch.tensor([[1.0, 2.0]]))[0].round(decimals=3).tolist()
    [[1.0, 2.0]]
    """
    mixing = torch.Generator().manual_seed(0)
    steps: list[nn.Module] = []
    for k in range(layers):
        steps.append(Coupling(alternating(size, k), RationalQuadratic(), hidden=hidden))
        if size > 2 and k % 2:
            steps.append(Permute(torch.randperm(size, generator=mixing)))
    return Chain(steps)


class FlowPrior(Prior):
    """A flow prior: `log p(z) = log N(f(z); 0, 1) + log |d f / d z|`, f a bijection that learns with the bound.

    The density is exact, and a draw is base noise taken back through f. The best prior is the aggregated posterior,
    the mean of q(z | x) over all data: this one may follow it in any shape, where a mixture has as many bumps as it
    has components. With f the identity it is N(0, 1).

    Args:
        size: numbers in a code.
        flow: f, a bijection whose both directions should be fast: `couplings`.

    Source: Huang et al. (2017), arXiv:1710.02248; autoregressive: Chen et al. (2017), arXiv:1611.02731.

    Example:
        >>> prior, z = FlowPrior(2, couplings(2)), torch.zeros(5, 2)
        >>> prior().log_prob(z).shape, prior.code(prior.noise(3)).shape
        (torch.Size([5]), torch.Size([3, 2]))
    """

    zero: Tensor

    def __init__(self, size: int, flow: nn.Module) -> None:
        super().__init__()
        self.flow: Any = flow
        self.register_buffer("zero", torch.zeros(size), persistent=False)

    def forward(self, given: Given = {}) -> Distribution:
        return BentGaussian(self.zero, torch.ones_like(self.zero), self.flow)

    def noise(self, n: int) -> Tensor:
        """Standard normals, in which the base is drawn."""
        return torch.randn(n, len(self.zero), device=self.zero.device, dtype=self.zero.dtype)

    def code(self, noise: Tensor, given: Given = {}) -> Tensor:
        """The codes that noise becomes on its way back through f, with gradient."""
        return self.flow.to_data(noise)[0]
