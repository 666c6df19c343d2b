"""Laws of likelihoods, priors and their divergence."""

import math

import pytest
import torch
from torch.distributions import Normal

from simulacra.batch import Batch, Field
from simulacra.distributions import (
    Bernoulli,
    Categorical,
    CategoricalPrior,
    ConditionalPrior,
    Gaussian,
    MixturePrior,
    StandardNormalPrior,
    VampPrior,
    kl,
)
from simulacra.distributions.priors import diagonal
from simulacra.errors import UserError


def test_the_divergence_in_closed_form_is_its_mean_over_draws():
    torch.manual_seed(0)
    q = diagonal(torch.tensor([[0.5, -1.0]]), torch.tensor([[0.3, 2.0]]))
    p = StandardNormalPrior(2)()
    z = q.sample((100_000,))[:, 0]
    draws = q.log_prob(z) - p.log_prob(z)
    mean, sigma = q.mean, q.stddev
    formula = 0.5 * (mean**2 + sigma**2 - 1 - 2 * sigma.log()).sum()
    assert float(kl(q, p, z[:1])) == pytest.approx(float(formula), rel=1e-5)
    assert abs(float(draws.mean() - formula)) < 5 * float(draws.std()) / math.sqrt(100_000)
    assert float(kl(diagonal(torch.zeros(1, 2), torch.ones(1, 2)), p, z[:1])) == 0


def test_a_mixture_of_one_is_a_gaussian():
    torch.manual_seed(0)
    prior = MixturePrior(2, 1, spread=0.0)
    q = diagonal(torch.randn(1, 2), torch.rand(1, 2))
    z = q.sample((50_000,))[:, 0]
    by_draws = kl(q.expand((50_000,)), prior(), z).detach()
    exact = float(kl(q, StandardNormalPrior(2)(), z[:1]))
    assert abs(float(by_draws.mean()) - exact) < 5 * float(by_draws.std()) / math.sqrt(50_000) + 1e-3


def test_the_clusters_of_a_mixture_are_its_posterior():
    prior = MixturePrior(2, 4)
    z = torch.randn(10, 2)
    mixed = prior()
    joint = mixed.mixture_distribution.logits + mixed.component_distribution.log_prob(z[:, None])
    torch.testing.assert_close(prior.clusters(z), (joint - mixed.log_prob(z)[:, None]).exp())


def test_a_vamp_prior_is_the_mean_of_posteriors():
    torch.manual_seed(0)

    class Double(torch.nn.Module):
        def forward(self, x, given):
            return diagonal(2 * x, torch.full_like(x, 0.3))

    prior = VampPrior(Double(), (2,), 5, torch.tanh)
    z = torch.randn(7, 2)
    each = Normal(2 * prior.pseudo.tanh()[None], 0.3).log_prob(z[:, None]).sum(2)
    torch.testing.assert_close(prior().log_prob(z), each.exp().mean(1).log())
    assert prior.noise(9).shape == (9, 2)


def test_a_conditional_prior_draws_what_it_says():
    torch.manual_seed(0)
    prior = ConditionalPrior(2, {"label": Field((), "class", 3)})
    given = {"label": torch.ones(20_000, dtype=torch.long)}
    with torch.no_grad():
        z = prior.code(prior.noise(20_000), given)
        told = prior(given)
    torch.testing.assert_close(z.mean(0), told.mean[0], atol=0.05, rtol=0)
    torch.testing.assert_close(z.std(0), told.stddev[0], atol=0.05, rtol=0)


def test_a_gaussian_likelihood_is_half_the_squared_error():
    x, mean = torch.randn(3, 1, 2, 2), torch.randn(3, 1, 2, 2)
    for sigma in (1.0, 0.3):
        want = (x - mean).square().flatten(1).sum(1) / (2 * sigma**2) + 4 * math.log(sigma * math.sqrt(2 * math.pi))
        torch.testing.assert_close(-Gaussian(sigma)(mean).log_prob(x), want)
    with pytest.raises(UserError, match="sigma above 0"):
        Gaussian(0.0)


def test_a_learned_sigma_ends_at_the_root_mean_squared_error():
    reads, x = Gaussian(), 0.2 * torch.randn(2000, 3)
    optimizer = torch.optim.Adam(reads.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        (-reads(torch.zeros_like(x)).log_prob(x).mean()).backward()
        optimizer.step()
    assert float(reads.sigma.detach()) == pytest.approx(float(x.square().mean().sqrt()), rel=0.02)


def test_pixels_are_normalised_and_drawn_as_probable_as_they_say():
    torch.manual_seed(0)
    logits = torch.randn(1, 1, 1, 3)
    p = Bernoulli()(logits)
    every = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3).view(8, 1, 1, 3)
    mass = torch.stack([(p.log_prob(x[None]) + 3 * math.log(2)).exp() for x in every])
    assert float(mass.sum()) == pytest.approx(1.0, abs=1e-5)
    drawn = p.sample((20_000,))
    torch.testing.assert_close(drawn.mean(0), p.mean, atol=0.03, rtol=0)
    reads = Bernoulli()
    many = logits.expand(20_000, -1, -1, -1)
    torch.testing.assert_close(reads.push(many, reads.noise(many)).mean(0), p.mean[0], atol=0.03, rtol=0)


def test_gumbel_softmax_becomes_the_draw_and_keeps_its_frequencies():
    torch.manual_seed(0)
    logits = torch.tensor([[[0.0, 1.0, 2.0]]]).expand(30_000, 1, 3)
    share = logits[0, 0].softmax(0)
    cold, hot = Categorical(logits, 0.01), Categorical(logits, 10.0)
    relaxed = cold.rsample()
    assert float((relaxed.amax(1) > 0.99).float().mean()) > 0.97
    for drawn in (relaxed, cold.sample()):
        torch.testing.assert_close(drawn.mean(0), share, atol=0.02, rtol=0)
    assert float(hot.rsample().std(0).max()) < 0.1
    torch.testing.assert_close(relaxed.sum(1), torch.ones(30_000))


def test_the_divergence_of_categories_is_what_their_entropy_lacks():
    logits = torch.randn(4, 2, 3)
    q, p = Categorical(logits), CategoricalPrior(2, 3)()
    share = logits.softmax(2)
    want = 2 * math.log(3) + (share * share.log()).sum((1, 2))
    torch.testing.assert_close(kl(q, p, q.sample()), want)
    one = q.sample()
    torch.testing.assert_close(q.log_prob(one).exp(), (share * one.view(4, 2, 3)).sum(2).prod(1))
    assert len(Batch(CategoricalPrior(2, 3).noise(5))) == 5
