"""Slopes, known in closed form."""

from __future__ import annotations

import math

import torch
from torch import nn

from simulacra.batch import Batch
from simulacra.gan import R1, Duel, GradientPenalty, WeightClipping
from simulacra.networks import Critic, LinearHead, Verdict


class Flat(nn.Module):
    """The body that passes every number on."""

    def forward(self, view, given):
        return view.flatten(1)


def linear(weights):
    head = LinearHead(len(weights))
    with torch.no_grad():
        head.score.weight.copy_(torch.tensor([weights]))
    return Critic(Flat(), head)


class Recorder(Critic):
    """Notes what it is shown."""

    def verdict(self, view, given=None):
        self.shown = view
        return super().verdict(view, {})


class Quadratic(Critic):
    """|x|^2 / 2: its slope at x is |x|."""

    def __init__(self):
        super().__init__(Flat(), nn.Identity())

    def verdict(self, view, given=None):
        return Verdict(view.flatten(1).square().sum(1) / 2, view)


def duel(critic, real, fake, weight=None):
    return Duel(Batch(real, weight=weight), {}, lambda noise, given: Batch(fake), critic)


def test_a_linear_critic_has_the_penalty_of_its_norm():
    weights = [3.0, 4.0]
    real, fake = torch.randn(8, 2), torch.randn(8, 2)
    assert torch.allclose(GradientPenalty()(duel(linear(weights), real, fake)), torch.full((8,), 16.0))
    assert torch.allclose(GradientPenalty(target=5)(duel(linear(weights), real, fake)), torch.zeros(8), atol=1e-10)
    assert torch.allclose(R1()(duel(linear(weights), real, fake)), torch.full((8,), 25.0))


def test_one_sided_forgives_gentle_slopes_only():
    real, fake = torch.randn(8, 2), torch.randn(8, 2)
    gentle, steep = linear([0.3, 0.4]), linear([3.0, 4.0])
    assert GradientPenalty(one_sided=True)(duel(gentle, real, fake)).abs().max() == 0
    assert torch.allclose(GradientPenalty()(duel(gentle, real, fake)), torch.full((8,), 0.25))
    assert torch.allclose(GradientPenalty(one_sided=True)(duel(steep, real, fake)), torch.full((8,), 16.0))


def test_pictures_have_one_slope_per_event_over_all_pixels():
    critic = linear([1.0] * 48)
    real, fake = torch.randn(5, 3, 4, 4), torch.randn(5, 3, 4, 4)
    got = GradientPenalty()(duel(critic, real, fake))
    assert got.shape == (5,)
    assert torch.allclose(got, torch.full((5,), (math.sqrt(48) - 1) ** 2))


def test_every_event_has_its_own_place_on_its_line():
    torch.manual_seed(0)
    critic = Recorder(Flat(), LinearHead(12))
    real, fake = torch.ones(64, 3, 2, 2), torch.zeros(64, 3, 2, 2)
    GradientPenalty()(duel(critic, real, fake))
    shares = critic.shown.detach().flatten(1)
    assert torch.equal(shares.amin(1), shares.amax(1)), "one share for all numbers of an event"
    assert len(shares[:, 0].unique()) == 64, "another share for every event"
    assert 0 <= shares.min() < 0.1
    assert 0.9 < shares.max() <= 1


def test_the_slope_is_that_of_the_point_itself():
    x = torch.randn(6, 3)
    assert torch.allclose(R1()(duel(Quadratic(), x, x)), x.square().sum(1))
    assert torch.allclose(GradientPenalty(target=0)(duel(Quadratic(), x, x)), x.square().sum(1), atol=1e-5)


def test_r1_is_about_the_slope_at_real_events():
    real, fake = torch.randn(6, 3), torch.randn(6, 3)
    assert torch.allclose(R1()(duel(Quadratic(), real, fake)), real.square().sum(1))


def test_a_flat_critic_has_finite_gradients():
    critic = linear([0.0, 0.0])
    penalty = GradientPenalty()(duel(critic, torch.randn(4, 2), torch.randn(4, 2))).mean()
    (gradient,) = torch.autograd.grad(penalty, critic.head.score.weight)
    assert torch.isfinite(gradient).all()


def test_the_penalty_teaches_the_critic():
    critic = linear([3.0, 4.0])
    penalty = GradientPenalty()(duel(critic, torch.randn(4, 2), torch.randn(4, 2))).mean()
    (gradient,) = torch.autograd.grad(penalty, critic.head.score.weight)
    assert torch.allclose(gradient, 2 * 4 * torch.tensor([[0.6, 0.8]]))


def test_clipping_moves_only_what_is_beyond_the_limit():
    net = nn.Linear(50, 50)
    before = net.weight.detach().clone()
    WeightClipping(net, 0.05)(Batch(torch.zeros(1, 50)), {})
    assert net.weight.abs().max() <= 0.05
    small = before.abs() <= 0.05
    assert torch.equal(net.weight[small], before[small])
    assert torch.equal(net.weight[~small], 0.05 * before[~small].sign())
