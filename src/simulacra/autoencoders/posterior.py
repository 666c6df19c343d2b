"""Posteriors beyond independent Gaussians: a Gaussian bent by a flow that knows the event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, constraints
from torch.nn.functional import softplus

from simulacra.batch import Field, Given
from simulacra.distributions.priors import EDGE, diagonal
from simulacra.flows import Affine, Autoregressive, Chain, Invert, Permute

POINTS = 32


class FlowPosterior(Distribution):
    """q(z) of `z_0 ~ N(mu, sigma^2)`, `z = flow(z_0)`: `log q(z) = log N(z_0) - log |d z / d z_0|`; [B, D].

    The flow is a bijection whose `to_data` is fast. The density of its own latest draw costs nothing more; that of any
    other z is exact as well and goes through `to_latent`, slow for an inverse autoregressive flow.

    Args:
        mean, sigma: [B, D] of z_0.
        flow: a bijection.
        given: what the flow is told of each event, [B, ...].
    """

    has_rsample = True

    def __init__(self, mean: Tensor, sigma: Tensor, flow: Any, given: Given) -> None:
        self.base, self.flow, self.given = diagonal(mean, sigma), flow, given
        self._drawn: tuple[Tensor, Tensor] | None = None
        super().__init__(mean.shape[:1], mean.shape[1:], validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        return {}

    @property
    def support(self) -> constraints.Constraint:
        return constraints.real_vector

    def _bend(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """z_0 [..., B, D] -> z and log q(z)."""
        rows = z.reshape(-1, z.shape[-1])
        out, log_det = self.flow.to_data(rows, self._told(len(rows)))
        return out.view_as(z), self.base.log_prob(z) - log_det.view(z.shape[:-1])

    def _told(self, rows: int) -> Given:
        """The same conditions again for every draw."""
        times = rows // self.batch_shape[0] if self.batch_shape[0] else 1
        return {name: value.repeat(times, *[1] * (value.dim() - 1)) for name, value in self.given.items()}

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        self._drawn = self._bend(self.base.rsample(sample_shape))
        return self._drawn[0]

    def log_prob(self, value: Tensor) -> Tensor:
        if self._drawn is not None and value is self._drawn[0]:
            return self._drawn[1]
        rows = value.expand(*value.shape[:-2], *self.batch_shape, value.shape[-1])
        start, log_det = self.flow.to_latent(rows.reshape(-1, rows.shape[-1]), self._told(rows[..., 0].numel()))
        return self.base.log_prob(start.view_as(rows)) + log_det.view(rows.shape[:-1])

    @property
    def mean(self) -> Tensor:
        """The mean of z over 64 fixed points z_0 that lie evenly in the Gaussian, in pairs of opposite ones."""
        unit = torch.quasirandom.SobolEngine(self.event_shape[0], scramble=True, seed=0).draw(POINTS)
        normal = torch.special.ndtri(unit.double().clamp(1e-6, 1 - 1e-6)).to(self.base.mean)
        points = torch.cat([normal, -normal])[:, None]
        return self._bend(self.base.mean + self.base.stddev * points)[0].mean(0)


class FlowEncoder(nn.Module):
    """An encoder with an inverse autoregressive flow posterior: (x, given) -> `FlowPosterior` over z [B, latent].

    The body's features give mu, sigma and a context h; then every step moves and scales each number as those before it
    and h decide, `z_d <- z_d exp(s_d(z_<d, h)) + t_d(z_<d, h)`, in reversed order at every second step. All numbers of
    a step come from one pass through a masked network. Steps start as the identity, and the posterior as the
    independent Gaussian of a plain variational autoencoder, which it contains.

    Args:
        body: (x, given) -> features [B, F].
        features: F.
        latent: D.
        steps: of the flow.
        hidden: widths of the layers of each masked network.
        context: numbers in h.
        bound: largest |s|.

    Source: Kingma et al. (2016), arXiv:1606.04934.
    """

    def __init__(
        self,
        body: nn.Module,
        features: int,
        latent: int,
        steps: int = 2,
        hidden: Sequence[int] = (64,),
        context: int = 16,
        bound: float = 2.0,
    ) -> None:
        super().__init__()
        self.body, self.latent = body, latent
        self.numbers = nn.Linear(features, 2 * latent + context)
        told = {"context": Field((context,))}
        chain: list[nn.Module] = []
        for _ in range(steps):
            chain += [Autoregressive(latent, Affine(bound), told, hidden), Permute(torch.arange(latent).flip(0))]
        self.flow = Invert(Chain(chain))

    def forward(self, x: Tensor, given: Given = {}) -> FlowPosterior:
        numbers = self.numbers(self.body(x, given))
        mean, width = numbers[:, : self.latent], numbers[:, self.latent : 2 * self.latent]
        return FlowPosterior(mean, softplus(width) + EDGE, self.flow, {"context": numbers[:, 2 * self.latent :]})
