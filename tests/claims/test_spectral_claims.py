"""Spectral norms: their iteration where the answer is known, and slopes and gradients of normalised networks."""

from __future__ import annotations

import math
from copy import deepcopy
from functools import partial

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from simulacra.claims import spectral_gradients, spectral_norms, spectral_slopes
from simulacra.claims.claim import outcome
from simulacra.claims.fitting import normals
from simulacra.claims.spectral_norms import (
    PLANE,
    error,
    errors,
    from_anywhere,
    iteration,
    longest,
    norm,
    operations,
    redivided,
    settle,
    square,
)
from simulacra.claims.spectral_slopes import PICTURE, Around, Summed, learn, stretches
from simulacra.networks import Critic, LinearHead, critic_for, spectrally_normalised

ALL = {c.name: c for m in (spectral_norms, spectral_slopes, spectral_gradients) for c in m.CLAIMS}
TINY = {
    "spectral-norm-is-the-longest-stretch": spectral_norms.stretching,
    "power-iteration-is-fast": partial(spectral_norms.iterating, rounds=2, looks=2),
    "slope-is-the-spectral-norm": spectral_slopes.taking_apart,
    "spectral-norms-bound-the-slope": partial(spectral_slopes.learning, steps=6),
    "spectral-norm-holds-back-the-top-direction": partial(spectral_gradients.pulling, steps=2, fresh=1),
}


@pytest.mark.parametrize("name", ALL)
def test_every_claim_runs_and_repeats_itself(name):
    claim, experiment = ALL[name], TINY[name]
    first, again = experiment(1), experiment(1)
    assert set(first.values) == set(claim.bounds)
    assert set(first.control) <= set(claim.bounds)
    assert first.control
    assert dict(first.values) == dict(again.values)
    assert all(np.isfinite(list(first.values.values())))
    assert isinstance(claim.figure([first, again]), Figure)


def test_the_longest_stretch_is_the_spectral_norm_and_the_printed_root_is_not():
    claim = ALL["spectral-norm-is-the-longest-stretch"]
    assert outcome(claim, [claim.experiment(seed) for seed in range(3)]).verdict == "TRUE"
    known = torch.diag(torch.tensor([3.0, 7.0, 0.5])).double()
    assert longest(known, torch.ones(3).double()) == pytest.approx(math.log(7), abs=1e-9)


def critic(width: int = 16) -> Critic:
    made = critic_for(PLANE, hidden=(width, width), offset=False)
    spectrally_normalised(made)
    return made


def test_the_error_is_that_of_sigma():
    layer = spectrally_normalised(nn.Linear(2, 2)).eval()
    with torch.no_grad():
        layer.parametrizations.weight.original.copy_(torch.diag(torch.tensor([4.0, 1.0])))  # type: ignore[union-attr]
    for vector in (iteration(layer)._u, iteration(layer)._v):
        vector.copy_(torch.tensor([0.0, 1.0]))
    assert error(layer) == pytest.approx(0.75)
    assert abs(error(settle(layer))) < 1e-6


def test_looking_at_errors_leaves_the_critic_as_it_was():
    one = critic()
    before = deepcopy(one.state_dict())
    assert errors(one)[0] > 0
    from_anywhere(one, 3)
    assert all(torch.equal(value, before[name]) for name, value in one.state_dict().items())


def test_iterations_help_and_rank_one_needs_a_single_one():
    torch.manual_seed(0)
    one = critic()
    missed = [from_anywhere(one, k) for k in (0, 1, 2, 5, 40)]
    assert missed == sorted(missed, reverse=True)
    (layer,) = square(one)
    with torch.no_grad():
        layer.parametrizations.weight.original.copy_(torch.outer(torch.randn(16), torch.randn(16)))
    assert abs(from_anywhere(one, 1)) < 1e-5


def test_an_iteration_costs_one_in_as_many_as_there_are_events():
    iterated, decomposed = operations(critic(64), 64)
    assert iterated == pytest.approx(1 / 64, rel=0.05)  # the first layer needs no gradient of its inputs
    assert operations(critic(64), 128)[0] == pytest.approx(iterated / 2)
    assert decomposed > 20 * iterated


def part(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers).double()


def test_slopes_of_parts_that_are_known():
    ones = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    nn.init.ones_(ones.weight)
    assert norm(ones.weight).item() == pytest.approx(3)
    top = stretches(part(ones), (1, 8, 8))[0]
    assert float(top) == pytest.approx((1 + 2 * math.cos(math.pi / 9)) ** 2)  # beyond the edge there is nothing
    identity = nn.Linear(5, 5, bias=False)
    nn.init.eye_(identity.weight)
    assert stretches(part(Around(identity)), (5,)).tolist() == pytest.approx([2.0] * 5)
    assert stretches(part(identity, identity), (5,)).tolist() == pytest.approx([1.0] * 5)
    assert stretches(part(Summed()), (1, 4, 8))[0].item() == pytest.approx(math.sqrt(32))


def test_equality_is_for_one_dense_layer_alone():
    claim = ALL["slope-is-the-spectral-norm"]
    found = outcome(claim, [claim.experiment(seed) for seed in range(3)])
    assert found.verdict == "HALF TRUE"
    says = {finding.quantity: finding.says for finding in found.findings}
    assert [quantity for quantity, word in says.items() if word == "holds"] == ["ln of the slope: one dense layer"]


class Flat(nn.Module):
    def forward(self, x, given):
        return x.flatten(1)


def test_a_linear_critic_has_the_slope_of_its_direction():
    torch.manual_seed(0)
    linear = Critic(Flat(), LinearHead(math.prod(PICTURE), offset=False)).double()
    weight = linear.head.score.weight.detach().clone()  # type: ignore[union-attr]
    spectrally_normalised(linear)
    linear.float()
    (slope,) = learn(linear, 0)
    assert slope == pytest.approx(float(weight.sum() / weight.norm() / math.sqrt(weight.numel())), abs=1e-4)
    assert 0.98 < learn(linear.train(), 100)[-1] <= 1 + 1e-4


def test_the_gradient_is_that_of_the_paper():
    torch.manual_seed(0)
    one = settle(critic(8).double())
    pair = [x.double() for x in normals(2.0, size=2)(50)]
    (own,) = spectral_gradients.gradients(one, *pair)
    (held,) = spectral_gradients.gradients(redivided(one, lambda w: norm(w).detach()), *pair)
    (layer,) = square(one)
    weight = layer.weight.detach()
    u, _, vh = torch.linalg.svd(weight)
    torch.testing.assert_close(own, held - (held * weight).sum() * torch.outer(u[:, 0], vh[0]))


def test_of_weights_of_rank_one_the_top_component_vanishes():
    torch.manual_seed(0)
    one = critic(8).double()
    (layer,) = square(one)
    weight = layer.parametrizations.weight.original
    with torch.no_grad():
        weight.copy_(torch.outer(torch.randn(8).double(), torch.randn(8).double()))
    settle(one)
    pair = [x.double() for x in normals(2.0, size=2)(50)]
    found = spectral_gradients.components(spectral_gradients.gradients(one, *pair), [weight.detach()])
    assert abs(found[0, 0, 0]) < 1e-12 < found.abs().max()


def test_the_frobenius_norm_is_scaled_to_the_spectral_norm_and_pulls_on_all_weights():
    weight = torch.randn(6, 6).double().requires_grad_()
    divisor = spectral_gradients.by_frobenius(weight)
    torch.testing.assert_close(divisor, norm(weight))
    (slope,) = torch.autograd.grad(divisor, weight)
    assert torch.cosine_similarity(slope.flatten(), weight.flatten(), 0).item() == pytest.approx(1)
