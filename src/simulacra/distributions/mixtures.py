"""A conditional density of vectors: a network gives the weights, means and widths of a mixture of Gaussians."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import Batch, Field, Given, Noise
from simulacra.errors import UserError
from simulacra.networks.conditioning import Conditions
from simulacra.networks.mlp import MLP

FLOOR = 1e-3
"""Smallest width, in encoded units: a component that sits on one event has a finite density."""


class MixtureDensityNetwork(nn.Module):
    """A mixture density network: `p(x | c) = sum_k w_k(c) N(x; m_k(c), C_k(c))`, exact and normalised.

    One network of the conditions c gives all weights, means and widths; without conditions they are numbers. A full
    component is a linear regression of each number on those before it, `C^-1 = (1 - B)' S^-2 (1 - B)` with B strictly
    lower triangular, so that density and gradient need no inverse; a diagonal one has B = 0. Widths S are at least
    1e-3. With one component it is a network for mean and variance; with no hidden layer and `heteroscedastic` off it
    is linear least squares. The density costs one pass, a sample one pass and D numbers one after another.

    Args:
        shape: of an event, D numbers in all.
        given_fields: the conditions, encoded.
        components: K.
        full: whether the numbers of a component may be correlated.
        hidden: widths of the network's hidden layers.
        heteroscedastic: whether widths (and B) depend on the conditions, as weights and means do.

    Raises:
        UserError: fewer than one component.

    Source: Bishop (1994), "Mixture density networks"; widths: Nix and Weigend (1994); full: Williams (1996).

    Example:
        >>> model = MixtureDensityNetwork((2,), {"energy": Field((1,))}, components=3)
        >>> told = {"energy": torch.zeros(5, 1)}
        >>> model.log_prob(Batch(torch.zeros(5, 2), told)).shape, model.sample(5, told).x.shape
        (torch.Size([5]), torch.Size([5, 2]))
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        given_fields: Mapping[str, Field] | None = None,
        components: int = 10,
        full: bool = True,
        hidden: Sequence[int] = (128, 128),
        heteroscedastic: bool = True,
    ) -> None:
        super().__init__()
        if components < 1:
            raise UserError(f"expected at least one component, came {components}; raise it")
        self.shape, self.size, self.count = shape, math.prod(shape), components
        below = self.size * (self.size - 1) // 2 if full else 0
        pieces = (1 if components > 1 else 0, self.size, self.size, below)  # logit, mean, width, B of each component
        self.pieces = [components * piece for piece in pieces]
        self.conditions = Conditions(given_fields or {})
        told = sum(self.pieces if heteroscedastic else self.pieces[:2])
        self.net = MLP(self.conditions.size, told, hidden) if self.conditions.size else None
        if self.net is not None:
            self.net.layers[-1].register_parameter("bias", None)  # `start` is that
        self.start = nn.Parameter(torch.zeros(sum(self.pieces)))
        with torch.no_grad():
            self._part(2).fill_(math.log(math.expm1(1.0 if components == 1 else 0.5)))

    def _part(self, k: int) -> Tensor:
        return self.start.split(self.pieces)[k]

    @torch.no_grad()
    def begin(self, batch: Batch) -> None:
        """Puts the means on events of a batch, each drawn by its squared distance from those before it (k-means++)."""
        x = batch.x.flatten(1)
        chosen = x[torch.randint(len(x), (1,))]
        while len(chosen) < self.count:
            away = torch.cdist(x, chosen).amin(1).square()
            chosen = torch.cat([chosen, x[torch.multinomial(away + 1e-12, 1)]])
        self._part(1).copy_(chosen.flatten())

    def components(self, n: int, given: Given = {}) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """log w [n, K], means [n, K, D], widths S [n, K, D] and B [n, K, D, D] at n conditions."""
        numbers = self.start.expand(n, -1)
        if self.net is not None:
            more = self.net(self.conditions(given).to(numbers.dtype))
            numbers = numbers + functional.pad(more, (0, numbers.shape[1] - more.shape[1]))
        logit, mean, width, below = numbers.split(self.pieces, 1)
        log_weight = logit.log_softmax(1) if self.count > 1 else numbers.new_zeros(n, 1)
        regression = numbers.new_zeros(n, self.count, self.size, self.size)
        if below.shape[1]:
            row, column = torch.tril_indices(self.size, self.size, -1, device=numbers.device)
            regression[:, :, row, column] = below.view(n, self.count, -1)
        mean, width = (part.view(n, self.count, self.size) for part in (mean, width))
        return log_weight, mean, functional.softplus(width) + FLOOR, regression

    def log_prob(self, batch: Batch) -> Tensor:
        """Exact log density in nats of encoded events; [B]."""
        log_weight, mean, width, regression = self.components(len(batch), batch.given)
        away = batch.x.flatten(1)[:, None] - mean
        z = (away - (regression @ away[..., None])[..., 0]) / width
        each = -0.5 * z.square().sum(2) - width.log().sum(2) - self.size / 2 * math.log(2 * math.pi)
        return (log_weight + each).logsumexp(1)

    def noise(self, n: int) -> Noise:
        """`u` [n], uniform, which chooses the component, and `z` [n, D], standard normal."""
        z = torch.randn(n, self.size, device=self.start.device, dtype=self.start.dtype)
        return {"u": torch.rand(n, device=z.device, dtype=z.dtype), "z": z}

    def push(self, noise: Noise, given: Given = {}) -> Batch:
        """Events of noise: the component at which the sum of weights passes u, then `x = m + B (x - m) + S z`."""
        z = noise["z"]
        log_weight, *parts = self.components(len(z), given)
        k = (noise["u"][:, None] > log_weight.exp().cumsum(1)[:, :-1]).sum(1)
        mean, width, regression = (part[torch.arange(len(z), device=z.device), k] for part in parts)
        away: list[Tensor] = []
        for d in range(self.size):
            after = sum((regression[:, d, j] * away[j] for j in range(d)), torch.zeros_like(z[:, d]))
            away.append(width[:, d] * z[:, d] + after)
        return Batch((mean + torch.stack(away, 1)).view(-1, *self.shape), given)

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """n new events, one for each row of `given`; no gradient."""
        return self.push(self.noise(n), given)
