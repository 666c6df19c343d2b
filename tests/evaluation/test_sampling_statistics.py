"""Weights and chains: log-normal weights, linear densities and first-order autoregressive chains, known on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.signal import lfilter
from scipy.special import erfc
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal

from simulacra.batch import Batch, DataSpec, Field, Given
from simulacra.domains.standard import Standardize
from simulacra.errors import UserError
from simulacra.evaluation.sampling import (
    acceptance,
    autocorrelation,
    autocorrelation_time,
    chain_mean,
    effective_sample_size,
    metropolised,
    robust_maximum,
    unweighting_efficiency,
    weighed,
)
from simulacra.recipes.realnvp import realnvp
from simulacra.testing import Rows, Unchanged, streams_for
from simulacra.training.loop import train


def lognormal(n: int, spread: float, seed: int = 0) -> np.ndarray:
    return spread * np.random.default_rng(seed).normal(size=n)


def first_order(steps: int, keep: float, seed: int = 0, chains: int = 1) -> np.ndarray:
    """x_t = keep x_(t-1) + noise, stationary from the start; [chains, steps]."""
    noise = np.random.default_rng(seed).normal(size=(chains, steps))
    noise[:, 0] /= math.sqrt(1 - keep**2)
    return lfilter([1.0], [1.0, -keep], noise)


@pytest.mark.parametrize("spread", [0.2, 0.5, 0.8])
def test_ess_of_lognormal_weights(spread: float):
    found = effective_sample_size(lognormal(200_000, spread))
    assert found.value == pytest.approx(math.exp(-(spread**2)), abs=4 * found.error)
    assert effective_sample_size(lognormal(200_000, spread) + 700).value == pytest.approx(found.value)


def test_ess_of_equal_weights_is_one():
    found = effective_sample_size(torch.full((50,), -3.0))
    assert (found.value, found.error, found.floor) == (1.0, 0.0, 1.0)
    assert effective_sample_size([0.0] + [-np.inf] * 9).value == pytest.approx(0.1)


@pytest.mark.parametrize(
    "metric", [effective_sample_size, lambda w: unweighting_efficiency(w, 0.01)], ids=["ess", "unweighting"]
)
def test_errors_of_weights_are_the_spread_of_repetitions(metric):
    found = [metric(lognormal(2000, 0.4, seed)) for seed in range(300)]
    spread = np.std([m.value for m in found], ddof=1)
    assert np.mean([m.error for m in found]) == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize("overweight", [0.0, 0.001, 0.04])
def test_unweighting_of_a_linear_density(overweight: float):
    w = 2 * np.random.default_rng(1).random(100_000)  # p = 2 x thrown uniformly; E max(w - m, 0) = (2 - m)^2 / 4
    top = 2 - 2 * math.sqrt(overweight)
    found = unweighting_efficiency(np.log(w), overweight)
    assert robust_maximum(w, overweight) == pytest.approx(top, abs=0.01)
    assert found.value == pytest.approx((1 - overweight) / top, abs=4 * found.error + 1e-4)
    assert found.value == pytest.approx(np.minimum(1, w / robust_maximum(w, overweight)).mean())


def test_robust_maximum_does_not_grow_with_the_sample():
    few, many = lognormal(2000, 1.0, 2), lognormal(200_000, 1.0, 3)
    raw = [unweighting_efficiency(w, 0).value for w in (few, many)]
    robust = [unweighting_efficiency(w, 0.01) for w in (few, many)]
    assert raw[1] < 0.6 * raw[0]
    assert robust[1].value == pytest.approx(robust[0].value, abs=4 * robust[0].error)
    assert robust[1].value > 3 * raw[1]
    assert unweighting_efficiency(np.zeros(10)).value == pytest.approx(1)


@pytest.mark.parametrize("spread", [0.3, 1.0])
def test_acceptance_of_lognormal_weights(spread: float):
    rows, accepted = metropolised(lognormal(60_000, spread, 4))
    found = acceptance(accepted)
    assert found.value == pytest.approx(erfc(spread / 2), abs=4 * found.error)
    assert (np.diff(rows) > 0).sum() == accepted.sum()
    assert metropolised(np.zeros(20))[1][1:].all()


def test_independent_proposals_become_the_target():
    draw = np.random.default_rng(5)
    x = 1.5 * draw.normal(size=60_000)
    logs = -((x - 1) ** 2) / 2 + x**2 / 2 / 1.5**2
    chain = x[metropolised(logs)[0]]
    for power, want in ((1, 1.0), (2, 2.0)):
        found = chain_mean(chain**power)
        assert found.value == pytest.approx(want, abs=4 * found.error)
    assert metropolised([-np.inf, 0.0, -5.0])[0][1] == 1  # a start outside the target is left at once


def test_error_of_acceptance_knows_the_chain():
    """Accept for long, reject for long: neighbours are alike and count less."""
    found = []
    for seed in range(200):
        flips = np.random.default_rng(seed).random(2000) < 0.1
        found.append(acceptance((np.cumsum(flips) + seed) % 2))
    spread = np.std([m.value for m in found], ddof=1)
    assert np.mean([m.error for m in found]) == pytest.approx(spread, rel=0.2)
    assert spread > 2 * math.sqrt(0.25 / 2000)


@pytest.mark.parametrize("keep", [-0.3, 0.0, 0.5, 0.9])
def test_autocorrelation_time_of_first_order_chains(keep: float):
    chain = first_order(100_000, keep)[0]
    found = autocorrelation_time(chain)
    want = (1 + keep) / (1 - keep) / 2
    assert found.value == pytest.approx(want, abs=4 * found.error)
    assert found.error < 0.1 * want
    assert found.floor == 0.5
    assert autocorrelation(chain)[:4] == pytest.approx(keep ** np.arange(4), abs=0.05)
    if keep == 0:
        assert abs(found.above_floor) < 4
    elif keep > 0:
        assert found.above_floor > 15


def test_errors_of_chains_are_the_spread_of_repetitions():
    chains = first_order(4000, 0.8, 7, chains=300)
    times = [autocorrelation_time(c) for c in chains]
    values = np.array([m.value for m in times])
    assert values.mean() == pytest.approx(4.5, rel=0.03)
    assert np.mean([m.error for m in times]) == pytest.approx(values.std(ddof=1), rel=0.2)
    free = np.array([autocorrelation_time(c).value for c in first_order(4000, 0.0, 9, chains=300)])
    assert free.mean() == pytest.approx(0.5, rel=0.02)
    assert times[0].floor_error == pytest.approx(free.std(ddof=1), rel=0.15)
    means = [chain_mean(c) for c in chains]
    assert np.mean([m.error for m in means]) == pytest.approx(np.std([m.value for m in means], ddof=1), rel=0.15)


def test_alternating_chains_are_not_called_better_than_independent():
    chain = first_order(20_000, -0.8)[0]
    assert autocorrelation_time(chain).value < 0.5
    assert chain_mean(chain).error == pytest.approx(chain.std() / math.sqrt(20_000))


def test_several_chains_count_together():
    chains = first_order(2000, 0.8, 8, chains=20)
    found = autocorrelation_time(chains)
    assert found.value == pytest.approx(4.5, abs=4 * found.error)
    assert found.n == 40_000
    stuck = chains + 5 * np.arange(20)[:, None]  # chains that sit in modes of their own look slow, not converged
    with pytest.raises(UserError, match="many autocorrelation times"):
        autocorrelation_time(stuck)


class Gaussian:
    """Draws N(0, 1) in the plane and knows its density."""

    def sample(self, n: int, given: Given = {}) -> Batch:
        return Batch(torch.randn(n, 2), given)

    def log_prob(self, batch: Batch) -> Tensor:
        return Normal(0.0, 1.0).log_prob(batch.x).sum(1)


def tied(tie: float) -> MultivariateNormal:
    return MultivariateNormal(torch.zeros(2), torch.tensor([[1.0, tie], [tie, 1.0]]))


def test_weights_of_a_model_against_a_target():
    """ESS of N(0, 1)^2 for normals with correlation r is 1 - r^2, in any unit of the codec."""
    law, scale = tied(0.3), 7.0
    codec = Standardize(DataSpec("plane", "vector", Field((2,)), rows=2))
    codec.fit([Batch(scale * torch.tensor([[1.0, 1.0], [-1.0, -1.0]]))])
    batch, logs = weighed(Gaussian(), codec, lambda b: law.log_prob(b.x / scale), 20_000, block=3000)
    found = effective_sample_size(logs)
    assert found.value == pytest.approx(1 - 0.3**2, abs=4 * found.error)
    weight = logs.exp() / logs.exp().sum()
    assert float((weight * batch.x[:, 0] * batch.x[:, 1]).sum()) / scale**2 == pytest.approx(0.3, abs=0.05)
    itself, same = weighed(Gaussian(), Unchanged(), lambda b: Gaussian().log_prob(b), 500)
    assert effective_sample_size(same).value == pytest.approx(1, abs=1e-9)
    assert len(itself) == 500
    assert logs.exp().mean().item() == pytest.approx(scale**2, rel=0.02)  # the target's integral


def test_training_raises_the_effective_sample_size():
    law = tied(0.6)
    torch.manual_seed(0)
    spec = DataSpec("tied", "vector", Field((2,)), rows=8000)
    data = Rows(spec, Batch(law.sample((8000,))))
    experiment = realnvp(spec, layers=2, hidden=(16,), decay=0.98, rounds=150, lr=5e-3, batch_size=256)
    found = []
    for step in train(experiment, streams_for(experiment, data)):
        if step.clock.round in (1, 150):
            _, logs = weighed(experiment.model, experiment.codec, lambda b: law.log_prob(b.x), 3000)
            found.append(effective_sample_size(logs))
    assert found[0].value == pytest.approx(1 - 0.6**2, abs=0.12)
    assert found[1].value > 0.96
    assert acceptance(metropolised(logs)[1]).value > 0.85


def test_messages():
    with pytest.raises(UserError, match="NaN or inf"):
        effective_sample_size([0.0, np.nan])
    with pytest.raises(UserError, match="at least one weight above zero"):
        effective_sample_size([-np.inf, -np.inf])
    with pytest.raises(UserError, match="two or more log weights"):
        effective_sample_size([[0.0, 1.0]])
    with pytest.raises(UserError, match="overweight from 0"):
        unweighting_efficiency([0.0, 1.0], 1.0)
    with pytest.raises(UserError, match="chain that moves"):
        autocorrelation_time(np.full(100, 0.1))
    with pytest.raises(UserError, match="run it longer"):
        autocorrelation_time(np.arange(100.0))
    with pytest.raises(UserError, match="one observable"):
        autocorrelation(np.zeros((2, 3, 4)))
