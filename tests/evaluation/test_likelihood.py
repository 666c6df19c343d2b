"""Likelihoods in physical units: entropies, changes of unit, levels, bounds and integrals known on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains import open_data
from simulacra.domains.images import ImageCodec
from simulacra.domains.standard import Standardize
from simulacra.domains.toys import TOYS
from simulacra.errors import UserError
from simulacra.evaluation.likelihood import (
    bits_per_dimension,
    bounds,
    dequantised,
    importance_weighted,
    kullback_leibler,
    log_likelihood,
    negative_log_likelihood,
    normalisation,
)
from simulacra.protocols import Bound, Density
from simulacra.surrogate import Surrogate
from simulacra.testing import Unchanged
from simulacra.workflow import fit


class Gaussian:
    """N(mean, sd^2) in each number."""

    def __init__(self, mean: float = 0.0, sd: float = 1.0) -> None:
        self.law = Normal(mean, sd)

    def log_prob(self, batch: Batch) -> Tensor:
        return self.law.log_prob(batch.x).flatten(1).sum(1)


class LinearVAE(nn.Module):
    """z ~ N(0, 1), x | z ~ N(w z, s^2), q(z | x) the exact posterior widened by a factor: log p(x) is known."""

    def __init__(self, w: float = 2.0, s: float = 0.5, widened: float = 1.5) -> None:
        super().__init__()
        self.w, self.s, self.widened = w, s, widened

    def weights(self, batch: Batch, draws: int) -> Tensor:  # [n, draws]
        precision = 1 + self.w**2 / self.s**2
        q = Normal(batch.x * self.w / self.s**2 / precision, self.widened / precision**0.5)
        z = q.mean + q.stddev * torch.randn(len(batch), draws)
        return Normal(0.0, 1.0).log_prob(z) + Normal(self.w * z, self.s).log_prob(batch.x) - q.log_prob(z)

    def log_prob_bound(self, batch: Batch, draws: int = 1) -> Tensor:
        return self.weights(batch, draws).logsumexp(1) - math.log(draws)

    def exact(self, batch: Batch) -> Tensor:
        return Normal(0.0, math.hypot(self.w, self.s)).log_prob(batch.x).sum(1)

    def gap(self) -> float:
        """KL(q | posterior), by which the bound of one draw falls short on average."""
        return 0.5 * (self.widened**2 - 1) - math.log(self.widened)


def flow(tmp_path, toy: str, rounds: int, **arguments) -> Surrogate:
    shape = {"layers": 4, "hidden": (32,), "decay": 0.98, **arguments}
    size = {"rows": 6000, "rounds": rounds, "batch_size": 256, "threads": 1}
    return fit("realnvp", f"toys:{toy}", tmp_path / toy, arguments=shape, **size)


def test_the_truth_stands_on_its_floor():
    x = torch.randn(4000, 1, generator=torch.Generator().manual_seed(0))
    log_prob = log_likelihood(Gaussian(), Unchanged(), Batch(x))
    found = negative_log_likelihood(log_prob, exact=Normal(0.0, 1.0).log_prob(x)[:, 0])
    assert found.value == pytest.approx(found.floor, abs=1e-6)
    assert found.value == pytest.approx(0.5 * math.log(2 * math.pi * math.e), abs=4 * found.error)
    assert found.error == pytest.approx(math.sqrt(0.5 / 4000), rel=0.1)  # Var(x^2 / 2) = 1/2
    assert found.unit == "nats/event"
    assert math.isnan(negative_log_likelihood(log_prob).floor)


def test_a_wrong_width_costs_its_divergence():
    x = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(1))
    batch, truth = Batch(x), Normal(0.0, 1.0).log_prob(x).sum(1)
    want = 3 * (math.log(2) + 1 / 8 - 0.5)
    found = kullback_leibler(log_likelihood(Gaussian(0.0, 2.0), Unchanged(), batch), truth)
    assert found.value == pytest.approx(want, abs=4 * found.error)
    assert found.above_floor > 20
    apart = negative_log_likelihood(log_likelihood(Gaussian(0.0, 2.0), Unchanged(), batch), truth)
    assert apart.excess == pytest.approx(found.value)
    assert found.error < 0.8 * math.hypot(apart.error, apart.floor_error)
    assert kullback_leibler(truth, truth).value == 0


def test_weights_are_repetitions():
    log_prob, times = np.array([-1.0, -3.0, -2.0]), np.array([2, 1, 3])
    assert negative_log_likelihood(log_prob, weights=times).value == pytest.approx(np.repeat(-log_prob, times).mean())
    with pytest.raises(UserError, match="expected 3 weights"):
        negative_log_likelihood(log_prob, weights=[1.0])


@pytest.mark.parametrize("scale", [0.01, 1.0, 1000.0])
def test_units_of_the_codec_do_not_count(scale: float):
    x = 5 + 2 * torch.randn(500, 2, generator=torch.Generator().manual_seed(2))
    physical = Batch(x * scale)
    codec = Standardize(DataSpec("points", "vector", Field((2,)), rows=500))
    codec.fit([physical])
    ours = log_likelihood(Gaussian(), codec, physical)
    fitted = Normal(codec.x.mean.double(), codec.x.deviation.double())
    assert torch.allclose(ours, fitted.log_prob(physical.x.double()).sum(1), atol=1e-4)
    codec.fit([Batch(x)])
    one = log_likelihood(Gaussian(), codec, Batch(x))
    assert torch.allclose(ours, one - 2 * math.log(scale), atol=1e-3)


def test_pieces_do_not_count():
    x = torch.randn(50, 2)
    whole = log_likelihood(Gaussian(), Unchanged(), Batch(x))
    assert torch.equal(whole, log_likelihood(Gaussian(), Unchanged(), Batch(x), block=7))
    bound = LinearVAE()
    again = [log_likelihood(bound, Unchanged(), Batch(x[:, :1]), draws=3, seed=s) for s in (1, 1, 2)]
    assert torch.equal(again[0], again[1])
    assert not torch.equal(again[0], again[2])


def test_uniform_levels_cost_their_logarithm():
    class Uniform:
        def log_prob(self, batch: Batch) -> Tensor:  # on (-1, 1)
            return torch.where((batch.x.abs() <= 1).flatten(1).all(1), -batch.x[0].numel() * math.log(2), -math.inf)

    grey = torch.randint(256, (40, 1, 6, 6)) / 255
    codec = ImageCodec(DataSpec("dots", "image", Field((1, 6, 6), levels=256)), size=0, dequantise=True)
    found = bits_per_dimension(log_likelihood(Uniform(), codec, Batch(grey)), size=36, width=1 / 255)
    assert found.value == pytest.approx(8, abs=1e-5)
    assert found.unit == "bits/dim"


def test_blurred_levels_are_an_upper_limit():
    """The density of blurred levels charges at least what the probabilities of the levels do (Jensen)."""
    law, width = Normal(0.0, 1.0), 1.5
    level = (torch.randn(20_000, 1, generator=torch.Generator().manual_seed(3)) / width).floor() * width
    blurred = dequantised(Batch(level), width)
    found = bits_per_dimension(log_likelihood(Gaussian(), Unchanged(), blurred), size=1, width=width)
    own = -(law.cdf(level + width) - law.cdf(level)).double().log2().mean().item()
    assert 0 < found.value - own < 0.3
    assert found.value - own > 4 * found.error
    fine = (level / 0.01).floor() * 0.01
    near = bits_per_dimension(log_likelihood(Gaussian(), Unchanged(), dequantised(Batch(fine), 0.01)), 1, 0.01)
    own = -(law.cdf(fine.double() + 0.01) - law.cdf(fine.double())).log2().mean().item()
    assert near.value == pytest.approx(own, abs=1e-2)


def test_bounds_close_in_on_the_exact_density():
    model = LinearVAE()
    assert isinstance(model, Bound)
    assert not isinstance(model, Density)
    x = math.hypot(model.w, model.s) * torch.randn(3000, 1, generator=torch.Generator().manual_seed(4))
    exact = model.exact(Batch(x))
    found = bounds(model, Unchanged(), Batch(x), (1, 10, 300), exact)
    assert list(found) == ["nll/bound_1", "nll/bound_10", "nll/bound_300"]
    first, second, last = (
        kullback_leibler(log_likelihood(model, Unchanged(), Batch(x), draws=k), exact) for k in (1, 10, 300)
    )
    assert first.value == pytest.approx(model.gap(), abs=4 * first.error)
    assert first.value > second.value > last.value
    assert last.value == pytest.approx(0, abs=4 * last.error + 2e-3)
    assert found["nll/bound_300"].value == pytest.approx(found["nll/bound_300"].floor, abs=5e-3)


def test_the_log_of_an_average_is_biased_low():
    spread, count = 0.5, 50
    logs = spread * np.random.default_rng(5).normal(size=(60_000, count)) - 3
    found = importance_weighted(logs, exact=np.full(60_000, -3 + spread**2 / 2))
    nll, bias = found[f"nll/importance_{count}"], found[f"nll/bias_{count}"]
    want = (math.exp(spread**2) - 1) / (2 * count)
    assert bias.value == pytest.approx(want, rel=0.03)
    assert nll.excess == pytest.approx(want, abs=4 * nll.error)
    assert nll.excess > 4 * nll.error
    assert importance_weighted(np.full((3, 4), -2.0))["nll/bias_4"].value == 0


@pytest.mark.parametrize("dimensions", [1, 2])
def test_densities_integrate_to_one(dimensions: int):
    codec = Standardize(DataSpec("points", "vector", Field((dimensions,)), rows=2))
    codec.fit([Batch(torch.tensor([[1.0] * dimensions, [5.0] * dimensions]))])
    box = [(-17.0, 23.0)] * dimensions
    found = normalisation(Gaussian(), codec, box)
    assert found.value == pytest.approx(1, abs=1e-5)
    assert found.floor == 1
    half = normalisation(Gaussian(), codec, [(3.0, 23.0)] + box[1:])
    assert half.value == pytest.approx(0.5, abs=2 * half.error + 1e-5)

    class Doubled(Gaussian):
        def log_prob(self, batch: Batch) -> Tensor:
            return super().log_prob(batch) + math.log(2)

    assert normalisation(Doubled(), codec, box).above_floor > 100


def test_trained_flow_reaches_the_entropy(tmp_path):
    toy = flow(tmp_path, "gaussian", 80, layers=2, hidden=(16,))
    held = TOYS["gaussian"].sample(3000, seed=99)
    exact = TOYS["gaussian"].log_prob(held)
    log_prob = log_likelihood(toy.experiment.model, toy.experiment.codec, Batch(held))
    nats = negative_log_likelihood(log_prob, exact)
    assert nats.floor == pytest.approx(math.log(2 * math.pi * math.e), abs=4 * nats.floor_error)
    assert abs(kullback_leibler(log_prob, exact).value) < 0.03
    area = normalisation(toy.experiment.model, toy.experiment.codec, [(-8.0, 8.0)] * 2, points=201)
    assert area.value == pytest.approx(1, abs=max(3 * area.error, 1e-3))


def test_training_lowers_the_divergence(tmp_path):
    data = open_data("toys:moons", rows=2000, seed=7)[:]
    exact = TOYS["moons"].log_prob(data.x)
    found = []
    for rounds in (1, 150):
        toy = flow(tmp_path / str(rounds), "moons", rounds)
        log_prob = log_likelihood(toy.experiment.model, toy.experiment.codec, data)
        found.append(kullback_leibler(log_prob, exact))
    assert found[0].value > found[1].value + 10 * found[0].error
    assert found[1].above_floor > 3  # not yet the truth, and this shows


def test_messages():
    with pytest.raises(UserError, match=r"log_prob or log_prob_bound, came Unchanged"):
        log_likelihood(Unchanged(), Unchanged(), Batch(torch.zeros(1, 1)))
    with pytest.raises(UserError, match="density zero for 1 of 2"):
        negative_log_likelihood([-1.0, -np.inf])
    with pytest.raises(UserError, match="expected finite"):
        negative_log_likelihood([-1.0, np.nan])
    with pytest.raises(UserError, match="same events"):
        kullback_leibler([-1.0], [-1.0, -2.0])
    with pytest.raises(UserError, match="box of 1 or 2"):
        normalisation(Gaussian(), Unchanged(), [(0.0, 1.0)] * 3)
    with pytest.raises(UserError, match="draws of 2 or more"):
        importance_weighted([[1.0]])
    with pytest.raises(UserError, match="positive size and width"):
        bits_per_dimension([-1.0], 0)
