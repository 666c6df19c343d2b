"""What keeps a generator at all of the data: comparing, matching, noise, averages, smoothed labels."""

from __future__ import annotations

import math

import pytest
import torch
from plane import SPEC, Plain, duel, played
from torch import nn

from simulacra.gan import Annealing, FeatureMatching, HistoricalAveraging, InstanceNoise, Minimax, NonSaturating
from simulacra.networks import (
    BatchHead,
    Critic,
    LinearHead,
    MinibatchDeviation,
    MinibatchDiscrimination,
    PairwiseDistances,
    critic_for,
)
from simulacra.recipes.noisy_gan import noisy_gan
from simulacra.training.game import Clock


def test_minibatch_discrimination_is_the_double_sum():
    layer, phi = MinibatchDiscrimination(5, kernels=3, width=2), torch.randn(7, 5)
    m = (phi @ layer.T.detach()).view(7, 3, 2)
    got = layer(phi)
    assert torch.equal(got[:, :5], phi)
    for i in range(7):
        for b in range(3):
            want = sum(math.exp(-(m[i, b] - m[j, b]).abs().sum().item()) for j in range(7) if j != i)
            assert got[i, 5 + b].item() == pytest.approx(want, rel=1e-5)


LAYERS = [MinibatchDiscrimination, PairwiseDistances, MinibatchDeviation]


@pytest.mark.parametrize("kind", LAYERS)
def test_events_are_compared_whatever_their_order(kind):
    layer, phi, order = kind(4), torch.randn(9, 4), torch.randperm(9)
    assert layer(phi).shape == (9, layer.outputs)
    assert torch.allclose(layer(phi)[order], layer(phi[order]), atol=1e-5)
    assert torch.isfinite(layer(phi[:1])).all()


@pytest.mark.parametrize("kind", LAYERS)
def test_a_collapsed_batch_stands_out_with_finite_slopes(kind):
    layer = kind(4)
    same = torch.ones(6, 4, requires_grad=True)
    alone = layer(same)[:, 4:]
    extreme = 5.0 if kind is MinibatchDiscrimination else 0.0
    assert torch.allclose(alone, torch.full_like(alone, extreme), atol=1e-6)
    (slope,) = torch.autograd.grad(alone.sum(), same)
    assert torch.isfinite(slope).all()
    assert (layer(torch.randn(6, 4))[:, 4:] - extreme).abs().min() > 1e-3


def test_distances_and_deviations_are_those_of_the_textbook():
    phi = torch.randn(8, 3)
    apart = torch.cdist(phi, phi)
    got = PairwiseDistances(3)(phi)[:, 3:]
    assert torch.allclose(got[:, 0], apart.sum(1) / 7, atol=1e-5)
    assert torch.allclose(got[:, 1], (apart + 1e9 * torch.eye(8)).amin(1), atol=1e-5)
    assert torch.allclose(MinibatchDeviation(3)(phi)[:, 3], phi.std(0, correction=0).mean().expand(8))
    maps = torch.randn(4, 2, 5, 5)
    seen = MinibatchDeviation(2)(maps)
    assert seen.shape == (4, 3, 5, 5)
    assert torch.allclose(seen[:, 2], maps.std(0, correction=0).mean().expand(4, 5, 5))


def test_a_head_over_the_batch_leaves_the_features_to_matching():
    critic = critic_for(SPEC, hidden=(8,))
    layer = PairwiseDistances(8)
    wide = Critic(critic.body, BatchHead(layer, LinearHead(layer.outputs)))
    verdict = wide(torch.randn(5, 2))
    assert verdict.score.shape == (5,)
    assert verdict.features.shape == (5, 8)


def test_feature_matching_compares_means_and_honours_weights():
    real, fake = torch.tensor([[0.0, 0.0], [4.0, 2.0]]), torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    assert FeatureMatching()(duel(Plain(), real, fake)).item() == pytest.approx(1.5**2 + 1)
    assert FeatureMatching()(duel(Plain(), real, real.flip(0))).item() == 0
    weighted = FeatureMatching()(duel(Plain(), real, fake, torch.tensor([1.0, 3.0])))
    assert weighted.item() == pytest.approx((3 - 0.25) ** 2 + 1.5**2)


def test_instance_noise_meets_real_and_fake_alike_and_only_in_training():
    noise = InstanceNoise(0.7)
    critic = Plain(noise)
    torch.manual_seed(0)
    seen = duel(critic, torch.zeros(20_000, 2), torch.ones(20_000, 2))
    spread = torch.stack([seen.seen_real.std(0), seen.seen_fake.std(0)])
    assert torch.allclose(spread, torch.full((2, 2), 0.7), atol=0.02)
    assert (seen.seen_fake.mean(0) - seen.seen_real.mean(0) - 1).abs().max() < 0.03
    assert not torch.equal(seen.seen_real, seen.seen_fake - 1)
    assert torch.equal(noise.eval()(torch.ones(3, 2)), torch.ones(3, 2))


def test_noise_lets_separated_events_overlap():
    """Of two points a distance 1 apart a sure critic has no slope left; with noise the best one has slope 1/sigma^2."""
    x = torch.linspace(-1, 2, 7, dtype=torch.float64, requires_grad=True)
    for sigma in (0.5, 2.0):
        normal = torch.distributions.Normal
        ratio = normal(0.0, sigma).log_prob(x) - normal(1.0, sigma).log_prob(x)
        (slope,) = torch.autograd.grad(ratio.sum(), x)
        assert torch.allclose(slope, torch.full_like(slope, -1 / sigma**2))


def test_noise_falls_to_nothing_and_is_a_function_of_the_clock():
    noise = InstanceNoise(2.0)
    hook = Annealing(noise, 2.0, until=0.5)
    found = []
    for k in (0, 25, 50, 90):
        hook.before(Clock(k, 100))
        found.append(noise.sigma.item())
    assert found == [2.0, 1.0, 0.0, 0.0]
    assert float(played(noisy_gan, width=8, rounds=10)[0].learners["game"].critic.view.sigma) == 0.0


def test_the_average_counts_the_past_evenly():
    net = nn.Linear(3, 2)
    term, past = HistoricalAveraging(net), []
    assert term.distance().item() == 0
    for _ in range(5):
        with torch.no_grad():
            for p in net.parameters():
                p.normal_()
        past.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
        term.remember()
    want = (past[-1] - torch.stack(past).mean(0)).square().sum()
    assert term.distance().item() == pytest.approx(want.item(), rel=1e-5)
    assert set(dict(term.named_parameters())) == set()


@pytest.mark.parametrize(("weight", "settles"), [(0.0, False), (0.5, True)])
def test_historical_averaging_settles_the_bilinear_game(weight, settles):
    """V = x y: simultaneous steps spiral out by sqrt(1 + rate^2) each; held to their past they come to rest."""
    x, y = (nn.Linear(1, 1, bias=False) for _ in range(2))
    nn.init.constant_(x.weight, 1.0)
    nn.init.constant_(y.weight, 1.0)
    terms, rate, steps = [HistoricalAveraging(net) for net in (x, y)], 0.1, 600
    for _ in range(steps):
        for term in terms:
            term.remember()
        signed = (x.weight * y.weight).sum(), -(x.weight * y.weight).sum()
        losses = [value + weight * term.distance() for value, term in zip(signed, terms, strict=True)]
        slopes = [torch.autograd.grad(loss, net.weight)[0] for loss, net in zip(losses, (x, y), strict=True)]
        with torch.no_grad():
            x.weight -= rate * slopes[0]
            y.weight -= rate * slopes[1]
    radius = torch.cat([x.weight, y.weight]).norm().item()
    if settles:
        assert radius < 0.25
    else:
        assert radius == pytest.approx(math.sqrt(2) * (1 + rate**2) ** (steps / 2), rel=1e-3)


@pytest.mark.parametrize("label", [0.9, 0.7])
def test_smoothed_labels_move_the_best_discriminator_to_a_share_of_the_ratio(label):
    p, q = torch.tensor([0.5, 0.3, 0.2]).double(), torch.tensor([0.2, 0.2, 0.6]).double()
    best = torch.logit(label * p / (p + q)).requires_grad_()
    zero = torch.zeros_like(best)
    for objective in (Minimax(label), NonSaturating(label)):
        real = objective.critic(best, zero) - objective.critic(zero, zero)
        fake = objective.critic(zero, best) - objective.critic(zero, zero)
        (slope,) = torch.autograd.grad((p * real + q * fake).sum(), best)
        assert slope.abs().max() < 1e-12
    assert torch.equal(Minimax(label).generator(None, best), Minimax().generator(None, best))
