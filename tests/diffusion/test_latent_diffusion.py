"""Latent diffusion: codes of unit size, a first stage that stays as it is, and the covariance that a code can keep."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from simulacra.autoencoders import VAE
from simulacra.batch import Batch
from simulacra.diffusion import EDM, DeterministicDiffusion, ProbabilityFlow
from simulacra.diffusion.latent import CodeScale, LatentDiffusion, MapDecoder, MapEncoder
from simulacra.distributions import Gaussian, StandardNormalPrior
from simulacra.domains import open_data
from simulacra.networks.encoder import PointMass
from simulacra.protocols import Encoder, NoiseMap
from simulacra.recipes.latent_diffusion import latent_diffusion
from simulacra.testing import streams_for
from simulacra.training.game import Clock
from simulacra.training.loop import train


class Linear(nn.Module):
    """The first K principal axes as an autoencoder: z = W^T (x - mean), x = mean + W z."""

    def __init__(self, mean, covariance, size):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("axes", torch.linalg.eigh(covariance)[1].flip(1)[:, :size])
        self.back = False

    def forward(self, x, given):
        return self.mean + x["z"] @ self.axes.T if self.back else PointMass((x - self.mean) @ self.axes)


class Normal(nn.Module):
    """The preconditioned prediction that is right for codes of unit variance without correlation: zero."""

    def __init__(self):
        super().__init__()
        self.size = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x, label, given, keep=None):
        return 0 * x + self.size


def linear_model(size):
    torch.manual_seed(0)
    root, mean = torch.randn(4, 4, dtype=torch.float64), torch.tensor([3.0, -1.0, 0.0, 8.0], dtype=torch.float64)
    covariance = root @ root.T
    encoder, decoder = Linear(mean, covariance, size), Linear(mean, covariance, size)
    decoder.back = True
    autoencoder = VAE(encoder, decoder, Gaussian(1.0), StandardNormalPrior(size))
    diffusion = DeterministicDiffusion(Normal(), (size,), EDM(), "preconditioned", ProbabilityFlow(40))
    model = LatentDiffusion(autoencoder, diffusion, CodeScale((size,))).double()
    x = mean + torch.randn(40_000, 4, dtype=torch.float64) @ root.T
    return model, x, mean, covariance


@pytest.mark.parametrize("size", [4, 2])
def test_a_linear_code_and_an_ideal_denoiser_give_the_principal_covariance(size):
    """All of the covariance with as many codes as numbers, its K largest axes with K codes."""
    model, x, mean, covariance = linear_model(size)
    for part in x.split(8000):
        model.scale.solve(model.collect(Batch(part)))
    values, axes = torch.linalg.eigh(covariance)
    kept = (axes * torch.where(torch.arange(4) >= 4 - size, values, 0.0)) @ axes.T
    torch.manual_seed(1)
    made = model.sample(40_000).x
    assert torch.allclose(made.mean(0), mean, atol=0.06)
    assert torch.allclose(torch.cov(made.T), kept, atol=0.03 * float(values.max()))
    back = mean + (x - mean) @ torch.linalg.solve(covariance, kept)
    assert torch.allclose(model.reconstruct(Batch(x)).x, back, atol=1e-8)


def test_scaled_codes_have_unit_size_map_by_map_and_come_back():
    torch.manual_seed(0)
    z = torch.randn(600, 3 * 4) * torch.tensor([1.0, 30.0, 0.01]).repeat_interleave(4) + 5
    weight = torch.rand(600)
    scale = CodeScale((3, 2, 2))
    for rows in (slice(0, 100), slice(100, 600)):
        scale.solve(scale.sums(z[rows], weight[rows]))
    codes = scale(z)
    share = (weight / weight.sum())[:, None]
    maps = codes.flatten(2)
    assert codes.shape == (600, 3, 2, 2)
    assert torch.allclose((share * maps.mean(2)).sum(0), torch.zeros(3), atol=2e-3)
    assert torch.allclose((share * maps.square().mean(2)).sum(0), torch.ones(3), atol=1e-2)
    assert torch.allclose(scale.back(codes), z, atol=1e-4)


def test_codes_that_never_vary_keep_a_scale_of_one():
    scale = CodeScale((2,))
    scale.solve(scale.sums(torch.tensor([[7.0, 1.0]]).expand(50, 2), torch.ones(50)))
    assert scale.deviation.tolist() == [1.0, 1.0]
    assert torch.isfinite(scale(torch.tensor([[7.0, 1.0]]))).all()


def test_maps_go_there_and_back_in_the_same_order():
    """A code that is changed at one place changes the picture around that place only."""
    torch.manual_seed(0)
    decoder, encoder = MapDecoder((1, 24, 40), 2, 4), MapEncoder((1, 24, 40), 2, 4)
    z = encoder(torch.rand(1, 1, 24, 40)).mean.detach()
    assert z.shape == (1, 2 * 6 * 10)
    other = z.clone()
    other.view(1, 2, 6, 10)[0, :, 0, 9] += 10
    moved = (decoder({"z": z}) - decoder({"z": other})).abs()[0, 0] > 1e-6
    assert moved[:4, 36:].any()
    assert not moved[16:].any()
    assert not moved[:, :24].any()


def test_the_first_stage_is_frozen_and_the_second_waits_for_it():
    data: Any = open_data("toys:ring8", rows=500)
    torch.manual_seed(0)
    experiment: Any = latent_diffusion(data.spec, width=8, hidden=8, batch_size=32, first=0.5, rounds=10)
    experiment.clock = Clock(0, 10)
    first, live = experiment.learners["live"].autoencoder, experiment.learners["live"]
    history = []
    for _ in train(experiment, streams_for(experiment, data), seed=0):
        history.append([torch.cat([p.detach().flatten() for p in m.parameters()]) for m in (first, live.diffusion)])
        history[-1].append(live.scale.deviation.clone())
    same = [[torch.equal(a[k], b[k]) for a, b in pairwise(history)] for k in range(3)]
    assert same[0] == [False] * 4 + [True] * 5
    assert same[1] == [True] * 4 + [False] * 5
    assert same[2] == [True] * 4 + [False] + [True] * 4
    model = experiment.model
    assert isinstance(model, NoiseMap)
    assert isinstance(model, Encoder)
    assert model.evaluations == 35
    torch.manual_seed(3)
    drawn = model.sample(7).x
    torch.manual_seed(3)
    assert torch.equal(model.push(model.noise(7)).x, drawn)


@pytest.mark.parametrize("column", [0.0, 1e6])
def test_constant_columns_and_large_values_stay_finite(column):
    data: Any = open_data("toys:ring8", rows=200)
    data.batch.x[:, 0] = column
    data.batch.x[:, 1] *= 1e6
    torch.manual_seed(0)
    experiment: Any = latent_diffusion(data.spec, width=8, hidden=8, batch_size=1, rounds=8)
    experiment.clock = Clock(0, 8)
    for step in train(experiment, streams_for(experiment, data), seed=0):
        assert all(torch.isfinite(v).all() for v in step.losses.values())
    assert torch.isfinite(experiment.codec.decode(experiment.model.sample(9)).x).all()
