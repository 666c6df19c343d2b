"""Densities that are asked for: the experiments on a small budget, and the laws of what they measure."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra.autoregressive.binary import Binary, Masked
from simulacra.batch import Batch
from simulacra.claims import densities
from simulacra.flows import AffineCoupling, Chain, Flow
from simulacra.markov.rbm import states
from simulacra.networks import MADE


def normal(scale: float = 1.0, factor: float = 1.0) -> densities.LogProb:
    """Log of `factor` times the density of a Gaussian of deviation `scale` in the plane."""
    return lambda x: -0.5 * (x / scale).square().sum(1) - math.log(2 * math.pi * scale**2) + math.log(factor)


@pytest.mark.parametrize(("which", "small"), [(0, {"rounds": 4, "size": 40, "samples": 50}), (1, {"rounds": 4})])
def test_the_experiments_give_the_quantities_of_their_bounds_and_a_picture(which, small):
    claim = densities.CLAIMS[which]
    result = claim.experiment(0, **small)
    assert set(result.values) == set(claim.bounds)
    assert result.control
    assert set(result.control) <= set(claim.bounds)
    assert isinstance(claim.figure([result]), Figure)


def test_a_density_passes_with_its_own_samples_and_fails_with_others_or_another_integral():
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(20_000, 2, generator=draws)
    right, p = densities.asked(normal(), x, 200)
    assert p.shape == (200, 200)
    assert right[densities.INTEGRAL] < 1e-4
    assert abs(right[densities.ENTROPY]) < 0.02
    assert abs(right[densities.HALF] - 0.5) < 0.015
    wide, _ = densities.asked(normal(), 1.2 * x, 200)
    assert wide[densities.ENTROPY] > 0.3
    assert wide[densities.HALF] < 0.45
    twice, _ = densities.asked(normal(factor=2.0), x, 200)
    assert twice[densities.INTEGRAL] == pytest.approx(math.log(2), abs=1e-3)
    assert twice[densities.HALF] == pytest.approx(right[densities.HALF])


def test_the_misprint_changes_the_density_unless_the_scale_is_the_same_everywhere():
    torch.manual_seed(0)
    mask = torch.tensor([True, False])
    flow = Flow(Chain([AffineCoupling(mask, hidden=(8,)), AffineCoupling(~mask, hidden=(8,))]), (2,))
    x = torch.randn(50, 2)
    with torch.no_grad():
        assert torch.allclose(densities.as_printed(flow, x), flow.log_prob(Batch(x)))
        for weight in flow.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
        assert not torch.allclose(densities.as_printed(flow, x), flow.log_prob(Batch(x)), atol=0.1)


def test_a_loose_mask_lets_pixels_see_themselves_and_the_sum_is_no_longer_one():
    torch.manual_seed(0)
    model = Binary(Masked(MADE(6, 1, (24,))), (1, 2, 3))
    every = Batch(states(6).view(-1, 1, 2, 3))
    assert np.triu(densities.jacobian(model, states(6))).max() == 0
    assert model.log_prob(every).exp().sum().item() == pytest.approx(1, abs=1e-5)
    densities.loosen(model.net.net)
    slopes = densities.jacobian(model, states(6))
    assert (np.diag(slopes)[:-1] > 0).all()
    assert np.triu(slopes, 1).max() == 0
    assert abs(model.log_prob(every).exp().sum().item() - 1) > 1e-3
