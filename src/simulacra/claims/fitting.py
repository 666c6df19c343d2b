"""Critics of a fixed pair of distributions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.optim import Adam, RMSprop
from torch.optim.lr_scheduler import LambdaLR

from simulacra.batch import Batch, DataSpec, Field
from simulacra.gan import Duel, GradientPenalty, NonSaturating, Wasserstein, WeightClipping
from simulacra.networks import Critic, critic_for

Array = np.ndarray
Draw = Callable[[int], tuple[Tensor, Tensor]]
"""n -> real and fake events, both [n, D]."""


class Fitted(NamedTuple):
    """A critic of one fixed pair of distributions.

    Attributes:
        critic: trained.
        values: E f(real) - E f(fake) on the batch of each step.
    """

    critic: Critic
    values: Array

    @property
    def value(self) -> float:
        """The mean over the last tenth of the steps."""
        return float(self.values[-max(len(self.values) // 10, 1) :].mean())


def fit(
    draw: Draw,
    steps: int,
    *,
    penalty: GradientPenalty | None = None,
    clip: float | None = None,
    objective: Wasserstein | NonSaturating = Wasserstein(),
    hidden: tuple[int, ...] = (64, 64),
    rows: int = 256,
) -> Fitted:
    """Trains a critic, with a gradient penalty, with clipped weights, or with no bound on its slope.

    The optimisers are those of the papers: RMSprop at 5e-4 where weights are clipped, else Adam (0.5, 0.9) at 1e-3,
    falling linearly to 0 over the second half of the steps.
    """
    real, _ = draw(1)
    critic = critic_for(DataSpec("points", "vector", Field((real.shape[1],))), hidden=hidden, offset=False)
    free = critic.parameters()
    optimizer = RMSprop(free, 5e-4) if clip else Adam(free, 1e-3, betas=(0.5, 0.9))
    after = WeightClipping(critic, clip) if clip else None
    schedule = LambdaLR(optimizer, lambda k: min(1.0, 2 - 2 * k / max(steps, 1)))
    seen = []
    for _ in range(steps):
        real, fake = draw(rows)
        made = Batch(fake)
        duel = Duel(Batch(real), {}, lambda noise, given, made=made: made, critic)
        on_real, on_fake = duel.on_real.score, duel.on_fake.score
        loss = objective.critic(on_real, on_fake).mean()
        if penalty is not None:
            loss = loss + penalty.weight * penalty(duel).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if after is not None:
            after(duel.real, {})
        seen.append((on_real.mean() - on_fake.mean()).item())
    return Fitted(critic, np.array(seen))


def score(critic: Critic, x: Tensor) -> Tensor:
    return critic(x, {}).score


def slope(critic: Critic, x: Tensor, through: Callable[[Tensor], Tensor] = lambda s: s) -> Tensor:
    """Gradients of through(score) at points x [N, D]."""
    point = x.clone().requires_grad_()
    return torch.autograd.grad(through(score(critic, point)).sum(), point)[0]


def normals(shift: float, sigma: float = 1.0, size: int = 1) -> Draw:
    """N(0, 1) in `size` dimensions against N(shift, sigma^2), shifted along the first."""
    along = torch.zeros(size)
    along[0] = shift
    return lambda n: (torch.randn(n, size), along + sigma * torch.randn(n, size))
