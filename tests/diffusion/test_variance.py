"""The variational bound of DDPM: that of the chain that samples, for both of its variances."""

import math
from itertools import pairwise

import pytest
import torch
from test_diffusion import Perfect
from torch.distributions import Normal

from simulacra.batch import Batch, DataSpec, Field
from simulacra.diffusion import Ancestral, Chain, DiffusionChain
from simulacra.diffusion.predictions import Denoised
from simulacra.errors import UserError
from simulacra.recipes.ddpm import ddpm

VARIANCES = ("small", "large")


def model_of(chain, variance, data, clip=None):
    """The ideal denoiser of events of N(0, data) on a chain, sampled in all of its steps."""
    return DiffusionChain(Perfect(data), (2,), chain, "noise", Ancestral(chain.steps, 1.0, clip, variance))


class OneStep:
    """A model and a path of one step, so that a sampler takes that step alone."""

    def __init__(self, model, t):
        self.model, self.path, self.t = model, self, t

    def grid(self, steps):
        chain = self.model.path.steps
        return [self.t / chain, (self.t - 1) / chain]

    def at(self, t):
        return self.model.path.at(t)

    def denoise(self, x, t, given):
        return self.model.denoise(x, t, given)


def taken(model, t, x):
    """What the model's sampler makes of x [B, D] in the step t -> t - 1, with noise of seed 3, and that noise."""
    torch.manual_seed(3)
    made = model.sampler(OneStep(model, t), x, {})
    torch.manual_seed(3)
    return made.double(), torch.randn_like(x).double()


def chain_of(model):
    """Slope and variance of p(x_{t-1} | x_t), t = 1 ... T, read off the sampler, which is linear here."""
    found = []
    with torch.no_grad():
        for t in range(1, model.path.steps + 1):
            (none, z), (one, _) = taken(model, t, torch.zeros(1, 2)), taken(model, t, torch.ones(1, 2))
            found.append((float((one - none)[0, 0]), float((none / z).square()[0, 0])))
    return found


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_the_sampler_draws_with_the_variances_of_the_bound(schedule):
    """beta_t or beta~_t, that of q(x_{t-1} | x_t, x_0) by Bayes' rule; none in the last step."""
    chain = Chain(schedule, 12)
    beta, a = chain.betas.double(), chain.alphas.double().square()
    bayes = 1 / ((1 - beta[2:]) / beta[2:] + 1 / (1 - a[1:-1]))
    for variance, want in (("small", bayes), ("large", beta[2:])):
        model = model_of(chain, variance, 0.6)
        drawn = torch.tensor([v for _, v in chain_of(model)], dtype=torch.float64)
        assert drawn[0] == 0
        assert torch.allclose(drawn[1:], want, rtol=1e-4)
        assert torch.allclose(model.variances[2:], want, rtol=1e-4)
        assert model.variances[1] == pytest.approx(float(beta[1] if variance == "large" else bayes[0]), rel=1e-4)


@pytest.mark.parametrize("data", [0.6, 1.5], ids=["right", "wrong"])
@pytest.mark.parametrize("variance", VARIANCES)
def test_the_bound_is_that_of_the_chain_that_samples(variance, data):
    """Events of N(0, 0.6): above the chain's exact -log p, and equal to the mean of log p(x_0:T) / q(x_1:T | x_0)."""
    chain = Chain("cosine", 12)
    model = model_of(chain, variance, data)
    steps = chain_of(model)
    steps[0] = steps[0][0], float(model.variances[1])  # the sampler shows the mean of the last step
    spread = 1.0
    for slope, fresh in reversed(steps):
        spread = slope**2 * spread + fresh
    torch.manual_seed(5)
    x = 0.6**0.5 * torch.randn(20_000, 2, dtype=torch.float64)
    at, direct, known, wide = x, torch.zeros(len(x), dtype=torch.float64), 0.0, 0.6
    for (slope, fresh), beta in zip(steps, chain.betas[1:].double().tolist(), strict=True):
        there = (1 - beta) ** 0.5 * at + beta**0.5 * torch.randn_like(at)
        direct += Normal(slope * there, fresh**0.5).log_prob(at).sum(1)
        direct -= Normal((1 - beta) ** 0.5 * at, beta**0.5).log_prob(there).sum(1)
        miss = (1 - slope * (1 - beta) ** 0.5) ** 2 * wide + slope**2 * beta
        known += math.log(beta / fresh) + 1 - miss / fresh
        at, wide = there, (1 - beta) * wide + beta
    direct += Normal(0.0, 1.0).log_prob(at).sum(1)
    known -= math.log(2 * math.pi) + wide
    bound = model.log_prob_bound(Batch(x.float()), times=100).double()
    for one in (bound - direct, bound - known, direct - known):
        assert one.mean().abs() < 4 * one.std() / len(x) ** 0.5
    gap = -math.log(2 * math.pi * spread) - 0.6 / spread - known  # of the means over events, for both numbers
    assert (0.6 if variance == "small" else 1e-4) < gap < (3 if variance == "small" else 0.03)
    drawn = model.sampler(model, torch.randn(40_000, 2), {}).square().mean()
    assert float(drawn.detach()) == pytest.approx(spread - steps[0][1], rel=0.03)


def test_each_variance_is_best_for_its_own_events():
    """Events of N(0, 1): "large" is exact. Events at one point: "small" is, but for its last step."""
    torch.manual_seed(0)
    chain = Chain("cosine", 20)
    wide = torch.randn(4000, 2)
    bounds = {v: model_of(chain, v, 1.0).log_prob_bound(Batch(wide), times=100).mean().item() / 2 for v in VARIANCES}
    entropy = 0.5 * math.log(2 * math.pi * math.e)
    assert -bounds["large"] == pytest.approx(entropy, abs=0.03)
    assert bounds["small"] < bounds["large"] - 0.3
    point, terms = torch.full((500, 2), 0.3), {}
    for variance in VARIANCES:
        model = model_of(chain, variance, 1.0)
        model.denoise = lambda x, t, given: Denoised(point, x)
        terms[variance] = [model._term(Batch(point), torch.full((500,), t)).mean().item() for t in range(2, 21)]
    assert terms["small"] == pytest.approx([0] * 19, abs=1e-6)
    assert max(terms["large"]) < -1e-5


def test_the_bound_clips_as_the_sampler_does():
    """Events beyond the denoiser's reach: of a chain that clips, only what is clipped is missed."""
    torch.manual_seed(0)
    x, found = torch.ones(200, 2), []
    for clip in (None, 1.0):
        model = model_of(Chain("linear", 50), "small", 0.6, clip)
        model.denoise = lambda x, t, given: Denoised(torch.full_like(x, 3.0), x)
        found.append(model._term(Batch(x), torch.full((200,), 20)))
    assert found[0].max() < -0.2
    assert torch.equal(found[1], torch.zeros(200, dtype=torch.float64))


def test_a_third_variance_is_refused():
    with pytest.raises(UserError, match="expected a variance small or large, came 'medium'"):
        ddpm(DataSpec("points", "vector", Field((2,))), variance="medium")


def expected_bound(chain, variance):
    """The mean of the bound with large variances per number, for events of N(0, variance) and their ideal denoiser."""
    a, s, beta = chain.alphas.double().square(), chain.sigmas.double().square(), chain.betas.double()
    error = s * variance / (a * variance + s)
    left, pull = s[1:-1] / s[2:], a[1:-1].sqrt() * beta[2:] / s[2:]
    steps = 0.5 * (left - 1 - left.log() + pull.square() * error[2:] / beta[2:]).sum()
    last = 0.5 * (a[-1] * variance - a[-1] - torch.log1p(-a[-1]))
    first = 0.5 * (math.log(2 * math.pi) + beta[1].log() + error[1] / beta[1])
    return -(steps + last + first).item()


def test_the_bound_lies_above_the_entropy_and_tightens_with_steps():
    torch.manual_seed(0)
    x, entropy = 0.6**0.5 * torch.randn(4000, 2), 0.5 * math.log(2 * math.pi * math.e * 0.6)
    gaps = []
    for steps in (25, 100, 400, 1000):
        chain = Chain("linear", steps)
        model = DiffusionChain(Perfect(0.6), (2,), chain, "noise", Ancestral(10, variance="large"))
        bound, want = model.log_prob_bound(Batch(x)) / 2, expected_bound(chain, 0.6)
        assert (bound.mean() - want).abs() < 4 * bound.std() / len(x) ** 0.5
        gaps.append(-want - entropy)
    assert all(late < 0.6 * early for early, late in pairwise(gaps))
    assert 0 < gaps[-1] < 0.01
    wrong = DiffusionChain(Perfect(1.5), (2,), Chain("linear", 400), "noise", Ancestral(10, variance="large"))
    likely = Normal(0.0, 1.5**0.5).log_prob(x).mean().item()
    assert -wrong.log_prob_bound(Batch(x)).mean().item() / 2 == pytest.approx(-likely, abs=0.05)
    assert -likely - entropy > 0.12


def test_the_bound_from_some_times_is_that_from_all():
    torch.manual_seed(0)
    x = torch.randn(2000, 2)
    model = DiffusionChain(Perfect(0.6), (2,), Chain("linear", 60), "noise", Ancestral(10, variance="large"))
    some, every = (model.log_prob_bound(Batch(x), times=k) for k in (8, 100))
    assert (some - every).mean().abs() < 4 * (some - every).std() / len(x) ** 0.5
    assert (some - every).std() > 1e-3
