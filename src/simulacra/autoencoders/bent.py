"""A Gaussian seen through a bijection, as a distribution: what flow posteriors and flow priors are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from simulacra.batch import Given
from simulacra.distributions.priors import diagonal

POINTS = 32


class BentGaussian(Distribution):
    """q(z) of `z_0 ~ N(mu, sigma^2)`, `z = flow(z_0)`: `log q(z) = log N(z_0) - log |d z / d z_0|`; [*batch, D].

    The density of its own latest draw costs nothing more; that of any other z is exact as well and goes through
    `to_latent`, which is slow for an inverse autoregressive flow and a search for a planar one turned round.

    Args:
        mean, sigma: [*batch, D] of z_0.
        flow: a bijection.
        given: what the flow is told of each event, [*batch, ...].

    Source: Rezende and Mohamed (2015), arXiv:1505.05770.

    Example:
        >>> from simulacra.flows import Permute
        >>> q = BentGaussian(torch.tensor([1.0, 2.0]), torch.ones(2), Permute(torch.tensor([1, 0])))
        >>> q.log_prob(torch.tensor([2.0, 1.0])), q.rsample((5,)).shape
        (tensor(-1.8379), torch.Size([5, 2]))
    """

    has_rsample = True

    def __init__(self, mean: Tensor, sigma: Tensor, flow: Any, given: Given = {}) -> None:
        self.base, self.flow, self.given = diagonal(mean, sigma), flow, given
        self._drawn: tuple[Tensor, Tensor] | None = None
        super().__init__(mean.shape[:-1], mean.shape[-1:], validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        return {}

    @property
    def support(self) -> constraints.Constraint:
        return constraints.real_vector

    def expand(self, batch_shape: Any, _instance: Any = None) -> BentGaussian:
        shape = torch.Size(batch_shape)
        mean, sigma = (value.expand(*shape, *self.event_shape) for value in (self.base.mean, self.base.stddev))
        return BentGaussian(mean, sigma, self.flow, self._told(shape))

    def _told(self, shape: Any) -> Given:
        """The same conditions again for every draw, [*shape, ...]."""
        own = len(self.batch_shape)
        return {name: value.expand(*shape, *value.shape[own:]) for name, value in self.given.items()}

    def _through(self, way: Any, z: Tensor) -> tuple[Tensor, Tensor]:
        """z [..., *batch, D] through one direction of the flow, and log |det| [..., *batch]."""
        shape = z.shape[:-1]
        told = {name: value.reshape(-1, *value.shape[len(shape) :]) for name, value in self._told(shape).items()}
        out, log_det = way(z.reshape(-1, z.shape[-1]), told)
        return out.view(z.shape), log_det.view(shape)

    def _bend(self, start: Tensor) -> tuple[Tensor, Tensor]:
        """z_0 -> z and log q(z)."""
        out, log_det = self._through(self.flow.to_data, start)
        return out, self.base.log_prob(start) - log_det

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        self._drawn = self._bend(self.base.rsample(sample_shape))
        return self._drawn[0]

    def log_prob(self, value: Tensor) -> Tensor:
        if self._drawn is not None and value is self._drawn[0]:
            return self._drawn[1]
        shape = torch.broadcast_shapes(value.shape[:-1], self.batch_shape)
        start, log_det = self._through(self.flow.to_latent, value.expand(*shape, value.shape[-1]))
        return self.base.log_prob(start) + log_det

    @property
    def mean(self) -> Tensor:
        """The mean of z over 64 fixed points z_0 that lie evenly in the Gaussian, in pairs of opposite ones."""
        unit = torch.quasirandom.SobolEngine(self.event_shape[0], scramble=True, seed=0).draw(POINTS)
        normal = torch.special.ndtri(unit.double().clamp(1e-6, 1 - 1e-6)).to(self.base.mean)
        points = torch.cat([normal, -normal]).view(-1, *[1] * len(self.batch_shape), *self.event_shape)
        return self._bend(self.base.mean + self.base.stddev * points)[0].mean(0)
