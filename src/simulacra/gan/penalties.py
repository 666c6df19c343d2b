"""Terms that hold the critic's slope."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import relu

from simulacra.gan.duel import Duel


def slopes(duel: Duel, view: Tensor) -> Tensor:
    """`|| grad_v score(v, given) ||` over all numbers v that the critic looks at; view [B, *] -> [B], never in bf16."""
    with torch.autocast(view.device.type, enabled=False):
        exact = view if view.dtype == torch.float64 else view.float()
        point = exact if exact.requires_grad else exact.detach().requires_grad_()
        score = duel.critic.verdict(point, duel.real.given).score
        (gradient,) = torch.autograd.grad(score.float().sum(), point, create_graph=True)
        return torch.linalg.vector_norm(gradient.flatten(1), dim=1)


@dataclass(frozen=True)
class GradientPenalty:
    """The gradient penalty: pushes the critic's slope towards `target` on lines between real and generated events.

    `(|| grad f(x') || - target)^2` at x' = e x + (1 - e) g(z), one e ~ U(0, 1) per event. Duality asks for a slope
    of at most 1; the optimal critic has slope 1 almost everywhere on the lines of the optimal coupling, which is why
    both sides are penalised by default. `one_sided` penalises steeper slopes only.

    The critic must treat events one by one: no batch norm.

    Source: Gulrajani et al. (2017), arXiv 1704.00028; one-sided: Petzka et al. (2018), arXiv 1709.08894.
    """

    weight: float = 10.0
    target: float = 1.0
    one_sided: bool = False
    name: str = "gradient_penalty"

    def __call__(self, duel: Duel) -> Tensor:
        real = duel.seen_real
        fake = duel.seen_fake.to(real.dtype)  # bf16 networks make bf16 events
        share = torch.rand(len(real), *[1] * (real.dim() - 1), dtype=real.dtype, device=real.device)
        excess = slopes(duel, torch.lerp(fake, real, share)) - self.target
        return (relu(excess) if self.one_sided else excess).square()


@dataclass(frozen=True)
class R1:
    """R1, `|| grad f(x) ||^2` at real events; the paper's gamma is twice the weight.

    Makes the game converge locally where an unregularised critic circles (the Dirac GAN).

    Source: Mescheder, Geiger and Nowozin (2018), arXiv 1801.04406.
    """

    weight: float = 5.0
    name: str = "r1"

    def __call__(self, duel: Duel) -> Tensor:
        return slopes(duel, duel.seen_real).square()


@dataclass(frozen=True)
class R2:
    """R2, `|| grad f(g(z)) ||^2` at generated events: R1's twin; the paper's gamma is twice the weight.

    Source: Mescheder, Geiger and Nowozin (2018), arXiv 1801.04406.
    """

    weight: float = 5.0
    name: str = "r2"

    def __call__(self, duel: Duel) -> Tensor:
        return slopes(duel, duel.seen_fake).square()


@dataclass(frozen=True)
class DRAGAN:
    """DRAGAN's penalty: pushes the critic's slope towards `target` around the data, wherever the generator is.

    `(|| grad f(x') || - target)^2` at x' = x + e * spread * std(x) * u, one e ~ U(0, 1) per event and one u ~ U(0, 1)
    per number; std(x) is one number, over all numbers of the batch. The paper speaks of noise N(0, c); this common
    form of it moves events one way only.

    The critic must treat events one by one: no batch norm.

    Source: Kodali, Abernethy, Hays and Kira (2017), arXiv 1705.07215.
    """

    weight: float = 10.0
    target: float = 1.0
    spread: float = 0.5
    name: str = "dragan"

    def __call__(self, duel: Duel) -> Tensor:
        real = duel.seen_real
        mean = duel.real.mean(real.flatten(1).mean(1))
        deviation = duel.real.mean((real - mean).flatten(1).square().mean(1)).sqrt()
        share = torch.rand(len(real), *[1] * (real.dim() - 1), dtype=real.dtype, device=real.device)
        around = real + share * self.spread * deviation * torch.rand_like(real)
        return (slopes(duel, around) - self.target).square()
