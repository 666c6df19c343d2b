"""Orthogonal filters and truncated latents."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import norm
from torch import nn

from simulacra.batch import Batch, DataSpec, Field
from simulacra.gan import GAN, Hinge, OrthogonalRegularisation, Pushforward, StandardNormal, TruncatedNormal
from simulacra.networks import critic_for, generator_for, spectrally_normalised
from simulacra.recipes.biggan import biggan
from simulacra.recipes.sagan import sagan

PICTURES = DataSpec("p", "image", Field((1, 8, 8)), {"label": Field((), "class", 3)})


def test_orthogonal_filters_cost_nothing_and_their_lengths_do_not_count():
    net = nn.Sequential(nn.Linear(6, 4), nn.Conv2d(2, 5, 3), nn.ConvTranspose2d(4, 3, 4))
    term = OrthogonalRegularisation(net)
    assert term.overlap() > 0.1
    with torch.no_grad():
        for layer in net:
            rows = layer.weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else layer.weight
            flat = nn.init.orthogonal_(torch.empty(rows.flatten(1).shape)) * (1 + torch.rand(len(rows), 1))
            rows.copy_(flat.view(rows.shape))
    assert term.overlap() < 1e-9


@torch.no_grad()
def test_the_overlap_is_the_sum_over_pairs_of_filters():
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ConvTranspose2d(2, 3, 2))
    want = 0.0
    for filters in (net[0].weight, net[1].weight.transpose(0, 1)):
        rows = filters.reshape(3, -1)
        want += sum(float(rows[i] @ rows[j]) ** 2 for i in range(3) for j in range(3) if i != j)
    assert OrthogonalRegularisation(net).overlap().item() == pytest.approx(want, rel=1e-5)


def test_under_spectral_norm_the_divided_weight_is_meant():
    net = nn.Linear(4, 3)
    plain = OrthogonalRegularisation(net).overlap().item()
    spectrally_normalised(net)
    assert OrthogonalRegularisation(net).overlap().item() == pytest.approx(plain, rel=1e-6)


def test_descending_makes_filters_orthogonal():
    net = nn.Linear(8, 4)
    term, optimizer = OrthogonalRegularisation(net), torch.optim.SGD(net.parameters(), 0.05)
    for _ in range(300):
        optimizer.zero_grad()
        term.overlap().backward()
        optimizer.step()
    assert term.overlap() < 1e-4
    assert net.weight.norm() > 0.5


def test_the_generator_pays_beta_times_the_overlap():
    spec = DataSpec("plane", "vector", Field((2,)))
    net = generator_for(spec, 2, hidden=(8,))
    term = OrthogonalRegularisation(net, 0.01)
    game = GAN(net, critic_for(spec, hidden=(8,)), Hinge(), StandardNormal(2), generator_terms=[term])
    parts = game.generator_loss(Batch(torch.randn(5, 2))).parts
    assert parts["orthogonality"].item() == pytest.approx(0.01 * term.overlap().item())


@pytest.mark.parametrize("limit", [0.3, 1.0, 2.0])
def test_a_truncated_normal_is_a_normal_inside_its_limit(limit):
    z = TruncatedNormal(10, limit).draw(20_000)
    assert z.abs().max() <= limit
    assert abs(z.mean()) < 4 * limit / math.sqrt(z.numel())
    variance = 1 - 2 * limit * norm.pdf(limit) / (2 * norm.cdf(limit) - 1)
    assert z.square().mean().item() == pytest.approx(variance, rel=0.02)
    kept = (whole := torch.randn(200_000))[whole.abs() <= limit]
    levels = torch.tensor([0.1, 0.5, 0.9])
    assert torch.allclose(z.flatten()[:100_000].quantile(levels), kept.quantile(levels), atol=0.02 * limit + 0.01)


def test_latents_are_shorter_the_more_they_are_truncated():
    norms = [TruncatedNormal(64, limit).draw(500).norm(dim=1).mean().item() for limit in (0.1, 0.5, 1.0, 2.0, 100.0)]
    assert norms == sorted(norms)
    assert norms[-1] == pytest.approx(8.0, rel=0.02)


def test_truncation_is_of_the_samples_and_not_of_the_training():
    experiment = biggan(PICTURES, width=2, latent=4, shared=3, truncation=0.2)
    model, game = experiment.model, experiment.learners.get_submodule("game")
    assert isinstance(model, Pushforward)
    assert isinstance(game, GAN)
    assert model.noise(200)["z"].abs().max() <= 0.2
    assert game.noise(200)["z"].abs().max() > 1


def spread(model, given):
    return model.sample(400, given).x.var(0).mean().item()


def test_truncated_events_are_more_alike():
    model = biggan(PICTURES, width=2, latent=4).model
    given = {"label": torch.zeros(400, dtype=torch.long)}
    near = Pushforward(model.get_submodule("generator"), TruncatedNormal(4, 0.1))
    assert spread(near, given) < 0.2 * spread(model, given)


@pytest.mark.parametrize("recipe", [sagan, biggan])
@pytest.mark.parametrize(
    "given",
    [{}, {"label": Field((), "class", 3), "energy": Field((2,)), "angle": Field((1,))}],
    ids=["none", "several"],
)
def test_both_recipes_take_no_condition_or_several(recipe, given):
    experiment = recipe(DataSpec("p", "image", Field((3, 16, 16)), given), width=2, latent=4)
    told = {"label": torch.arange(6) % 3, "energy": torch.randn(6, 2), "angle": torch.randn(6, 1)} if given else {}
    batch = Batch(torch.rand(6, 3, 16, 16), told)
    for player in experiment.players:
        assert all(torch.isfinite(part) for part in player.loss(batch).parts.values())
    assert experiment.model.sample(6, told).x.shape == (6, 3, 16, 16)
    norms = [name for name, _ in experiment.players[0].trains.named_buffers() if name.endswith("_u")]
    assert len(norms) > 10
    assert any(name.endswith("_u") for name, _ in experiment.players[1].trains.named_buffers())
