"""A normalising flow: a simple density seen through a bijection."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import Batch, Given, Noise
from simulacra.flows.bijections import Bijection
from simulacra.training.game import Loss


class StandardNormal(nn.Module):
    """`N(0, 1)` in `size` dimensions, on the device and in the precision of the module."""

    anchor: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("anchor", torch.zeros(()), persistent=False)

    def log_prob(self, z: Tensor) -> Tensor:
        """[B, size] -> [B]."""
        return -0.5 * z.square().sum(1) - 0.5 * self.size * math.log(2 * math.pi)

    def draw(self, n: int) -> Tensor:
        return torch.randn(n, self.size, device=self.anchor.device, dtype=self.anchor.dtype)


class StandardLogistic(StandardNormal):
    """The logistic distribution, `p(z) = exp(-z) / (1 + exp(-z))^2`, in `size` dimensions: NICE's prior.

    >>> StandardLogistic(2).log_prob(torch.zeros(1, 2)).exp()
    tensor([0.0625])
    """

    def log_prob(self, z: Tensor) -> Tensor:
        """[B, size] -> [B]."""
        return -(z + 2 * functional.softplus(-z)).sum(1)

    def draw(self, n: int) -> Tensor:
        u = torch.rand(n, self.size, device=self.anchor.device, dtype=self.anchor.dtype)
        return torch.logit(u, eps=torch.finfo(u.dtype).eps)


class Flow(nn.Module):
    """`log p(x | given) = log base(z) + log |d z / d x|` with `z = to_latent(x, given)`.

    Samples are `to_data(z)` of base draws z: deterministic after one draw, and differentiable. Events of any shape
    are flattened for the bijection.

    Source: Rezende and Mohamed, "Variational inference with normalizing flows" (2015, arXiv:1505.05770).

    Args:
        bijection: an nn.Module between events [B, D] and latents [B, D].
        shape: of one event, D numbers in all.
        base: density of the latents; a standard normal where there is none.

    Example:
        >>> from simulacra.flows.coupling import AffineCoupling
        >>> flow = Flow(AffineCoupling(torch.tensor([True, False])), (2,))
        >>> flow.log_prob(Batch(torch.zeros(1, 2))).item(), flow.sample(3).x.shape
        (-1.8378770351409912, torch.Size([3, 2]))
    """

    def __init__(self, bijection: nn.Module, shape: tuple[int, ...], base: nn.Module | None = None) -> None:
        super().__init__()
        if not isinstance(bijection, Bijection):
            raise ValueError(f"expected a module with to_latent and to_data, came {type(bijection).__name__}; add them")
        self.bijection = bijection
        self.shape = shape
        self.base: Any = base or StandardNormal(math.prod(shape))

    def begin(self, batch: Batch) -> None:
        """Data-dependent start, where the bijection has one; once, before training."""
        if hasattr(self.bijection, "begin"):
            self.bijection.begin(batch.x.flatten(1), batch.given)  # type: ignore[operator]

    def log_prob(self, batch: Batch) -> Tensor:
        """Exact log density in nats of encoded events; [B]."""
        z, log_det = self.bijection.to_latent(batch.x.flatten(1), batch.given)
        return self.base.log_prob(z) + log_det

    def draw(self, n: int, given: Given = {}) -> tuple[Batch, Tensor]:
        """n new events and their log density [n], in one pass from latent to data, with gradient."""
        z = self.base.draw(n)
        x, log_det = self.bijection.to_data(z, given)
        return Batch(x.view(-1, *self.shape), given), self.base.log_prob(z) - log_det

    def noise(self, n: int) -> Noise:
        """Base draws: `z` [n, D]."""
        return {"z": self.base.draw(n)}

    def push(self, noise: Noise, given: Given = {}) -> Batch:
        """Events from base draws, with gradient."""
        x, _ = self.bijection.to_data(noise["z"], given)
        return Batch(x.view(-1, *self.shape), given)

    def sample(self, n: int, given: Given = {}) -> Batch:
        """n new events, one for each row of `given`; no gradient, evaluation mode."""
        training = self.training
        if training:
            self.eval()
        try:
            with torch.no_grad():
                return self.push(self.noise(n), given)
        finally:
            if training:
                self.train()

    def loss(self, batch: Batch) -> Loss:
        """Maximum likelihood: the weighted mean of `-log p(x | given)`, in nats per event."""
        return Loss({"nll": -batch.mean(self.log_prob(batch))})
