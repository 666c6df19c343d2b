"""Priors p(z | given) as modules that return a torch distribution, and the divergence of a posterior from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Independent, MixtureSameFamily, Normal, kl_divergence
from torch.nn.functional import softplus

from simulacra.batch import Field, Given
from simulacra.networks.conditioning import Conditions
from simulacra.networks.mlp import MLP

EDGE = 1e-4


def diagonal(mean: Tensor, sigma: Tensor) -> Independent:
    """N(mean, sigma^2) with independent numbers; [..., D]."""
    return Independent(Normal(mean, sigma, validate_args=False), 1, validate_args=False)


def kl(q: Distribution, p: Distribution, z: Tensor) -> Tensor:
    """The Kullback-Leibler divergence `KL(q | p) = E_q[log q - log p] >= 0` in nats, [B].

    In closed form where there is one (for p = N(0, 1): `sum (mu^2 + sigma^2 - 1) / 2 - log sigma`), else by `z` ~ q
    [B, D], without bias. It is *added* to a loss that is made small.

    Example:
        >>> q = diagonal(torch.tensor([[2.0]]), torch.ones(1, 1))
        >>> kl(q, StandardNormalPrior(1)(), q.sample())
        tensor([2.])
    """
    try:
        return kl_divergence(q, p)
    except NotImplementedError:
        return q.log_prob(z) - p.log_prob(z)


class Prior(nn.Module):
    """p(z | given) as a module: called with what is given it returns a distribution over [latent]."""

    def noise(self, n: int) -> Tensor:
        """What n codes are made of, [n, latent]: the codes themselves where the prior is told nothing."""
        return self().expand((n,)).sample()

    def code(self, noise: Tensor, given: Given = {}) -> Tensor:
        """The codes that noise becomes, distributed as the prior."""
        return noise


class StandardNormalPrior(Prior):
    """`p(z) = N(0, 1)` in `size` dimensions, whatever is given."""

    zero: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("zero", torch.zeros(size), persistent=False)

    def forward(self, given: Given = {}) -> Distribution:
        return diagonal(self.zero, torch.ones_like(self.zero))


class ConditionalPrior(Prior):
    """A conditional prior: `p(z | given) = N(mu(given), sigma(given)^2)`, one MLP of the conditions.

    Source: Sohn, Lee and Yan, "Learning structured output representation" (2015).
    """

    def __init__(self, size: int, given_fields: Mapping[str, Field], width: int = 64) -> None:
        super().__init__()
        self.conditions, self.size = Conditions(given_fields), size
        self.net = MLP(self.conditions.size, 2 * size, (width,))

    def forward(self, given: Given = {}) -> Distribution:
        rows = self.conditions(given).to(next(self.net.parameters()).dtype)
        mean, width = self.net(rows).chunk(2, 1)
        return diagonal(mean, softplus(width) + EDGE)

    def noise(self, n: int) -> Tensor:
        """Standard normals: what is given is not known yet."""
        return torch.randn(n, self.size, device=next(self.net.parameters()).device)

    def code(self, noise: Tensor, given: Given = {}) -> Tensor:
        """`mu(given) + sigma(given) e`."""
        told = self(given)
        return told.mean + told.stddev * noise


class MixturePrior(Prior):
    """A mixture prior: `p(z) = sum_k pi_k N(z; m_k, s_k^2)` with everything learned.

    Components start `spread` apart from 0 in random directions, with width 1.

    Source: Jiang et al., VaDE (2017), arXiv:1611.05148; Dilokthanakul et al. (2016), arXiv:1611.02648.
    """

    def __init__(self, size: int, components: int = 10, spread: float = 2.0) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(spread * torch.randn(components, size) / size**0.5)
        self.widths = nn.Parameter(torch.full((components, size), 0.5413))  # softplus gives 1

    def forward(self, given: Given = {}) -> Distribution:
        parts = diagonal(self.means, softplus(self.widths) + EDGE)
        return MixtureSameFamily(Categorical(logits=self.logits), parts, validate_args=False)

    def clusters(self, z: Tensor) -> Tensor:
        """`p(k | z)`, [B, K]: which component a code belongs to."""
        parts = diagonal(self.means, softplus(self.widths) + EDGE)
        return (self.logits.log_softmax(0) + parts.log_prob(z[:, None])).softmax(1)


class VampPrior(Prior):
    """A VampPrior: the mean of the encoder's posteriors at K learned pseudo-inputs, `p(z) = 1/K sum_k q(z | u_k)`.

    The best prior of a VAE is the aggregated posterior, the mean of q(z | x) over all data; this is its image in K
    events. Pseudo-inputs are `squash`ed into the range of events and start as random noise.

    Args:
        encoder: (x [B, *event], given) -> a diagonal Gaussian.
        shape: of an event.
        components: K.
        squash: from the plane to the range of events; tanh for pictures, the identity for points.

    Source: Tomczak and Welling (2018), arXiv:1705.07120.
    """

    def __init__(
        self,
        encoder: nn.Module,
        shape: tuple[int, ...],
        components: int = 50,
        squash: Callable[[Tensor], Tensor] = lambda u: u,
    ) -> None:
        super().__init__()
        self.encoder, self.squash = encoder, squash
        self.pseudo = nn.Parameter(torch.randn(components, *shape))

    def forward(self, given: Given = {}) -> Distribution:
        parts = self.encoder(self.squash(self.pseudo), {})
        even = torch.zeros(len(self.pseudo), dtype=self.pseudo.dtype, device=self.pseudo.device)
        return MixtureSameFamily(Categorical(logits=even), parts, validate_args=False)
