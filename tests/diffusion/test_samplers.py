"""Samplers: an ideal denoiser gives the right events through each, and errors fall at the solver's order."""

import math

import pytest
import torch

from simulacra.diffusion import (
    EDM,
    Ancestral,
    Chain,
    Langevin,
    ProbabilityFlow,
    Straight,
    VarianceExploding,
    VariancePreserving,
)
from simulacra.diffusion.paths import powers
from simulacra.diffusion.predictions import Denoised, prediction
from simulacra.diffusion.samplers import solve

MEANS = torch.tensor([[1.0, 0.5], [-1.0, 0.0], [0.0, -0.5]], dtype=torch.float64)
COVARIANCE = MEANS.T @ MEANS / 3 + 0.05 * torch.eye(2)


class Ideal(torch.nn.Module):
    """E[x_0 | x_t] of equal Gaussians of variance `variance` around `means`, in place of a trained network."""

    def __init__(self, path, means=MEANS, variance=0.05):
        super().__init__()
        self.path, self.means, self.variance, self.calls = path, means, variance, 0

    def denoise(self, x, t, given={}):
        self.calls += 1
        a, s, *_ = self.path.at(t).beside(x)
        wide = a.square() * self.variance + s.square()
        apart = x[:, None] - a[..., None] * self.means
        share = (-0.5 * apart.square().sum(2) / wide).softmax(1)
        data = (share[..., None] * (self.means + (a * self.variance / wide)[..., None] * apart)).sum(1)
        return Denoised(data, (x - a * data) / s)

    def velocity(self, x, t, given={}):
        return prediction("velocity", *self.denoise(x, t), self.path.at(t))


def start(path, n, size=2):
    torch.manual_seed(0)
    return torch.randn(n, size, dtype=torch.float64) * path.at(torch.tensor([path.start])).sigma.double()


SAMPLERS = {
    "ddpm": (Chain(), Ancestral(200)),
    "ddim": (Chain(), Ancestral(100, eta=0.0)),
    "ddpm, cosine": (Chain("cosine"), Ancestral(200)),
    "ancestral, straight": (Straight(), Ancestral(100)),
    "edm": (EDM(), ProbabilityFlow(18)),
    "edm, euler": (EDM(), ProbabilityFlow(200, "euler")),
    "score, heun": (VariancePreserving(), ProbabilityFlow(60, "heun", to_zero=False)),
    "score, rk4": (VariancePreserving(), ProbabilityFlow(60, "rk4", to_zero=False)),
    "exploding": (VarianceExploding(), ProbabilityFlow(60, "heun")),
    "straight": (Straight(), ProbabilityFlow(40, "heun")),
    "langevin, preserving": (VariancePreserving(), Langevin(30, 20, 0.05)),
    "langevin": (VarianceExploding(0.01, 10.0), Langevin(30, 20, 0.05)),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_an_ideal_denoiser_gives_the_right_events(name):
    """Mean and covariance of a mixture of three Gaussians, and the number of calls that the sampler states."""
    path, sampler = SAMPLERS[name]
    ideal = Ideal(path)
    steps = Ideal(path)
    x = sampler(ideal, start(path, 4000), {})
    sampler(steps, start(path, 2), {})
    assert steps.calls == ideal.calls == sampler.evaluations
    assert (x.mean(0) - MEANS.mean(0)).abs().max() < 0.06  # 3.7 standard errors, and the solver's
    assert (torch.cov(x.T) - (COVARIANCE - torch.outer(MEANS.mean(0), MEANS.mean(0)))).abs().max() < 0.06
    near = torch.cdist(x, MEANS).argmin(1).bincount(minlength=3) / len(x)
    assert (near - 1 / 3).abs().max() < 0.05


@pytest.mark.parametrize(
    ("path", "solver", "order"),
    [
        (VariancePreserving(stop=0.05), "euler", 1),
        (VariancePreserving(stop=0.05), "heun", 2),
        (VariancePreserving(stop=0.05), "rk4", 4),
        (EDM(smallest=0.05, largest=10.0), "euler", 1),
        (Straight(), "euler", 1),
        (Chain("cosine", 960), "ddim", 1),
    ],
    ids=lambda part: part if isinstance(part, str) else str(part) if isinstance(part, int) else type(part).__name__,
)
def test_the_error_falls_at_the_order_of_the_solver(path, solver, order):
    """One Gaussian, whose flow is `x_0 = m + sqrt(v) (x_T - alpha m) / sqrt(alpha^2 v + sigma^2)`."""
    mean, variance = torch.tensor([[0.7]], dtype=torch.float64), 0.3
    x, ideal, errors = start(path, 50, 1), Ideal(path, mean, variance), []

    def normal(at, time):
        place = path.at(torch.tensor([time], dtype=torch.float64))
        wide = (place.alpha.square() * variance + place.sigma.square()).double().sqrt()
        return (at - place.alpha * mean) / wide, place.alpha * mean, wide

    for steps in (24, 48):
        sampler = Ancestral(steps, eta=0.0) if solver == "ddim" else ProbabilityFlow(steps, solver)
        _, middle, wide = normal(x, path.grid(steps)[-1])
        errors.append((sampler(ideal, x, {}) - (middle + wide * normal(x, path.start)[0])).abs().mean())
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.35)


def test_heun_on_the_path_of_edm_is_of_second_order():
    """Between fixed noises, before the last step of Euler's into zero."""
    mean, variance = torch.tensor([[0.7]], dtype=torch.float64), 0.3
    ideal, x, errors = Ideal(EDM(), mean, variance), start(EDM(), 50, 1) / 8, []
    exact = mean + (x - mean) * math.sqrt((variance + 0.01) / (variance + 100))
    for steps in (24, 48):
        at = solve(lambda v, t: ideal.velocity(v, torch.full_like(v[:, 0], t)), x, powers(10, 0.1, steps, 7), "heun")
        errors.append((at - exact).abs().mean())
    assert math.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize("path", [VariancePreserving(), VarianceExploding()], ids=["preserving", "exploding"])
def test_annealed_langevin_dynamics_is_hardly_too_wide_as_its_recipe_has_it(path):
    """The exact score of N(0, 1) in one number; ten steps in place of 40 at each noise leave 1.3 and 1.5."""
    ideal = Ideal(path, torch.zeros(1, 1, dtype=torch.float64), 1.0)
    torch.manual_seed(0)
    x = torch.randn(8000, 1, dtype=torch.float64) * path.at(torch.tensor([path.start], dtype=torch.float64)).sigma
    assert 0.95 < float(Langevin(50)(ideal, x, {}).var()) < 1.15
