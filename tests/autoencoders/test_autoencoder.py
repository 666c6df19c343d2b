"""Laws of plain and denoising autoencoders, and of what all autoencoders offer."""

import pytest
import torch
from torch import nn

from simulacra import recipes
from simulacra.autoencoders import Autoencoder, CodeDensity, Corruption
from simulacra.batch import Batch, DataSpec, Field
from simulacra.errors import UserError
from simulacra.networks import PointMass
from simulacra.protocols import Bound, Encoder, NoiseMap

PICTURES = DataSpec("dots", "image", Field((2, 9, 12), range=(0.0, 1.0)))


class Point(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x, given):
        return PointMass(self.net(x))


class FromZ(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, noise, given):
        return self.net(noise["z"])


def linear(size, code, corruption=None):
    encoder, decoder = nn.Linear(size, code), nn.Linear(code, size)
    return Autoencoder(Point(encoder), FromZ(decoder), CodeDensity(code), corruption).double()


def fit(model, x, steps, lr=0.02):
    optimizer = torch.optim.Adam(model.nets.parameters(), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        model.loss(Batch(x)).parts["error"].backward()
        optimizer.step()


def test_a_linear_autoencoder_leaves_the_smallest_variances():
    torch.manual_seed(0)
    x = torch.randn(400, 4, dtype=torch.float64) * torch.tensor([3.0, 2.0, 0.5, 0.3])
    model = linear(4, 2)
    fit(model, x, 300, 0.03)
    values = torch.linalg.eigvalsh(x.T.cov(correction=0))
    error = (model.reconstruct(Batch(x)).x - x).square().sum(1).mean()
    assert float(error) == pytest.approx(float(values[:2].sum()), rel=0.02)


def test_a_denoiser_of_gaussian_data_is_the_posterior_mean():
    """x ~ N(0, s^2), noise of width a: E[x | noisy] = noisy s^2 / (s^2 + a^2)."""
    torch.manual_seed(0)
    scale = torch.tensor([2.0, 0.5], dtype=torch.float64)
    x = torch.randn(4000, 2, dtype=torch.float64) * scale
    model = linear(2, 2, Corruption("gaussian", 1.0))
    fit(model, x, 500)
    seen = torch.randn(100, 2, dtype=torch.float64) * 2
    want = seen * scale**2 / (scale**2 + 1)
    torch.testing.assert_close(model.reconstruct(Batch(seen)).x, want, atol=0.15, rtol=0)


def test_an_ambiguous_event_comes_back_as_the_mean():
    torch.manual_seed(0)
    x = torch.tensor([[-1.0], [1.0]]).repeat(500, 1).double()
    model = linear(1, 1, Corruption("masking", 1.0, low=0.0))
    fit(model, x, 200, 0.05)
    assert abs(float(model.reconstruct(Batch(torch.zeros(1, 1).double())).x)) < 0.1


@pytest.mark.parametrize("kind", ["masking", "salt_and_pepper"])
def test_a_corruption_hits_its_share(kind):
    torch.manual_seed(0)
    x = torch.zeros(200, 100)
    hit = Corruption(kind, 0.3)(x)
    assert float((hit != 0).float().mean()) == pytest.approx(0.3, abs=0.02)
    assert set(hit.unique().tolist()) == ({-1.0, 0.0} if kind == "masking" else {-1.0, 0.0, 1.0})
    with pytest.raises(UserError, match="expected a corruption among gaussian, masking, salt_and_pepper"):
        Corruption("pepper")
    with pytest.raises(UserError, match="shares up to 1"):
        Corruption(kind, 1.5)


def feed(density, z, turns=60, size=500):
    for k in range(turns):
        part = z[(k * size) % len(z) :][:size]
        density.solve(density.sums(part, torch.ones(len(part))))


def test_the_density_of_codes_has_their_mean_and_covariance():
    torch.manual_seed(0)
    root = torch.tensor([[1.0, 0.0], [0.9, 0.5]])
    z = torch.randn(10_000, 2) @ root.T + torch.tensor([3.0, -1.0])
    for full in (True, False):
        density = CodeDensity(2, full=full)
        feed(density, z)
        made = density(torch.rand(20_000), torch.randn(20_000, 2))
        want = z.T.cov() if full else torch.diag(z.var(0))
        torch.testing.assert_close(made.T.cov(), want, atol=0.08, rtol=0)
        torch.testing.assert_close(made.mean(0), z.mean(0), atol=0.08, rtol=0)


def test_a_mixture_of_codes_finds_its_components():
    torch.manual_seed(2)
    side = (torch.rand(10_000) < 0.3).float()
    z = 0.3 * torch.randn(10_000, 2) + torch.stack([6 * side - 3, torch.zeros_like(side)], 1)
    density = CodeDensity(2, 2)
    feed(density, z)
    made = density(torch.rand(10_000), torch.randn(10_000, 2))
    assert float((made[:, 0] > 0).float().mean()) == pytest.approx(0.3, abs=0.03)
    assert float(((made[:, 0].abs() - 3).abs() < 1.2).float().mean()) > 0.99


def test_equal_codes_and_a_batch_of_one_are_no_accident():
    for count in (1, 3):
        density = CodeDensity(2, count)
        for _ in range(3):
            density.solve(density.sums(torch.ones(1, 2), torch.ones(1)))
        made = density(torch.rand(5), torch.randn(5, 2))
        assert torch.isfinite(made).all()
        torch.testing.assert_close(made, torch.ones(5, 2), atol=0.1, rtol=0)


@pytest.mark.parametrize(
    "name", [name for name, row in recipes.table().items() if row["family"] in ("vae", "autoencoder")]
)
def test_every_autoencoder_of_pictures_encodes_reconstructs_and_interpolates(name):
    torch.manual_seed(0)
    recipe = recipes.find(name)
    spec = DataSpec("dots", "image", PICTURES.x, {"label": Field((), "class", 2)})
    experiment = recipe.build(spec, recipe.resolve({"width": 4}))
    model, shape = experiment.model, experiment.codec.spec(spec).x.shape
    assert isinstance(model, NoiseMap)
    assert isinstance(model, Encoder)
    given = {"label": torch.tensor([0, 1])}
    batch = Batch(2 * torch.rand(2, *shape) - 1, given)
    with torch.no_grad():
        assert model.reconstruct(batch).x.shape == batch.x.shape
        code = model.encode(batch).mean
        assert len(code) == 2
        noise = model.noise(2)
        ends = {key: torch.lerp(value[:1], value[1:], 0.5) for key, value in noise.items()}
        between = model.push(ends, {"label": torch.tensor([1])}).x
        assert between.shape == (1, *shape)
        if isinstance(model, Bound):
            assert model.log_prob_bound(batch, 2).shape == (2,)
        one = model.push({key: value[:1] for key, value in noise.items()}, {"label": given["label"][:1]}).x
        torch.testing.assert_close(one, model.push(noise, given).x[:1], atol=1e-5, rtol=1e-4)
