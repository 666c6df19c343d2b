"""Flow posteriors: exact densities, a Gaussian to start from, and a bound that a diagonal Gaussian cannot reach."""

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal

from simulacra.autoencoders import VAE
from simulacra.autoencoders.posterior import FlowEncoder, PlanarEncoder
from simulacra.batch import Batch
from simulacra.distributions import Gaussian, StandardNormalPrior, kl
from simulacra.networks import LatentEncoder


class Flat(nn.Module):
    """Events as features."""

    def forward(self, x, given):
        return x


class Linear(nn.Module):
    """`x = W z`, fixed."""

    def __init__(self, weight):
        super().__init__()
        self.register_buffer("weight", weight)

    def forward(self, noise, given):
        return noise["z"] @ self.weight.T


def encoder_of(latent=2, steps=2, wild=0.0, size=3, kind="iaf"):
    torch.manual_seed(0)
    if kind == "planar":
        encoder = PlanarEncoder(Flat(), size, latent, 2 * steps).double()
    else:
        encoder = FlowEncoder(Flat(), size, latent, steps, hidden=(16,), context=4).double()
    with torch.no_grad():
        for parameter in encoder.flow.parameters():
            parameter.add_(wild * torch.randn_like(parameter))
    return encoder


@pytest.mark.parametrize("kind", ["iaf", "planar"])
def test_the_density_of_a_draw_is_the_density_of_the_point(kind):
    encoder = encoder_of(3, wild=0.4, kind=kind)
    q = encoder(torch.randn(7, 3).double(), {})
    z = q.rsample()
    torch.testing.assert_close(q.log_prob(z), q.log_prob(z.clone()), rtol=0, atol=1e-9)
    many = q.rsample((5,))
    assert many.shape == (5, 7, 3)
    torch.testing.assert_close(q.log_prob(many), q.log_prob(many.clone()), rtol=0, atol=1e-9)
    torch.testing.assert_close(q.log_prob(many.clone())[2], q.log_prob(many[2].clone()))
    p = StandardNormalPrior(3).double()()
    torch.testing.assert_close(kl(q, p, many[0]), q.log_prob(many[0]) - p.log_prob(many[0]))
    wide = q.expand((4, 7))
    assert wide.sample((5,)).shape == (5, 4, 7, 3)
    torch.testing.assert_close(wide.log_prob(many[:4].clone()), q.log_prob(many[:4].clone()))


@pytest.mark.parametrize("kind", ["iaf", "planar"])
def test_the_density_is_the_change_of_variables_by_automatic_differentiation(kind):
    encoder = encoder_of(3, wild=0.4, kind=kind)
    x, start = torch.randn(1, 3).double(), torch.randn(1, 3).double()
    q = encoder(x, {})
    slope = torch.autograd.functional.jacobian(lambda z: q._bend(z)[0][0], start)[:, 0]
    want = q.base.log_prob(start) - torch.linalg.slogdet(slope).logabsdet
    z, found = q._bend(start)
    torch.testing.assert_close(found, want)
    torch.testing.assert_close(q.log_prob(z.clone()), want)


@pytest.mark.parametrize("kind", ["iaf", "planar"])
def test_a_posterior_is_normalised_and_its_mean_is_that_of_its_draws(kind):
    encoder = encoder_of(wild=0.4, kind=kind)
    x = torch.tensor([[0.5, -1.0, 2.0]]).double()
    with torch.no_grad():
        q = encoder(x, {})
        draws = q.sample((40_000,))[:, 0]
        middle, spread = draws.mean(0), draws.std(0)
        axes = [torch.linspace(float(m - 12 * s), float(m + 12 * s), 401) for m, s in zip(middle, spread, strict=True)]
        grid = torch.cartesian_prod(*axes).double()
        each = encoder(x.expand(len(grid), 3), {}).log_prob(grid).exp()
    cell = (axes[0][1] - axes[0][0]) * (axes[1][1] - axes[1][0])
    assert float(each.sum() * cell) == pytest.approx(1, abs=0.01)
    assert ((q.mean[0] - middle).abs() < 0.1 * spread).all()
    away = (draws - middle) / spread
    assert float(away.pow(3).mean(0).abs().max()) > 0.1 or abs(float(away.prod(1).mean())) > 0.1  # bent indeed


def test_without_steps_and_at_the_start_it_is_the_gaussian_of_a_plain_encoder():
    for steps in (0, 2):
        encoder = encoder_of(steps=steps)
        plain = LatentEncoder(Flat(), 3, 2).double()
        with torch.no_grad():
            plain.numbers.weight.copy_(encoder.numbers.weight[:4])
            plain.numbers.bias.copy_(encoder.numbers.bias[:4])
        x, z = torch.randn(6, 3).double(), torch.randn(6, 2).double()
        torch.testing.assert_close(encoder(x, {}).log_prob(z), plain(x, {}).log_prob(z))
        torch.testing.assert_close(encoder(x, {}).mean, plain(x, {}).mean)


def test_the_bound_passes_the_best_diagonal_gaussian_and_stays_below_the_likelihood():
    """x = W z + noise with columns that are not orthogonal: the posterior is a Gaussian whose numbers are correlated.

    With its precision L, the best independent Gaussian is short of log p(x) by `(sum log L_jj - log det L) / 2`.
    """
    torch.manual_seed(0)
    weight = torch.tensor([[1.0, 0.8], [0.5, 0.7], [-0.2, 0.3]]).double()
    sigma = 0.3
    precision = torch.eye(2).double() + weight.T @ weight / sigma**2
    gap = 0.5 * float(precision.diagonal().log().sum() - torch.logdet(precision))
    assert gap > 0.4
    truth = MultivariateNormal(torch.zeros(3).double(), weight @ weight.T + sigma**2 * torch.eye(3).double())
    x = truth.sample((4000,))
    exact = float(truth.log_prob(x).mean())
    reached = {}
    encoders = {"iaf": encoder_of(), "planar": encoder_of(kind="planar"), "plain": LatentEncoder(Flat(), 3, 2).double()}
    for name, encoder in encoders.items():
        model = VAE(encoder, Linear(weight), Gaussian(sigma), StandardNormalPrior(2)).double()
        optimizer = torch.optim.Adam(model.encoder.parameters(), lr=0.02)
        for step in range(600):
            optimizer.param_groups[0]["lr"] = 0.02 * (1 - step / 600)
            rows = torch.randint(len(x), (128,))
            optimizer.zero_grad()
            torch.stack(list(model.loss(Batch(x[rows])).parts.values())).sum().backward()
            optimizer.step()
        with torch.no_grad():
            bounds = torch.stack([model.log_prob_bound(Batch(x)) for _ in range(4)])
        reached[name] = float(bounds.mean())
    assert reached["plain"] == pytest.approx(exact - gap, abs=0.05)
    assert exact - 0.15 * gap < reached["iaf"] < exact + 0.02
    assert exact - 0.5 * gap < reached["planar"] < exact + 0.02


@pytest.mark.parametrize("kind", ["iaf", "planar"])
def test_a_point_of_one_number_and_far_events_are_no_accident(kind):
    encoder = encoder_of(1, wild=0.2, kind=kind)
    q = encoder(torch.tensor([[1e6, -1e6, 0.0]]).double(), {})
    z = q.rsample()
    assert torch.isfinite(z).all()
    assert torch.isfinite(q.log_prob(z)).all()
