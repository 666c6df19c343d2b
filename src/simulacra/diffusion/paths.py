"""Paths from data to noise: how much of the event and how much noise there is at every time."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from simulacra.errors import UserError


class Place(NamedTuple):
    """A point of a path, `x_t = alpha x + sigma e` with e of N(0, 1), and both rates of change in t; each [B]."""

    alpha: Tensor
    sigma: Tensor
    alpha_rate: Tensor
    sigma_rate: Tensor

    def beside(self, x: Tensor) -> Place:
        """The same with axes of length one, to be multiplied with x [B, ...]."""
        return Place(*(value.view(-1, *[1] * (x.dim() - 1)).to(x) for value in self))


class Path(Protocol):
    """What a path can do; times run from 0 (data) to `start` (noise)."""

    start: float

    def at(self, t: Tensor) -> Place:
        """The place at times t [B]."""
        ...

    def draw(self, n: int, like: Tensor) -> Tensor:
        """n times [n] at which to learn, on the device of `like`."""
        ...

    def grid(self, steps: int) -> list[float]:
        """`steps + 1` times from noise to data, for a sampler."""
        ...


def powers(start: float, stop: float, steps: int, rho: float) -> list[float]:
    """`(start^(1/rho) + k / steps (stop^(1/rho) - start^(1/rho)))^rho`, k = 0 ... steps: dense where t is small.

    >>> powers(1.0, 0.0, 4, 1.0)
    [1.0, 0.75, 0.5, 0.25, 0.0]

    Source: Karras et al. (2022), arXiv:2206.00364, eq. 5.
    """
    low, high = stop ** (1 / rho), start ** (1 / rho)
    inner = [(high + k / steps * (low - high)) ** rho for k in range(1, steps)]
    return [start, *inner, stop]


class VariancePreserving:
    """Variance preserving: `alpha = exp(-t^2 (b1 - b0) / 4 - t b0 / 2)`, `sigma^2 = 1 - alpha^2`, 0 < t <= 1.

    The limit of DDPM's chain with many steps: `dx = -b(t) x / 2 dt + sqrt(b(t)) dW`, b from b0 to b1.

    Source: Song et al. (2021), arXiv:2011.13456.

    >>> VariancePreserving().at(torch.ones(1)).alpha.square()
    tensor([4.3186e-05])
    """

    start = 1.0

    def __init__(self, b0: float = 0.1, b1: float = 20.0, stop: float = 1e-4) -> None:
        self.b0, self.b1, self.stop = b0, b1, stop

    def at(self, t: Tensor) -> Place:
        log = -t.square() * (self.b1 - self.b0) / 4 - t * self.b0 / 2
        alpha, sigma = log.exp(), (-torch.expm1(2 * log)).sqrt()
        b = self.b0 + t * (self.b1 - self.b0)
        return Place(alpha, sigma, -b / 2 * alpha, b / 2 * alpha.square() / sigma)

    def draw(self, n: int, like: Tensor) -> Tensor:
        return self.stop + (1 - self.stop) * torch.rand(n, device=like.device, dtype=like.dtype)

    def grid(self, steps: int) -> list[float]:
        return powers(1.0, self.stop, steps, 2.0)


class VarianceExploding:
    """Variance exploding: `alpha = 1`, `sigma = smallest (largest / smallest)^t`, 0 <= t <= 1.

    Source: Song and Ermon (2019), arXiv:1907.05600; Song et al. (2021), arXiv:2011.13456.
    """

    start = 1.0

    def __init__(self, smallest: float = 0.01, largest: float = 50.0) -> None:
        self.smallest, self.largest = smallest, largest

    def at(self, t: Tensor) -> Place:
        ratio = torch.as_tensor(self.largest / self.smallest, dtype=t.dtype, device=t.device)
        sigma = self.smallest * ratio**t
        return Place(torch.ones_like(t), sigma, torch.zeros_like(t), sigma * ratio.log())

    def draw(self, n: int, like: Tensor) -> Tensor:
        return torch.rand(n, device=like.device, dtype=like.dtype)

    def grid(self, steps: int) -> list[float]:
        return powers(1.0, 0.0, steps, 1.0)


class EDM:
    """EDM's path: `alpha = 1`, `sigma = t`; noise is learnt at `ln sigma` of N(mean, deviation^2).

    In units of the deviation of the events: the authors' mean of -1.2 for 0.5 is -0.5.

    Its sampler's times crowd at small t, `rho` = 7, from `largest` to `smallest`, and end at 0.

    Source: Karras et al. (2022), arXiv:2206.00364.

    >>> [round(t, 3) for t in EDM().grid(3)]
    [80.0, 2.515, 0.002, 0.0]
    """

    def __init__(
        self, smallest: float = 0.002, largest: float = 80.0, mean: float = -0.5, deviation: float = 1.2, rho: float = 7
    ) -> None:
        self.smallest, self.start, self.mean, self.deviation, self.rho = smallest, largest, mean, deviation, rho

    def at(self, t: Tensor) -> Place:
        return Place(torch.ones_like(t), t, torch.zeros_like(t), torch.ones_like(t))

    def draw(self, n: int, like: Tensor) -> Tensor:
        return (self.mean + self.deviation * torch.randn(n, device=like.device, dtype=like.dtype)).exp()

    def grid(self, steps: int) -> list[float]:
        if steps == 1:
            return [self.start, 0.0]
        return [*powers(self.start, self.smallest, steps - 1, self.rho), 0.0]


class Straight:
    """Straight lines: `alpha = 1 - t`, `sigma = t`, so that every pair moves with the velocity `e - x`.

    The conditional optimal-transport path of Lipman et al. (2022), arXiv:2210.02747, whose t is our 1 - t.

    >>> Straight().at(torch.tensor([0.25])).alpha.item()
    0.75
    """

    start = 1.0

    def at(self, t: Tensor) -> Place:
        return Place(1 - t, t, -torch.ones_like(t), torch.ones_like(t))

    def draw(self, n: int, like: Tensor) -> Tensor:
        return torch.rand(n, device=like.device, dtype=like.dtype)

    def grid(self, steps: int) -> list[float]:
        return powers(1.0, 0.0, steps, 1.0)


def linear_betas(steps: int = 1000, first: float = 1e-4, last: float = 0.02) -> Tensor:
    """beta_1 ... beta_T, rising linearly, times 1000 / T where T is not 1000; at most 0.999; [T] float64.

    Source: Ho, Jain and Abbeel (2020), arXiv:2006.11239.

    >>> f"{(1 - linear_betas()).prod().item():.3g}"
    '4.04e-05'
    """
    return (torch.linspace(first, last, steps, dtype=torch.float64) * 1000 / steps).clamp(max=0.999)


def cosine_betas(steps: int = 1000, shift: float = 0.008) -> Tensor:
    """beta_t for which alpha-bar is `cos^2(pi / 2 (t / T + shift) / (1 + shift))`; at most 0.999; [T] float64.

    Source: Nichol and Dhariwal (2021), arXiv:2102.09672.
    """
    t = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    alpha_bar = ((t + shift) / (1 + shift) * torch.pi / 2).cos().square()
    return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=0.999)


class Chain(nn.Module):
    """A Markov chain of T steps, `x_t = sqrt(1 - beta_t) x_{t-1} + sqrt(beta_t) e`: DDPM's forward process.

    After t steps `alpha^2 = alpha-bar_t = prod (1 - beta)` and `sigma^2 = 1 - alpha-bar_t`. Times are t / T. The
    rates are those of the angle between data and noise, `(-sigma, alpha)`: Salimans and Ho's velocity (2022,
    arXiv:2202.00512).

    Args:
        schedule: `linear` or `cosine`.
        steps: T.

    Raises:
        UserError: there is no such schedule, or fewer than 2 steps.
    """

    start = 1.0
    alphas: Tensor
    sigmas: Tensor
    betas: Tensor

    def __init__(self, schedule: str = "linear", steps: int = 1000) -> None:
        super().__init__()
        known = {"linear": linear_betas, "cosine": cosine_betas}
        if schedule not in known or steps < 2:
            raise UserError(f"expected a schedule linear or cosine of 2 steps or more, came {schedule!r} of {steps}")
        self.steps = steps
        betas = known[schedule](steps)
        log = torch.cat([betas.new_zeros(1), torch.log1p(-betas).cumsum(0)])
        self.register_buffer("betas", torch.cat([betas.new_zeros(1), betas]).float(), persistent=False)
        self.register_buffer("alphas", (log / 2).exp().float(), persistent=False)
        self.register_buffer("sigmas", (-torch.expm1(log)).sqrt().float(), persistent=False)

    def at(self, t: Tensor) -> Place:
        index = (t * self.steps).round().long()
        alpha, sigma = self.alphas[index], self.sigmas[index]
        return Place(alpha, sigma, -sigma, alpha)

    def draw(self, n: int, like: Tensor) -> Tensor:
        return torch.randint(1, self.steps + 1, (n,), device=like.device).to(like.dtype) / self.steps

    def grid(self, steps: int) -> list[float]:
        if not 1 <= steps <= self.steps:
            raise UserError(f"expected at most the {self.steps} steps of the chain, came {steps}; take fewer")
        return [round(self.steps * (1 - k / steps)) / self.steps for k in range(steps + 1)]
