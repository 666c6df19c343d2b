"""Samplers: from noise to events, in a stated number of calls of the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from simulacra.batch import Given
from simulacra.diffusion.paths import Path
from simulacra.diffusion.predictions import Denoised
from simulacra.errors import UserError


class Field(Protocol):
    """What a sampler asks of a model: its path, and the event and the velocity that it expects at x and t [B]."""

    @property
    def path(self) -> Path: ...

    def denoise(self, x: Tensor, t: Tensor, given: Given) -> Denoised: ...

    def velocity(self, x: Tensor, t: Tensor, given: Given) -> Tensor: ...


@dataclass(frozen=True)
class Ancestral:
    """DDPM's ancestral sampler (`eta` 1) and DDIM (`eta` 0): one call per step.

        x_s = alpha_s x_0 + sqrt(sigma_s^2 - v) e + sqrt(w) z,
        v = eta^2 sigma_s^2 / sigma_t^2 b,  b = sigma_t^2 - (alpha_t / alpha_s)^2 sigma_s^2

    x_0 and e are what the model expects at x_t. At `eta` 1, `v` is the variance of q(x_s | x_t, x_0) and `b` that of
    q(x_t | x_s): beta~_t and beta_t of a chain. The fresh noise has w = v ("small", best for events that are one point)
    or w = eta^2 b ("large", best for events of N(0, 1)); the last step, to s = 0, draws none, and gives the mean.
    Without fresh noise the step is Euler's for `dx^ = e ds^`, x^ = x / alpha, s^ = sigma / alpha: its error falls as
    1 / steps.

    Source: Ho, Jain and Abbeel (2020), arXiv:2006.11239, section 3.2; DDIM: Song, Meng and Ermon (2021),
    arXiv:2010.02502.

    Args:
        steps: of the sampler; any number up to the chain's.
        eta: share of fresh noise, 0 to 1.
        clip: largest size of an expected pixel, as DDPM's code has it for pictures from -1 to 1.
        variance: `small` or `large`.

    Raises:
        UserError: no step, a share outside 0 to 1, or no such variance.
    """

    steps: int = 100
    eta: float = 1.0
    clip: float | None = None
    variance: str = "small"

    def __post_init__(self) -> None:
        if self.steps < 1 or not 0 <= self.eta <= 1:
            raise UserError(f"expected 1 step or more and eta from 0 to 1, came {self.steps} and {self.eta}; change it")
        if self.variance not in ("small", "large"):
            raise UserError(f"expected a variance small or large, came {self.variance!r}; choose one")

    @property
    def evaluations(self) -> int:
        return self.steps

    def __call__(self, field: Field, x: Tensor, given: Given) -> Tensor:
        for t, s in pairwise(field.path.grid(self.steps)):
            now, then = (field.path.at(torch.full_like(x.flatten(1)[:, 0], time)).beside(x) for time in (t, s))
            data, noise = field.denoise(x, torch.full_like(x.flatten(1)[:, 0], t), given)
            if self.clip is not None:
                data = data.clamp(-self.clip, self.clip)
                noise = (x - now.alpha * data) / now.sigma
            step = now.sigma.square() - (now.alpha / then.alpha * then.sigma).square()
            fresh = (then.sigma / now.sigma).square() * step
            fresh = self.eta**2 * fresh.clamp(min=0)
            x = then.alpha * data + (then.sigma.square() - fresh).clamp(min=0).sqrt() * noise
            if self.variance == "large" and s > 0:
                fresh = self.eta**2 * step.clamp(min=0)
            if self.eta:
                x = x + fresh.sqrt() * torch.randn_like(x)
        return x


ORDERS = {"euler": 1, "heun": 2, "rk4": 4}
"""Solvers of the probability flow, by name: the power of the step with which the error falls."""


def solve(
    velocity: Callable[[Tensor, float], Tensor], x: Tensor, times: Sequence[float], solver: str = "heun"
) -> Tensor:
    """x at the last time of `dx/dt = velocity(x, t)`, from x at the first; a last step into t = 0 is Euler's.

    Raises:
        UserError: there is no such solver.

    >>> solve(lambda x, t: x, torch.ones(1), [0.0, 0.5, 1.0], "euler")
    tensor([2.2500])
    """
    if solver not in ORDERS:
        raise UserError(f"expected a solver among {', '.join(ORDERS)}, came {solver!r}; choose one")
    for t, s in pairwise(times):
        h, first = s - t, velocity(x, t)
        if solver == "euler" or s == 0:
            x = x + h * first
        elif solver == "heun":
            x = x + h / 2 * (first + velocity(x + h * first, s))
        else:
            second = velocity(x + h / 2 * first, t + h / 2)
            third = velocity(x + h / 2 * second, t + h / 2)
            x = x + h / 6 * (first + 2 * second + 2 * third + velocity(x + h * third, s))
    return x


@dataclass(frozen=True)
class ProbabilityFlow:
    """The probability flow ODE, `dx/dt = alpha' E[x_0 | x] + sigma' E[e | x]`, along the path's grid.

    Its solution has the distribution of the noisy data at every t, without fresh noise. Heun's method on Karras's path
    is the sampler of EDM: 2 calls a step, 1 in the last (which ends at t = 0); Euler's 1, Runge and Kutta's 4.

    Source: Song et al. (2021), arXiv:2011.13456; Karras et al. (2022), arXiv:2206.00364, algorithm 1.

    Args:
        steps: of the solver.
        solver: `euler`, `heun` or `rk4`.
        to_zero: whether the path's grid ends at t = 0, so that the last step is Euler's.

    Raises:
        UserError: no step, or no such solver.
    """

    steps: int = 18
    solver: str = "heun"
    to_zero: bool = True

    def __post_init__(self) -> None:
        if self.steps < 1 or self.solver not in ORDERS:
            raise UserError(
                f"expected 1 step or more of {', '.join(ORDERS)}, came {self.steps} of {self.solver!r}; change it"
            )

    @property
    def evaluations(self) -> int:
        calls = {"euler": 1, "heun": 2, "rk4": 4}[self.solver]
        return calls * self.steps - (calls - 1 if self.to_zero else 0)

    def __call__(self, field: Field, x: Tensor, given: Given) -> Tensor:
        def velocity(at: Tensor, time: float) -> Tensor:
            return field.velocity(at, torch.full_like(at.flatten(1)[:, 0], time), given)

        return solve(velocity, x, field.path.grid(self.steps), self.solver)


@dataclass(frozen=True)
class Langevin:
    """Annealed Langevin dynamics: at each of `levels` noises, `inner` steps up the score with fresh noise.

    `x <- x + r sigma^2 score + sqrt(2 r) sigma z`, at falling sigma; at the end x becomes what the model expects of it
    (Jolicoeur-Martineau et al. 2021, arXiv:2009.05475). It makes levels * inner + 1 calls. The bias of steps of size r
    is of order r, but only where there are enough of them for x to follow a falling sigma: `2 r inner levels` of some
    20 times `ln(sigma_max / sigma_min)`. Fewer leave samples too wide, the more so the smaller r is.

    Source: Song and Ermon (2019), arXiv:1907.05600.

    Raises:
        UserError: no noise or no step, or a size outside 0 to 1.
    """

    levels: int = 20
    inner: int = 40
    size: float = 0.05

    def __post_init__(self) -> None:
        if self.levels < 1 or self.inner < 1 or not 0 < self.size < 1:
            raise UserError(
                f"expected 1 noise and 1 step at each or more, of a size below 1, came {self.levels}, {self.inner} and "
                f"{self.size:g}; change it"
            )

    @property
    def evaluations(self) -> int:
        return self.levels * self.inner + 1

    def __call__(self, field: Field, x: Tensor, given: Given) -> Tensor:
        times = field.path.grid(self.levels)[:-1]
        t = torch.full_like(x.flatten(1)[:, 0], times[0])
        place = field.path.at(t).beside(x)
        for time in times:
            t, before = torch.full_like(t, time), place
            place = field.path.at(t).beside(x)
            x = x * place.alpha / before.alpha
            for _ in range(self.inner):
                noise = field.denoise(x, t, given).noise
                x = x - self.size * place.sigma * noise + (2 * self.size) ** 0.5 * place.sigma * torch.randn_like(x)
        return field.denoise(x, t, given).data
