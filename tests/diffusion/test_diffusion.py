"""Diffusion: predictions invert, an ideal denoiser gives the right events through every sampler, bounds hold."""

import math

import pytest
import torch

from simulacra.batch import Batch, DataSpec, Field
from simulacra.diffusion import (
    EDM,
    Ancestral,
    Chain,
    DeterministicChain,
    Diffusion,
    DiffusionChain,
    FlowDiffusion,
    ProbabilityFlow,
    Straight,
    VarianceExploding,
    VariancePreserving,
)
from simulacra.diffusion.pairing import optimal_pairing
from simulacra.diffusion.paths import Place, cosine_betas, linear_betas
from simulacra.diffusion.predictions import KINDS, convert, denoised, prediction, slope
from simulacra.diffusion.weightings import likelihood, measured_in, min_snr
from simulacra.errors import UserError
from simulacra.networks.denoisers import DenseDenoiser
from simulacra.networks.unet import UNet
from simulacra.protocols import Bound, Density, NoiseMap, Sampler
from simulacra.recipes.ddpm import ddpm
from simulacra.recipes.flow_matching import flow_matching
from simulacra.recipes.score_sde import score_sde

PATHS = {
    "preserving": VariancePreserving(),
    "exploding": VarianceExploding(),
    "edm": EDM(),
    "straight": Straight(),
    "chain": Chain("linear", 1000),
    "cosine": Chain("cosine", 1000),
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_predictions_invert(path):
    """Every kind gives event and noise back, and any kind becomes any other one."""
    torch.manual_seed(1)
    t = path.draw(200, torch.zeros(1)).clamp(0.05, 0.95).double()
    place = Place(*(value.double() for value in path.at(t)))
    data, noise = torch.randn(2, 200, 3, dtype=torch.float64)
    wide = place.beside(data)
    x = wide.alpha * data + wide.sigma * noise
    for kind in KINDS:
        value = prediction(kind, data, noise, place)
        back = denoised(kind, value, x, place)
        assert torch.allclose(back.data, data, atol=1e-9), kind
        assert torch.allclose(back.noise, noise, atol=1e-9), kind
        for into in KINDS:
            there = convert(value, x, place, kind, into)
            assert torch.allclose(there, prediction(into, data, noise, place), atol=1e-8), (kind, into)
        moved = prediction(kind, data + 1, (x - wide.alpha * (data + 1)) / wide.sigma, place)
        assert torch.allclose((moved - value).abs(), slope(kind, place)[:, None].expand(200, 3), rtol=1e-6), kind


@pytest.mark.parametrize("path", [VariancePreserving(), VarianceExploding(), EDM(), Straight()], ids=lambda p: type(p))
def test_rates_are_derivatives(path):
    t = torch.linspace(0.1, 0.9, 9, dtype=torch.float64)
    low, here, high = path.at(t - 1e-5), path.at(t), path.at(t + 1e-5)
    assert torch.allclose((high.alpha - low.alpha) / 2e-5, here.alpha_rate, rtol=1e-6)
    assert torch.allclose((high.sigma - low.sigma) / 2e-5, here.sigma_rate, rtol=1e-6)


def test_schedules():
    assert (1 - linear_betas()).prod().item() == pytest.approx(4.036e-5, rel=1e-3)  # T = 1000, rounded 4.04e-5
    assert Chain().alphas[-1].item() ** 2 == pytest.approx(4.036e-5, rel=1e-3)
    assert torch.allclose(Chain().alphas.square() + Chain().sigmas.square(), torch.ones(1001), atol=1e-6)
    middle = (1 - cosine_betas()[:500]).prod().item()  # cos^2(pi / 2 (0.5 + s) / (1 + s)) / cos^2(pi / 2 s / (1 + s))
    assert middle == pytest.approx(math.cos(math.pi / 2 * 0.508 / 1.008) ** 2 / math.cos(0.004 * math.pi / 1.008) ** 2)
    with pytest.raises(UserError, match="linear or cosine"):
        Chain("square")
    with pytest.raises(UserError, match="at most the 10 steps"):
        Chain("linear", 10).grid(11)


def test_the_chain_step_by_step_is_the_chain_at_once():
    """x_t = sqrt(1 - beta) x_{t-1} + sqrt(beta) e, T times, from x_0 = 2."""
    mean, variance, chain = 2.0, 0.0, Chain("linear", 50)
    for t in range(1, 51):
        beta = chain.betas[t].item()
        mean, variance = math.sqrt(1 - beta) * mean, (1 - beta) * variance + beta
        assert mean == pytest.approx(2 * chain.alphas[t].item(), rel=1e-5)
        assert variance == pytest.approx(chain.sigmas[t].item() ** 2, rel=1e-5)


def test_preconditioning_of_a_preserving_path_is_its_velocity():
    place = Chain().at(torch.tensor([0.3]))
    data, noise = torch.randn(2, 1, 4)
    assert torch.allclose(prediction("preconditioned", data, noise, place), -prediction("velocity", data, noise, place))


class Perfect(torch.nn.Module):
    """Predicts the noise of events of N(0, variance) exactly."""

    def __init__(self, variance):
        super().__init__()
        self.variance = torch.nn.Parameter(torch.tensor(variance))

    def forward(self, x, label, given={}, keep=None):
        ratio = (4 * label).exp().view(-1, 1)  # sigma / alpha; x comes divided by the root of alpha^2 + sigma^2
        a, s = 1 / (1 + ratio.square()).sqrt(), ratio / (1 + ratio.square()).sqrt()
        return s * x / (a.square() * self.variance + s.square())


def told(guidance, drop=0.2, kind=DeterministicChain):
    torch.manual_seed(0)
    network = DenseDenoiser((2,), {"label": Field((), "class", 3)}, hidden=8, depth=1)
    torch.nn.init.normal_(network.exit.weight, std=0.5)
    return kind(network, (2,), Chain(), "noise", Ancestral(5, 0.0), drop=drop, guidance=guidance)


def test_guidance_of_weight_one_is_no_guidance():
    given, noise = {"label": torch.tensor([0, 1, 2])}, {"z": torch.randn(3, 2)}
    plain, none, strong = (told(g).push(noise, given).x for g in (1.0, 0.0, 3.0))
    one = told(1.0)
    one.guidance = 1.0 + 1e-6
    assert torch.allclose(one.push(noise, given).x, plain, atol=1e-4)
    assert not torch.allclose(strong, plain, atol=1e-3)
    other = told(0.0).push(noise, {"label": torch.tensor([1, 2, 0])}).x
    assert torch.equal(none, other), "at weight 0 the conditions do nothing"
    assert (told(1.0).evaluations, told(2.0).evaluations) == (5, 10)
    with pytest.raises(UserError, match="guidance"):
        told(2.0, drop=0.0)


def test_events_taken_in_parts_are_those_taken_together(monkeypatch):
    """Each keeps its start and its conditions, whatever goes through the sampler with it."""
    model, given = told(1.0), {"label": torch.arange(7) % 3}
    torch.manual_seed(3)
    together = model.sample(7, given).x
    monkeypatch.setattr("simulacra.diffusion.diffusion.CACHE", 6)
    torch.manual_seed(3)
    assert torch.allclose(model.sample(7, given).x, together, rtol=1e-5)
    torch.manual_seed(3)
    assert not torch.allclose(model.sample(7, {"label": given["label"].flip(0)}).x, together, rtol=1e-4)
    assert model.sample(0, {"label": given["label"][:0]}).x.shape == (0, 2)


def test_protocols():
    parts = DenseDenoiser((2,), hidden=8), (2,)
    chain = DiffusionChain(*parts, Chain(), "noise", Ancestral(5))
    assert isinstance(chain, Sampler) and isinstance(chain, Bound) and not isinstance(chain, NoiseMap)  # noqa: PT018
    assert isinstance(told(1.0), NoiseMap) and isinstance(told(1.0), Bound)  # noqa: PT018
    flow = FlowDiffusion(*parts, Straight(), "velocity", ProbabilityFlow(5))
    assert isinstance(flow, NoiseMap) and isinstance(flow, Density)  # noqa: PT018


@pytest.mark.parametrize("path", [VariancePreserving(), Straight(), EDM()], ids=["vp", "straight", "edm"])
def test_the_density_of_the_probability_flow(path):
    """Exact for a Gaussian; Hutchinson's estimate is unbiased; and it is 1 over the plane for any network."""
    torch.manual_seed(0)
    exact = FlowDiffusion(Perfect(0.6), (2,), path, "noise", ProbabilityFlow(10)).double()
    if isinstance(path, Straight):
        exact.kind = "velocity"
        exact.network = _Velocity(exact.network)
    x = 0.6**0.5 * torch.randn(200, 2, dtype=torch.float64)
    want = torch.distributions.Normal(0.0, 0.6**0.5).log_prob(x).sum(1)
    assert (exact.log_prob(Batch(x)) - want).abs().max() < 3e-3
    assert (exact.log_prob(Batch(x), draws=2) - want).abs().mean() < 3e-3  # a diagonal Jacobian: no variance


class _Velocity(torch.nn.Module):
    """The velocity on straight lines of a network that predicts noise."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x, label, given={}, keep=None):
        ratio = (4 * label).exp().view(-1, 1).double()
        t = ratio / (1 + ratio)
        size = ((1 - t).square() + t.square()).sqrt()
        place = Straight().at(t[:, 0])
        variance = self.network.variance
        data = (1 - t) * variance * size * x / ((1 - t).square() * variance + t.square())
        noise = t * size * x / ((1 - t).square() * variance + t.square())
        return prediction("velocity", data, noise, place)


def test_a_random_flow_integrates_to_one():
    torch.manual_seed(3)
    network = DenseDenoiser((2,), hidden=8, depth=1)
    torch.nn.init.normal_(network.exit.weight, std=0.3)
    flow = FlowDiffusion(network, (2,), VariancePreserving(), "velocity", ProbabilityFlow(5))
    flow.kind = "preconditioned"
    line = torch.linspace(-8, 8, 81)
    total = flow.log_prob(Batch(torch.cartesian_prod(line, line)), steps=40).double().exp().sum() * 0.04
    assert total == pytest.approx(1, abs=0.01)


def test_weightings_measure_the_same_error_whatever_is_predicted():
    place = VariancePreserving().at(torch.tensor([0.1, 0.5, 0.9]))
    for weighting in (measured_in("data"), measured_in("score"), min_snr(), likelihood):
        seen = [weighting(kind, place) * slope(kind, place).square() for kind in KINDS]
        assert all(torch.allclose(one, seen[0], rtol=1e-4) for one in seen)
    b = 0.1 + 0.5 * 19.9
    assert likelihood("score", place)[1].item() == pytest.approx(b / 2, rel=1e-5)  # g^2 = b(t)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 28), (2, 7, 5)])
def test_the_unet_takes_pictures_of_any_size(shape):
    network = UNet(shape, {"label": Field((), "class", 3)}, base=4)
    x, given = torch.randn(2, *shape), {"label": torch.tensor([0, 2])}
    assert network(x, torch.zeros(2), given).abs().max() == 0
    torch.nn.init.normal_(network.exit.weight)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    same, level, label, blind = (
        network(x, c, {"label": torch.tensor(k)}, keep)
        for c, k, keep in [
            (torch.zeros(2), [0, 2], None),
            (torch.ones(2), [0, 2], None),
            (torch.zeros(2), [1, 2], None),
            (torch.zeros(2), [1, 2], torch.tensor([1.0, 0.0])),
        ]
    )
    assert same.shape == x.shape
    assert not torch.allclose(same, level)
    assert not torch.allclose(same[0], label[0])
    assert torch.allclose(same[1], label[1], atol=1e-5)
    assert not torch.allclose(blind[1], label[1])


def test_rare_events():
    """One event, constant numbers, large values and weights: finite losses, and weights count."""
    torch.manual_seed(0)
    model = Diffusion(DenseDenoiser((2,), hidden=8), (2,), EDM(), "preconditioned", ProbabilityFlow(3))
    for x in (torch.zeros(1, 2), torch.full((4, 2), 1e6), torch.ones(3, 2)):
        assert math.isfinite(model.loss(Batch(x)).parts["denoising"].item())
    x = torch.tensor([[0.0, 0.0], [1e4, 1e4]])
    assert model.loss(Batch(x, weight=torch.tensor([1.0, 0.0]))).parts["denoising"] < 100
    assert torch.isfinite(model.sample(3).x).all()


def test_paired_noise_is_nearer_and_the_same_set():
    torch.manual_seed(0)
    x, e = torch.randn(2, 64, 3)
    order = optimal_pairing(x, e)
    assert torch.equal(order.sort().values, torch.arange(64))
    assert (x - e[order]).square().sum() < 0.5 * (x - e).square().sum()
    line = torch.randn(20, 1)
    assert torch.equal(optimal_pairing(line.sort(0).values, line), line[:, 0].argsort())
    with pytest.raises(UserError, match="without conditions"):
        flow_matching(DataSpec("told", "vector", Field((2,)), {"label": Field((), "class", 3)}), paired=True)


def test_recipes_say_what_they_do_not_know():
    points = DataSpec("points", "vector", Field((2,)))
    with pytest.raises(UserError, match="preserving, exploding"):
        score_sde(points, sde="preserve")
    with pytest.raises(UserError, match="at most the 10 steps"):
        ddpm(points, chain=10, steps=20)
    with pytest.raises(UserError, match="prediction among"):
        ddpm(points, prediction="epsilon")
    with pytest.raises(UserError, match="1 step or more of euler"):
        score_sde(points, solver="dopri5")
    with pytest.raises(UserError, match="1 step or more and eta"):
        ddpm(points, eta=2.0)
    assert isinstance(score_sde(points).model, Density)
    assert not isinstance(flow_matching(DataSpec("dots", "image", Field((1, 8, 8)))).model, Density)


def test_noise_paired_with_weighted_events_is_that_from_which_samples_start():
    """Two bumps, one three times as heavy: had the loss weighed the noise, its mean would be -0.4."""
    torch.manual_seed(0)
    side = torch.arange(256) % 2
    batch = Batch(torch.where(side == 0, -1.0, 1.0)[:, None], weight=torch.where(side == 0, 1.5, 0.5))
    seen: list[torch.Tensor] = []

    def pairing(x: torch.Tensor, e: torch.Tensor) -> torch.Tensor:
        order = optimal_pairing(x, e)
        seen.append(torch.stack([x[:, 0], e[order][:, 0]]))
        return order

    model = Diffusion(DenseDenoiser((1,), hidden=4), (1,), Straight(), "velocity", ProbabilityFlow(2), pairing=pairing)
    losses = [model.loss(batch) for _ in range(40)]
    x, e = torch.cat(seen, 1)
    assert float((x < 0).double().mean()) == pytest.approx(0.75, abs=0.02)
    assert float(e.mean()) == pytest.approx(0, abs=0.04)
    assert float(e.std()) == pytest.approx(1, abs=0.03)
    assert all(torch.isfinite(loss.parts["denoising"]) for loss in losses)
    with pytest.raises(UserError, match="weights of at least 0"):
        model.loss(Batch(batch.x, weight=batch.x[:, 0]))
