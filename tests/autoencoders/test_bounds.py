"""Laws of variational autoencoders: on the linear-Gaussian model everything is known."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal

from simulacra.autoencoders import KL, VAE, Anneal, Capacity, TotalCorrelation, decompose
from simulacra.batch import Batch
from simulacra.distributions import Gaussian, MixturePrior, StandardNormalPrior
from simulacra.distributions.priors import diagonal
from simulacra.training.game import Clock


class Linear(nn.Module):
    """`x = W z + b`."""

    def __init__(self, weight, offset):
        super().__init__()
        self.weight, self.offset = nn.Parameter(weight), nn.Parameter(offset)

    def forward(self, noise, given):
        return noise["z"] @ self.weight.T + self.offset


class LinearEncoder(nn.Module):
    """`q(z | x) = N(V x + c, s^2)`."""

    def __init__(self, weight, offset, width):
        super().__init__()
        self.weight, self.offset = nn.Parameter(weight), nn.Parameter(offset)
        self.width = nn.Parameter(width.log())

    def forward(self, x, given):
        mean = x @ self.weight.T + self.offset
        return diagonal(mean, self.width.exp().expand_as(mean))


@pytest.fixture
def known():
    """A linear-Gaussian model whose posterior is diagonal, its p(x), and its posterior's parameters."""
    torch.manual_seed(0)
    columns = torch.linalg.qr(torch.randn(4, 2, dtype=torch.float64)).Q * torch.tensor([2.0, 1.0])
    sigma, offset = 0.5, torch.randn(4, dtype=torch.float64)
    inverse = (columns.T @ columns / sigma**2 + torch.eye(2)).diagonal()
    weight = (columns / sigma**2 / inverse).T
    truth = MultivariateNormal(offset, columns @ columns.T + sigma**2 * torch.eye(4, dtype=torch.float64))
    exact = LinearEncoder(weight, -weight @ offset, inverse.rsqrt())
    return columns, offset, sigma, truth, exact


def model_of(known, encoder):
    columns, offset, sigma, *_ = known
    return VAE(encoder, Linear(columns, offset), Gaussian(sigma), StandardNormalPrior(2)).double()


def test_with_the_posterior_every_draw_is_the_likelihood(known):
    *_, truth, exact = known
    x = truth.sample((50,))
    model = model_of(known, exact)
    for draws in (1, 3):
        torch.testing.assert_close(model.log_prob_bound(Batch(x), draws), truth.log_prob(x), rtol=0, atol=1e-9)


def test_the_bound_and_its_gap_are_the_likelihood(known):
    *_, truth, exact = known
    x = truth.sample((3,))
    wrong = LinearEncoder(exact.weight * 0.7, exact.offset + 0.2, exact.width.exp() * 1.5)
    model = model_of(known, wrong)
    q, posterior = wrong(x, {}), exact(x, {})
    gap = torch.distributions.kl_divergence(q, posterior)
    many = Batch(x.repeat_interleave(40_000, 0))
    with torch.no_grad():
        found = model.log_prob_bound(many).view(3, -1)
        loss = torch.stack([sum(model.loss(many[k * 40_000 : (k + 1) * 40_000]).parts.values()) for k in range(3)])
    error = found.std(1) / 200
    want = truth.log_prob(x) - gap
    assert ((found.mean(1) - want).abs() < 5 * error).all(), (found.mean(1), want)
    assert ((-loss - want).abs() < 5 * error).all(), "the loss is not minus the bound"
    assert (gap > 20 * error).all()


def test_the_bound_grows_with_the_draws_to_the_likelihood(known):
    *_, truth, exact = known
    x = truth.sample((4000,))
    wrong = LinearEncoder(exact.weight * 0.8, exact.offset, exact.width.exp() * 1.3)
    model = model_of(known, wrong)
    with torch.no_grad():
        means = [float(model.log_prob_bound(Batch(x), draws).mean()) for draws in (1, 2, 5, 50)]
    exact_mean = float(truth.log_prob(x).mean())
    assert means[0] < means[1] < means[2] < means[3] < exact_mean + 0.02
    assert exact_mean - means[3] < 0.1 * (exact_mean - means[0])


def test_a_linear_decoder_finds_the_principal_subspace(known):
    *_, truth, _ = known
    x = truth.sample((2000,))
    torch.manual_seed(1)
    start = LinearEncoder(torch.randn(2, 4) * 0.3, torch.zeros(2), torch.ones(2))
    model = VAE(start, Linear(torch.randn(4, 2) * 0.3, torch.zeros(4)), Gaussian(), StandardNormalPrior(2)).double()
    nn.init.zeros_(model.likelihood.raw)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(700):
        optimizer.zero_grad()
        sum(model.loss(Batch(x)).parts.values()).backward()
        optimizer.step()
    centred = x - x.mean(0)
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(x))
    noise = values[:2].mean().sqrt()
    top = vectors[:, 2:]
    found = torch.linalg.qr(model.decoder.weight).Q
    assert torch.linalg.svdvals(top.T @ found).min() > 0.995
    assert abs(float(model.likelihood.sigma.detach()) / float(noise) - 1) < 0.05
    best = MultivariateNormal(x.mean(0), top @ torch.diag(values[2:] - noise**2) @ top.T + noise**2 * torch.eye(4))
    with torch.no_grad():
        reached = model.log_prob_bound(Batch(x), 20).mean()
    assert abs(float(reached - best.log_prob(x).mean())) < 0.05


def test_a_mean_over_numbers_collapses_where_the_sum_does_not(known):
    """With sigma^2 = D / 2 (the mean squared error), a direction is kept only where its variance is above that."""
    _, _, _, truth, _ = known
    x = truth.sample((2000,)) * 0.5  # variances 1.06, 0.31 and 0.06
    kept = []
    for sigma in (0.25, math.sqrt(4 / 2)):
        torch.manual_seed(2)
        encoder = LinearEncoder(torch.randn(2, 4) * 0.3, torch.zeros(2), torch.ones(2))
        decoder = Linear(torch.randn(4, 2) * 0.3, torch.zeros(4))
        model = VAE(encoder, decoder, Gaussian(sigma), StandardNormalPrior(2)).double()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
        for _ in range(250):
            optimizer.zero_grad()
            seen = model.loss(Batch(x))
            sum(seen.parts.values()).backward()
            optimizer.step()
        kept.append(float(seen.watch["kl"]))
    assert kept[0] > 1.0
    assert kept[1] < 0.02


def test_weights_are_repeated_events(known):
    *_, truth, exact = known
    x = truth.sample((6,))
    weight = torch.tensor([1.0, 2.0, 0.0, 1.0, 3.0, 1.0], dtype=torch.float64)
    model = model_of(known, exact)
    q, p, z = model.encode(Batch(x)), model.prior(), torch.zeros(6, 2, dtype=torch.float64)
    rows = torch.arange(6).repeat_interleave(weight.long())
    repeated = KL()(Batch(x[rows]), model.encode(Batch(x[rows])), p, z[rows])
    torch.testing.assert_close(KL()(Batch(x, weight=weight), q, p, z), repeated)


def test_the_pieces_of_the_divergence_add_up_to_it():
    torch.manual_seed(0)
    q = diagonal(torch.randn(64, 3), torch.rand(64, 3) + 0.2)
    p, z, batch = StandardNormalPrior(3)(), q.sample(), Batch(torch.zeros(64, 1))
    pieces = decompose(q, p, z, rows=1000)
    torch.testing.assert_close(sum(pieces), q.log_prob(z) - p.log_prob(z))
    once = TotalCorrelation(1000, beta=1.0)(batch, q, p, z)
    torch.testing.assert_close(once, (q.log_prob(z) - p.log_prob(z)).mean())
    heavier = TotalCorrelation(1000, beta=3.0)(batch, q, p, z)
    torch.testing.assert_close(heavier - once, 2 * pieces[1].mean())


def test_the_total_correlation_of_a_gaussian_is_found():
    """Posteriors that are nearly points on a Gaussian of correlation 0.8: TC = -log(1 - 0.64) / 2."""
    torch.manual_seed(0)
    n, rho, width = 1500, 0.8, 0.2
    root = torch.linalg.cholesky(torch.tensor([[1.0, rho], [rho, 1.0]]) - width**2 * torch.eye(2))
    q = diagonal(torch.randn(n, 2) @ root.T, torch.full((n, 2), width))
    _, total, _ = decompose(q, StandardNormalPrior(2)(), q.sample(), rows=1)  # rows = 1 undoes the bias of the batch
    bare = total - math.log(1)
    assert abs(float(bare.mean()) + 0.5 * math.log(1 - rho**2)) < 0.06


def test_capacity_is_where_its_term_is_smallest():
    torch.manual_seed(0)
    held, batch, p = Capacity(10.0), Batch(torch.zeros(1, 1)), StandardNormalPrior(1)()
    ramp = Anneal(held, "capacity", lambda progress: 2 * progress)
    held.double()  # gives the module other buffers, as a move to another device does
    ramp.before(Clock(5, 10))
    for mean, want in ((math.sqrt(2), 0.0), (2.0, 10.0), (0.0, 10.0)):
        q = diagonal(torch.tensor([[mean]]), torch.ones(1, 1))
        assert float(held(batch, q, p, q.sample())) == pytest.approx(want, abs=1e-5)


def test_the_gradient_goes_through_the_draw_and_the_prior(known):
    *_, truth, exact = known
    model = model_of(known, exact)
    model.prior = MixturePrior(2, 3).double()
    loss = model.loss(Batch(truth.sample((8,))))
    sum(loss.parts.values()).backward()
    assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in model.parameters())


def test_samples_have_the_moments_of_the_model(known):
    columns, _, _, truth, exact = known
    model = model_of(known, exact)
    model.shape = (4,)
    x = model.sample(20_000).x
    torch.testing.assert_close(x.T.cov(), truth.covariance_matrix, atol=0.12, rtol=0)
    model.shape = None
    clean = model.sample(20_000).x
    torch.testing.assert_close(clean.T.cov(), columns @ columns.T, atol=0.12, rtol=0)


def test_the_aggregated_posterior_is_that_of_weighted_events():
    """Events of weight 0 are as good as absent, up to the number of events in the batch."""
    torch.manual_seed(0)
    n = 400
    along = torch.randn(n, 1)
    q = diagonal(
        torch.cat([along, along * torch.where(torch.arange(n) < n // 2, 1.0, -1.0)[:, None]], 1),
        torch.full((n, 2), 0.3),
    )
    z = q.sample()
    half = diagonal(q.mean[: n // 2], torch.full((n // 2, 2), 0.3))
    prior = StandardNormalPrior(2)()
    weight = (torch.arange(n) < n // 2).float() * 3
    weighted = decompose(q, prior, z, n, weight)
    alone = decompose(half, prior, z[: n // 2], n)
    for some, other in zip(weighted, alone, strict=True):
        torch.testing.assert_close(some[: n // 2], other)
    assert float(decompose(q, prior, z, n)[1].mean()) < float(alone[1].mean()) - 0.2
    for some, other in zip(decompose(q, prior, z, n, torch.full((n,), 5.0)), decompose(q, prior, z, n), strict=True):
        torch.testing.assert_close(some, other)
