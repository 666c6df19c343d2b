"""Continuous flows: an ordinary differential equation carries data to latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torchdiffeq import odeint

from simulacra.batch import Field, Given
from simulacra.networks.conditioning import Conditions
from simulacra.networks.mlp import MLP


class Continuous(nn.Module):
    """Continuous flow: `dx/dt = f(x, t, given)` from data at t = 0 to latents at t = 1, `log |det| = int tr df/dx dt`.

    f is any network, here an MLP with tanh, whose last layer starts at zero, and so the flow as the identity. In
    training the trace is Hutchinson's estimate `e.(df/dx) e`, one random sign per number and solution: unbiased, at
    the cost of one gradient; with `exact`, and always in evaluation mode, it is the sum of D gradients, and the density
    exact up to the solver. Neither direction is fast: both solve the equation (Dormand and Prince, 5th order, with
    steps chosen for a whole batch), some 20 to 100 passes.

    Source: Grathwohl et al., "FFJORD" (2019, arXiv:1810.01367); Chen et al., "Neural ordinary differential equations"
    (2018, arXiv:1806.07366).

    Args:
        size: D.
        given: the conditions that f is told, encoded.
        hidden: widths of its layers.
        exact: whether the trace is exact in training too.
        tolerance: of the solver, absolute and relative, per step in training; a hundredth in evaluation mode.

    Example:
        >>> flow = Continuous(2, hidden=(8,))
        >>> flow.to_latent(torch.ones(1, 2))[0].tolist()
        [[1.0, 1.0]]
    """

    def __init__(
        self,
        size: int,
        given: Mapping[str, Field] = {},
        hidden: Sequence[int] = (64, 64, 64),
        exact: bool = False,
        tolerance: float = 1e-4,
    ) -> None:
        super().__init__()
        self.exact, self.tolerance = exact, tolerance
        self.conditions = Conditions(given)
        self.network = MLP(size + 1 + self.conditions.size, size, hidden, nn.Tanh)
        last = self.network.layers[-1]
        if isinstance(last, nn.Linear):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def velocity(self, t: Tensor, x: Tensor, given: Given = {}) -> Tensor:
        """f(x, t, given), [B, D]."""
        return self.network(self.conditions.beside(torch.cat([x, t.expand(len(x), 1)], 1), given))

    def to_latent(self, x: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        return self._solve(x, given, 0.0, 1.0)

    def to_data(self, z: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        return self._solve(z, given, 1.0, 0.0)

    def _solve(self, x: Tensor, given: Given, start: float, stop: float) -> tuple[Tensor, Tensor]:
        if not len(x):
            return x, x.new_zeros(0)
        learning = torch.is_grad_enabled()
        signs = None
        if self.training and not self.exact:
            signs = torch.randint(0, 2, x.shape, device=x.device).to(x.dtype) * 2 - 1

        def field(t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            with torch.enable_grad():
                at = state[0] if state[0].requires_grad else state[0].detach().requires_grad_()
                speed = self.velocity(t, at, given)
                trace = _trace(speed, at, signs, learning)
            return (speed, trace) if learning else (speed.detach(), trace.detach())

        limit = self.tolerance if self.training else max(self.tolerance / 100, 10 * torch.finfo(x.dtype).eps)
        times = torch.tensor([start, stop], dtype=x.dtype, device=x.device)
        with torch.autocast(x.device.type, enabled=False):
            found, log_det = odeint(field, (x, x.new_zeros(len(x))), times, rtol=limit, atol=limit, method="dopri5")
        return found[-1], log_det[-1]


def _trace(speed: Tensor, x: Tensor, signs: Tensor | None, learning: bool) -> Tensor:
    """tr d speed / d x of each event, [B]: exact, or along one row of random signs."""
    if signs is not None:
        (along,) = torch.autograd.grad(speed, x, signs, create_graph=learning, retain_graph=True)
        return (along * signs).sum(1)
    total = x.new_zeros(len(x))
    for d in range(x.shape[1]):
        (slope,) = torch.autograd.grad(speed[:, d].sum(), x, create_graph=learning, retain_graph=True)
        total = total + slope[:, d]
    return total
