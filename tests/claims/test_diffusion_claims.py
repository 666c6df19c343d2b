"""Diffusion's claims: the experiments on a small budget, and the exact denoiser they rest on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra.batch import Batch
from simulacra.claims import diffusing, samplers
from simulacra.diffusion import EDM, Chain, Diffusion, DiffusionChain, Straight, VariancePreserving
from simulacra.domains.toys import Mixture

SMALL = {"rounds": 3, "rows": 20}, {"rounds": 3, "other": 3, "n": 200}, {"starts": 5, "fresh": 50}


@pytest.mark.parametrize(("number", "small"), list(enumerate(SMALL)))
def test_the_experiments_give_the_quantities_of_their_bounds_and_a_picture(number, small, monkeypatch):
    monkeypatch.setattr(samplers, "STEPS", dict.fromkeys(samplers.STEPS, (2, 8)))
    claim = (*diffusing.CLAIMS, *samplers.CLAIMS)[number]
    result = claim.experiment(0, **small)
    assert set(result.values) == set(claim.bounds)
    assert result.control
    assert set(result.control) <= set(claim.bounds)
    assert isinstance(claim.figure([result]), Figure)


@pytest.mark.parametrize("path", [EDM(), VariancePreserving(), Straight(), Chain()])
def test_the_exact_denoiser_of_one_gaussian_is_linear_on_every_path(path):
    model = samplers.exact(Diffusion, Mixture("one", ((0.5, -1.0),), 0.7), path, None)
    x, t = torch.randn(6, 2, dtype=torch.float64), torch.full((6,), 0.3, dtype=torch.float64)
    place = path.at(t).beside(x)
    gain = place.alpha * 0.49 / (place.alpha**2 * 0.49 + place.sigma**2)
    centre = torch.tensor([0.5, -1.0], dtype=torch.float64)
    assert torch.allclose(model.denoise(x, t).data, centre + gain * (x - place.alpha * centre), rtol=1e-4)


def test_the_exact_denoiser_is_the_score_of_the_blurred_mixture():
    path, sigma = EDM(), 0.4
    model = samplers.exact(Diffusion, samplers.PAIR, path, None)
    blurred = Mixture("blurred", samplers.PAIR.centres, float(np.hypot(0.3, sigma)), samplers.PAIR.weights)
    x = torch.linspace(-2, 2, 21, dtype=torch.float64)[:, None].requires_grad_()
    (score,) = torch.autograd.grad(blurred.log_prob(x).sum(), x)
    found = model.denoise(x.detach(), torch.full((21,), sigma, dtype=torch.float64)).noise
    assert torch.allclose(found, -sigma * score, atol=1e-9)


def test_a_chain_of_more_steps_has_a_tighter_bound_above_the_truth():
    mixture = Mixture("pair", ((-1.0,), (0.5,)), 0.3, (0.3, 0.7))
    x = mixture.sample(20_000, seed=0).double()
    gaps = []
    torch.manual_seed(0)
    for steps in (25, 80):
        model = samplers.exact(DiffusionChain, mixture, Chain(steps=steps), None)
        gaps.append(float((mixture.log_prob(x) - model.log_prob_bound(Batch(x), times=steps)).mean()))
    assert gaps[0] > gaps[1] > 0


def test_quantiles_are_those_of_the_mixture_and_slopes_those_of_powers():
    points = samplers.quantiles(Mixture("one", ((2.0,),), 0.5), 1001)
    assert points[500] == pytest.approx(2.0, abs=1e-3)
    assert points.std() == pytest.approx(0.5, rel=1e-2)
    calls = np.array([4.0, 8.0, 16.0])
    assert samplers.slope(np.array([calls, 3 * calls**-2])) == pytest.approx(2)
