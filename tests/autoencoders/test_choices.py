"""Priors and posteriors freely chosen: exact models stay exact, and what one Gaussian cannot say is said."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal, Normal, kl_divergence

from simulacra.autoencoders import VAE
from simulacra.autoencoders.bent import BentGaussian
from simulacra.autoencoders.posterior import MixtureEncoder, PlanarEncoder, stratified
from simulacra.autoencoders.prior import FlowPrior, couplings
from simulacra.batch import Batch
from simulacra.claims.posteriors import MixtureVAE
from simulacra.distributions import CategoricalEncoder, CategoricalPrior, Gaussian, StandardNormalPrior, VampPrior
from simulacra.distributions.priors import diagonal
from simulacra.errors import UserError
from simulacra.evaluation.likelihood import bounds
from simulacra.flows import Chain, Invert, Planar
from simulacra.networks import LatentEncoder
from simulacra.networks.dense import DenseBody
from simulacra.testing import Unchanged

SIGMA = 0.5


class Flat(nn.Module):
    """Events as features."""

    def forward(self, x, given):
        return x


class Exact(nn.Module):
    """The posterior of `x = W z + noise` with orthogonal columns, bent by a flow, or as a mixture of itself."""

    def __init__(self, weight, flow=None, shares=None):
        super().__init__()
        self.weight, self.flow, self.shares = weight, flow, shares

    def forward(self, x, given):
        precision = (self.weight.T @ self.weight / SIGMA**2 + torch.eye(2)).diagonal()
        mean = x @ self.weight / SIGMA**2 / precision
        sigma = precision.rsqrt().expand_as(mean)
        if self.shares is not None:
            share = self.shares.expand(len(x), -1)
            parts = diagonal(*(value[:, None].expand(-1, share.shape[1], 2) for value in (mean, sigma)))
            return MixtureSameFamily(Categorical(share), parts, validate_args=False)
        return diagonal(mean, sigma) if self.flow is None else BentGaussian(mean, sigma, self.flow)


class Linear(nn.Module):
    """`x = W z`, or `W f(z)` where codes were bent."""

    def __init__(self, weight, flow=None):
        super().__init__()
        self.weight, self.flow = weight, flow

    def forward(self, noise, given):
        z = noise["z"] if self.flow is None else self.flow.to_latent(noise["z"])[0]
        return z @ self.weight.T


@pytest.fixture
def known():
    """W, p(x) of the linear-Gaussian model, and events of it."""
    torch.manual_seed(0)
    weight = torch.linalg.qr(torch.randn(4, 2, dtype=torch.float64)).Q * torch.tensor([2.0, 1.0])
    truth = MultivariateNormal(torch.zeros(4).double(), weight @ weight.T + SIGMA**2 * torch.eye(4).double())
    return weight, truth, truth.sample((50,))


def wild(flow, by=0.5):
    torch.manual_seed(1)
    for parameter in flow.parameters():
        parameter.data += by * torch.randn_like(parameter)
    return flow.double()


def test_an_exact_model_keeps_its_bound_under_every_choice_that_contains_it(known):
    """Codes that prior, posterior and decoder bend alike are the same model: every draw is the likelihood."""
    weight, truth, x = known
    spline, planar = wild(couplings(2, hidden=(8,))), wild(Invert(Chain([Planar(2) for _ in range(4)])))
    models = {
        "a flow that is the identity": (Exact(weight), Linear(weight), FlowPrior(2, couplings(2)), 1e-6),
        "both bent by splines": (Exact(weight, spline), Linear(weight, spline), FlowPrior(2, spline), 1e-6),
        "both bent by planes": (Exact(weight, planar), Linear(weight, planar), FlowPrior(2, planar), 1e-6),
        "a mixture of itself": (
            Exact(weight, shares=torch.tensor([0.3, 0.7]).double()),
            Linear(weight),
            StandardNormalPrior(2),
            1e-9,
        ),
    }
    for name, (encoder, decoder, prior, near) in models.items():
        model = VAE(encoder, decoder, Gaussian(SIGMA), prior).double()
        for draws in (1, 3):
            found = model.log_prob_bound(Batch(x), draws)
            torch.testing.assert_close(found, truth.log_prob(x), rtol=0, atol=near, msg=lambda m, n=name: f"{n}: {m}")
        loss = sum(model.loss(Batch(x)).parts.values())
        if name != "a flow that is the identity":  # there the divergence of two Gaussians is in closed form no more
            assert float(-loss.detach()) == pytest.approx(float(truth.log_prob(x).mean()), abs=0.4)
        judged = bounds(model, Unchanged(), Batch(x), (1, 10))
        assert all(m.value == pytest.approx(-float(truth.log_prob(x).mean()), abs=1e-5) for m in judged.values())


def test_a_flow_prior_is_normalised_and_draws_what_it_says():
    prior = FlowPrior(2, wild(couplings(2, 2, hidden=(8,)), 0.3)).double()
    axis = torch.linspace(-8, 8, 501).double()
    with torch.no_grad():
        density = prior().log_prob(torch.cartesian_prod(axis, axis)).exp()
        assert float(density.sum() * (axis[1] - axis[0]) ** 2) == pytest.approx(1, abs=0.005)
        mean = (density[:, None] * torch.cartesian_prod(axis, axis)).sum(0) / density.sum()
        drawn = prior.code(prior.noise(40_000))
    assert mean.abs().max() > 0.1, "bent indeed"
    torch.testing.assert_close(drawn.mean(0), mean, atol=0.03, rtol=0)
    start = prior.noise(1)
    slope = torch.autograd.functional.jacobian(lambda e: prior.code(e)[0], start)[:, 0]
    want = Normal(0.0, 1.0).log_prob(start).sum(1) - torch.linalg.slogdet(slope).logabsdet
    torch.testing.assert_close(prior().log_prob(prior.code(start)), want)


def clumps(n):
    """Points of the plane about (1, 1/2) and its mirror image."""
    side = 2 * torch.randint(2, (n, 1)) - 1.0
    return torch.tensor([1.0, 0.5]) * side + 0.1 * torch.randn(n, 2)


@pytest.mark.parametrize("seed", range(3))
def test_a_flow_prior_follows_codes_in_two_clumps(seed):
    """One code and a linear decoder: under N(0, 1) p(x) is a Gaussian, and no bound passes the best one."""
    reached = {}
    for name in ("normal", "flow"):
        torch.manual_seed(seed)
        prior = StandardNormalPrior(1) if name == "normal" else FlowPrior(1, couplings(1, 1, (16,)))
        decoder = Linear(nn.Parameter(0.5 * torch.randn(2, 1)))
        model = VAE(LatentEncoder(DenseBody((2,), hidden=(32,)), 32, 1), decoder, Gaussian(), prior)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for step in range(250):
            optimizer.param_groups[0]["lr"] = 0.01 * min(1, 2 * (1 - step / 250))
            optimizer.zero_grad()
            sum(model.loss(Batch(clumps(128))).parts.values()).backward()
            optimizer.step()
        x = clumps(4000)
        with torch.no_grad():
            reached[name] = float(model.log_prob_bound(Batch(x)).mean())
    best = float(MultivariateNormal(x.mean(0), x.T.cov()).log_prob(x).mean())
    centre = torch.tensor([[1.0, 0.5], [-1.0, -0.5]])[:, None]
    truth = float((Normal(centre, 0.1).log_prob(x).sum(2).logsumexp(0) - math.log(2)).mean())
    assert reached["normal"] < best + 0.05
    assert best + 0.7 < reached["flow"] < truth + 0.05


def mixture_of(latent=2, components=3):
    torch.manual_seed(0)
    return MixtureEncoder(Flat(), 3, latent, components).double()


def test_the_entropy_of_a_mixture_posterior_by_strata_is_that_by_draws_and_by_quadrature():
    encoder, x = mixture_of(1), torch.randn(4, 3).double() * 3
    axis = torch.linspace(-30, 30, 60_001).double()
    with torch.no_grad():
        q = encoder(x, {})
        density = q.log_prob(axis[:, None, None])
        exact = -(density.exp() * density).sum(0) * (axis[1] - axis[0])
        by_draws = -q.log_prob(q.sample((50_000,)))
        many, again, z = stratified(Batch(x.repeat(20_000, 1)), encoder(x.repeat(20_000, 1), {}))
        inside = (-many.weight * again.log_prob(z)).view(3, 20_000, 4).sum(0)
    for found in (by_draws, inside):
        assert ((found.mean(0) - exact).abs() < 5 * found.std(0) / math.sqrt(len(found))).all()
    assert (inside.var(0) < by_draws.var(0)).all(), "strata are of no use"


def test_the_entropy_of_parts_that_are_apart_is_theirs_and_that_of_their_choice():
    share, sigma = torch.tensor([[0.2, 0.8]]).double(), torch.tensor([[[0.5], [2.0]]]).double()
    parts = diagonal(torch.tensor([[[-200.0], [200.0]]]).double(), sigma)
    many, again, z = stratified(
        Batch(torch.zeros(50_000, 1)), MixtureSameFamily(Categorical(share), parts).expand((50_000,))
    )
    each = (-many.weight * again.log_prob(z)).view(2, -1).sum(0)
    want = (share * (-share.log() + 0.5 * math.log(2 * math.pi * math.e) + sigma[..., 0].log())).sum()
    assert abs(float(each.mean() - want)) < 5 * float(each.std()) / math.sqrt(50_000)


def test_the_loss_of_a_mixture_is_the_sum_over_its_components_with_gradient_and_weights(known):
    weight, _, _ = known
    x, given = torch.randn(6, 3).double(), torch.tensor([1.0, 2.0, 0.0, 1.0, 3.0, 1.0]).double()
    found = []
    for kind in (VAE, MixtureVAE):
        model = kind(mixture_of(), Linear(weight[:3]), Gaussian(SIGMA), StandardNormalPrior(2)).double()
        torch.manual_seed(3)
        loss = sum(model.loss(Batch(x, weight=given)).parts.values())
        loss.backward()
        found.append([loss.detach(), *(p.grad for p in model.parameters())])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)
    assert found[0][1].abs().sum() > 0


def test_a_mixture_of_one_is_the_plain_encoder_and_one_of_more_has_no_gradient_through_its_draws(known):
    weight, _, _ = known
    encoder, plain, x = mixture_of(components=1), LatentEncoder(Flat(), 3, 2).double(), torch.randn(5, 3).double()
    with torch.no_grad():
        plain.numbers.weight.copy_(encoder.numbers.weight[1:])
        plain.numbers.bias.copy_(encoder.numbers.bias[1:])
        z = torch.randn(5, 2).double()
        torch.testing.assert_close(encoder(x, {}).log_prob(z), plain(x, {}).log_prob(z))
        torch.testing.assert_close(encoder(x, {}).mean, plain(x, {}).mean)
    model = VAE(mixture_of(), Linear(weight[:3]), Gaussian(SIGMA), StandardNormalPrior(2)).double()
    assert model.log_prob_bound(Batch(x), 3).shape == (5,)
    with pytest.raises(UserError, match="draws have a gradient"):
        model.importance_loss(Batch(x), 3)
    with pytest.raises(UserError, match="at least one component, came 0"):
        MixtureEncoder(Flat(), 3, 2, 0)


@pytest.mark.parametrize("kind", ["planar", "mixture"])
def test_a_vamp_prior_of_a_bent_or_mixed_posterior_is_their_mean(kind):
    encoder = mixture_of() if kind == "mixture" else wild(PlanarEncoder(Flat(), 3, 2, 3))
    prior, z = VampPrior(encoder, (3,), 5).double(), torch.randn(7, 2).double()
    each = torch.stack([encoder(u[None], {}).log_prob(z) for u in prior.pseudo])
    torch.testing.assert_close(prior().log_prob(z), each.logsumexp(0) - math.log(5))
    with torch.no_grad():
        drawn, want = prior.noise(20_000), torch.stack([encoder(u[None], {}).sample((4000,)) for u in prior.pseudo])
    want = want.flatten(0, 2)
    assert ((drawn.mean(0) - want.mean(0)).abs() < 0.06 * want.std(0)).all()


def test_a_flow_prior_that_is_the_identity_is_as_far_as_the_normal_one():
    torch.manual_seed(0)
    q = diagonal(torch.randn(1, 2), torch.rand(1, 2) + 0.2)
    z = q.sample((50_000,))[:, 0]
    by_draws = (q.log_prob(z[:, None])[:, 0] - FlowPrior(2, couplings(2))().log_prob(z)).detach()
    exact = float(kl_divergence(q, StandardNormalPrior(2)()))
    assert abs(float(by_draws.mean()) - exact) < 5 * float(by_draws.std()) / math.sqrt(50_000)


@pytest.mark.parametrize("grad", [True, False])
def test_the_bound_of_categories_lies_below_log_p_with_gradients_and_without(grad):
    """One choice among three points: log p is a sum of three terms, and a relaxed code is none of them."""
    torch.manual_seed(0)
    encoder = CategoricalEncoder(Flat(), 2, 1, 3)
    decoder = Told(torch.tensor([[-2.0, 0.0], [2.0, 0.0], [0.0, 3.0]]))
    model = VAE(encoder, decoder, Gaussian(0.3), CategoricalPrior(1, 3), shape=(2,))
    nn.init.zeros_(encoder.numbers.weight)
    nn.init.zeros_(encoder.numbers.bias)
    x = torch.tensor([[0.0, 0.8]])
    each = torch.stack([model.decode(row[None]).log_prob(x) for row in torch.eye(3)])
    exact = float(each.logsumexp(0).detach()) - math.log(3)
    rows = Batch(x.expand(2000, 2))
    with torch.set_grad_enabled(grad):
        one, many = (float(model.log_prob_bound(rows, draws).detach().mean()) for draws in (1, 50))
    assert one < exact - 0.05
    assert many == pytest.approx(exact, abs=0.05)
    with pytest.raises(UserError, match="draws have a gradient"):
        model.importance_loss(rows, 5)


class Told(nn.Module):
    """The row of a table that a one-hot code names."""

    def __init__(self, table: torch.Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table)

    def forward(self, noise, given=None):
        return noise["z"] @ self.table
