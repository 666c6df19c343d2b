"""Flow matching: a velocity field, learnt by regression, that carries noise to data along straight lines."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import Batch, Given
from simulacra.networks.conditioning import Conditions
from simulacra.training.game import Loss


class VelocityNetwork(nn.Module):
    """A small residual network F(x, t | given) that begins at zero.

    Shapes: x [B, D], t [B, 1], told [B, C] -> [B, D]. Time enters as t and two harmonics.

    Args:
        size: D, numbers of an event.
        told: C, numbers that an event is given.
        hidden: width.
        depth: residual blocks after the first layer.

    Example:
        >>> VelocityNetwork(3, 2)(torch.randn(5, 3), torch.rand(5, 1), torch.zeros(5, 2)).abs().sum().item()
        0.0
    """

    def __init__(self, size: int, told: int = 0, hidden: int = 96, depth: int = 2) -> None:
        super().__init__()
        self.entry = nn.Linear(size + told + 5, hidden)
        self.blocks = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(depth))
        self.exit = nn.Linear(hidden, size)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)

    def forward(self, x: Tensor, t: Tensor, told: Tensor) -> Tensor:
        waves = [f(k * math.pi * t) for k in (1, 2) for f in (torch.sin, torch.cos)]
        h = functional.silu(self.entry(torch.cat([x, told, t, *waves], 1)))
        for block in self.blocks:
            h = h + functional.silu(block(h))
        return self.exit(h)


class FlowMatching(nn.Module):
    """Flow matching: carries a normal draw at t = 0 to an event at t = 1 with the velocity v(x, t | given).

    Lines `x_t = (1 - t) z + t x` have the velocity `x - z`; its mean at x_t is the field that moves the whole
    distribution. The network F only adds what a standard normal x would not explain:

        v(x, t) = (2t - 1) / s^2 x + F(x, t) / s,   s^2 = t^2 + (1 - t)^2,   loss = |s (x - z - v)|^2 / D

    so that its target has unit size at every t, and F = 0 is exact for normal data. Events should be standardised.

    Args:
        size: D, numbers of an event.
        conditions: joins what is given into one row; `None` for a model that is told nothing.
        hidden: width of the network.
        depth: residual blocks of the network.
        steps: of the sampler.

    Example:
        >>> flow = FlowMatching(2, steps=8)
        >>> flow.sample(3).x.shape, flow.evaluations
        (torch.Size([3, 2]), 16)

    Source: Lipman et al. (2022), arXiv:2210.02747; Liu et al. (2022), arXiv:2209.03003; scaled as in Karras et al.
        (2022), arXiv:2206.00364.
    """

    def __init__(
        self, size: int, conditions: Conditions | None = None, hidden: int = 96, depth: int = 2, steps: int = 10
    ) -> None:
        super().__init__()
        self.size, self.steps, self.conditions = size, steps, conditions
        self.network = VelocityNetwork(size, conditions.size if conditions else 0, hidden, depth)

    @property
    def evaluations(self) -> int:
        """How often the network is called for one sample: two per Heun step."""
        return 2 * self.steps

    def velocity(self, x: Tensor, t: Tensor, told: Tensor) -> Tensor:
        """v(x, t | told): x [B, D], t [B, 1] -> [B, D]."""
        s2 = t * t + (1 - t) ** 2
        return (2 * t - 1) / s2 * x + self.network(x, t, told) / s2.sqrt()

    def loss(self, batch: Batch) -> Loss:
        """Mean squared error of the velocity at random times and noise, in units of its spread."""
        x, told = batch.x, self._told(batch.given, len(batch))
        t, z = torch.rand_like(x[:, :1]), torch.randn_like(x)
        s = (t * t + (1 - t) ** 2).sqrt()
        miss = s * (x - z - self.velocity((1 - t) * z + t * x, t, told))
        return Loss({"velocity": batch.mean(miss.square().mean(1))})

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """Follows the field from noise with Heun's method in `steps` steps."""
        told, weight = self._told(given, n), self.network.exit.weight
        x = torch.randn(n, self.size, dtype=weight.dtype, device=weight.device)
        h = 1 / self.steps
        for k in range(self.steps):
            t = torch.full_like(x[:, :1], k * h)
            first = self.velocity(x, t, told)
            x = x + h / 2 * (first + self.velocity(x + h * first, t + h, told))
        return Batch(x, given)

    def log_prob(self, batch: Batch, steps: int = 64) -> Tensor:
        """log p(x | given) in nats [B]: the noise's density minus the divergence met on the way back.

        `log p(x_1) = log N(x_0) - int_0^1 div v dt`, with the exact trace, by Runge and Kutta's fourth-order rule.
        """
        told, h = self._told(batch.given, len(batch)), 1 / steps
        x, grown = batch.x, batch.x.new_zeros(len(batch))
        for k in range(steps):
            t = 1 - k * h
            v1, d1 = self._flow(x, t, told)
            v2, d2 = self._flow(x - h / 2 * v1, t - h / 2, told)
            v3, d3 = self._flow(x - h / 2 * v2, t - h / 2, told)
            v4, d4 = self._flow(x - h * v3, t - h, told)
            x = x - h / 6 * (v1 + 2 * v2 + 2 * v3 + v4)
            grown = grown + h / 6 * (d1 + 2 * d2 + 2 * d3 + d4)
        normal = -0.5 * x.square().sum(1) - self.size / 2 * math.log(2 * math.pi)
        return normal - grown

    def _flow(self, x: Tensor, time: float, told: Tensor) -> tuple[Tensor, Tensor]:
        """Velocity [B, D] and its divergence [B]."""
        keep = torch.is_grad_enabled()
        with torch.enable_grad():
            x = x if keep and x.requires_grad else x.detach().requires_grad_()
            v = self.velocity(x, torch.full_like(x[:, :1], time), told)
            trace = x.new_zeros(len(x))
            for k in range(self.size):
                (slope,) = torch.autograd.grad(v[:, k].sum(), x, retain_graph=True, create_graph=keep)
                trace = trace + slope[:, k]
        return (v, trace) if keep else (v.detach(), trace.detach())

    def _told(self, given: Given, n: int) -> Tensor:
        weight = self.network.exit.weight
        if self.conditions is None:
            return weight.new_zeros(n, 0)
        return self.conditions(given).to(weight.dtype)
