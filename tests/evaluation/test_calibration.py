"""Calibration: uniform where posteriors are exact, and the known law where they are too narrow, too wide or shifted."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest, norm

from simulacra.batch import Batch, DataSpec, Field, Given
from simulacra.errors import UserError
from simulacra.evaluation.calibration import (
    calibration,
    conditional_draws,
    histogram,
    of_observables,
    pit,
    ranks,
)
from simulacra.evaluation.likelihood import (
    kullback_leibler,
    log_likelihood,
    negative_log_likelihood,
    normalisation,
)
from simulacra.recipes.realnvp import realnvp
from simulacra.testing import Rows, Unchanged, streams_for
from simulacra.training.loop import train

NOISE = 0.5
KEEP = 1 / (1 + NOISE**2)
"""theta ~ N(0, 1), data ~ N(theta, NOISE^2): the posterior is N(KEEP data, NOISE^2 KEEP)."""


def linear(n: int, count: int, widened: float = 1.0, shifted: float = 0.0, seed: int = 0):
    """Truths, and draws of the exact posterior spoiled by a factor and a shift in its own widths."""
    draw = np.random.default_rng(seed)
    truth = draw.normal(size=n)
    data = truth + NOISE * draw.normal(size=n)
    width = NOISE * math.sqrt(KEEP)
    return KEEP * data[:, None] + width * (shifted + widened * draw.normal(size=(n, count))), truth


@pytest.mark.parametrize("count", [1, 9, 100])
def test_exact_posteriors_are_uniform(count: int):
    draws, truth = linear(4000, count)
    u = pit(draws, truth)
    found = calibration(u)
    for name, m in found.items():
        assert abs(m.value - m.floor) < 4 * m.floor_error, name
    shape = histogram(u, confidence=0.999)
    assert shape.p > 1e-3
    assert shape.outside == []
    assert found["pit/ks"].value == pytest.approx(kstest(u, "uniform").statistic)


def test_ranks_are_uniform_integers():
    draws, truth = linear(20_000, 4)
    found = np.bincount(ranks(draws, truth), minlength=5)
    assert len(found) == 5
    assert np.abs(found - 4000).max() < 4.5 * math.sqrt(4000 * 0.8)


@pytest.mark.parametrize("widened", [0.6, 1.7])
def test_coverage_of_a_wrong_width(widened: float):
    draws, truth = linear(6000, 400, widened)
    found = calibration(pit(draws, truth), levels=(0.5, 0.9))
    for level in (0.5, 0.9):
        m = found[f"coverage/{100 * level:g}"]
        want = 2 * norm.cdf(widened * norm.ppf((1 + level) / 2)) - 1
        assert m.value == pytest.approx(want, abs=4 * m.error + 0.004)  # 400 draws
        assert m.floor == level
        assert abs(m.above_floor) > 10
    assert (found["pit/spread"].value > 1) == (widened < 1)
    shape = histogram(pit(draws, truth))
    assert shape.p < 1e-10
    edges = shape.counts[[0, -1]] > shape.expected
    assert edges.all() == (widened < 1)
    assert shape.outside


def test_a_shift_leans_to_one_side():
    draws, truth = linear(3000, 200, shifted=-0.3)
    found = calibration(pit(draws, truth))
    m = found["pit/mean"]
    assert m.value == pytest.approx(norm.cdf(0.3 / math.sqrt(2)), abs=4 * m.error)
    assert found["pit/ks"].above_floor > 5
    counts = histogram(pit(draws, truth), bins=4).counts
    assert list(counts) == sorted(counts)


def test_errors_are_the_spread_of_repetitions():
    runs = [calibration(pit(*linear(400, 50, 0.7, seed=s)), levels=(0.68,)) for s in range(200)]
    for name in ("coverage/68", "pit/mean", "pit/spread"):
        values = np.array([r[name].value for r in runs])
        assert np.mean([r[name].error for r in runs]) == pytest.approx(values.std(ddof=1), rel=0.2), name


def test_floors_and_p_are_right_for_uniform_numbers():
    draw = np.random.default_rng(6)
    u = draw.random((400, 500))
    runs = [calibration(row) for row in u]
    for name in runs[0]:
        values = np.array([r[name].value for r in runs])
        assert values.mean() == pytest.approx(runs[0][name].floor, abs=0.3 * runs[0][name].floor_error), name
        assert values.std() == pytest.approx(runs[0][name].floor_error, rel=0.15), name
    shapes = [histogram(row, bins=10) for row in u]
    assert kstest([s.p for s in shapes], "uniform").pvalue > 1e-3
    assert np.mean([bool(s.outside) for s in shapes]) < 0.09
    values = np.array([s.chi_square.value for s in shapes])
    assert values.mean() == pytest.approx(shapes[0].chi_square.floor, rel=0.1)
    assert values.std() == pytest.approx(shapes[0].chi_square.floor_error, rel=0.15)


def test_counts_that_repeat_stay_uniform():
    draw = np.random.default_rng(7)
    u = pit(draw.poisson(1.5, size=(5000, 20)), draw.poisson(1.5, size=5000))
    assert kstest(u, "uniform").pvalue > 1e-3
    assert ranks([[1.0, 1.0]], [1.0], seed=1)[0] in (0, 1, 2)


class Posterior:
    """The exact posterior of the linear model as a conditional sampler."""

    def sample(self, n: int, given: Given = {}) -> Batch:
        width = NOISE * math.sqrt(KEEP)
        return Batch(KEEP * given["data"] + width * torch.randn(n, 1), given)


def test_conditional_draws_keep_to_their_condition():
    data = torch.tensor([[-10.0], [0.0], [10.0]])
    found = conditional_draws(Posterior(), Unchanged(), {"data": data}, 500, block=70)
    assert found.shape == (3, 500, 1)
    assert torch.allclose(found.mean(1), KEEP * data, atol=5 * NOISE / 500**0.5)
    assert torch.equal(found, conditional_draws(Posterior(), Unchanged(), {"data": data}, 500, block=70))
    with pytest.raises(UserError, match="at least one condition"):
        conditional_draws(Posterior(), Unchanged(), {}, 5)


def learned(rounds: int, seed: int = 0):
    """A flow that has learned theta given data for some rounds, with its codec."""
    generator = torch.Generator().manual_seed(seed)
    theta = torch.randn(4096, 1, generator=generator)
    batch = Batch(theta, {"data": theta + NOISE * torch.randn(4096, 1, generator=generator)})
    spec = DataSpec("linear", "vector", Field((1,)), {"data": Field((1,))}, rows=4096)
    torch.manual_seed(seed)
    experiment = realnvp(spec, layers=2, hidden=(32,), decay=0.98, rounds=rounds, lr=5e-3, batch_size=256)
    for _ in train(experiment, streams_for(experiment, Rows(spec, batch))):
        pass
    return experiment.model, experiment.codec


def test_simulation_based_calibration_of_a_trained_flow():
    draw = torch.Generator().manual_seed(11)
    truth = torch.randn(1000, 1, generator=draw)
    data = {"data": truth + NOISE * torch.randn(1000, 1, generator=draw)}
    model, codec = learned(200)
    width = NOISE * math.sqrt(KEEP)
    exact = torch.distributions.Normal(KEEP * data["data"], width).log_prob(truth)[:, 0]
    log_prob = log_likelihood(model, codec, Batch(truth, data))
    nats = negative_log_likelihood(log_prob, exact)
    assert nats.floor == pytest.approx(math.log(width) + 0.5 * math.log(2 * math.pi * math.e), abs=4 * nats.floor_error)
    assert abs(kullback_leibler(log_prob, exact).value) < 0.05
    shuffled = Batch(truth, {"data": data["data"].flip(0)})
    assert kullback_leibler(log_likelihood(model, codec, shuffled), exact).value > 1  # the condition counts
    area = normalisation(model, codec, [(-6.0, 6.0)], points=1001, given={"data": torch.tensor([[0.7]])})
    assert area.value == pytest.approx(1, abs=1e-3)
    good = pit(conditional_draws(model, codec, data, 99)[..., 0], truth[:, 0])
    assert histogram(good, bins=10).p > 1e-3
    assert calibration(good)["coverage/90"].value == pytest.approx(0.9, abs=0.035)
    model, codec = learned(2)  # this early it is the prior: right on average, as SBC alone cannot tell ...
    early = conditional_draws(model, codec, data, 99)[..., 0]
    assert early.std(1).mean() > 1.5 * NOISE * math.sqrt(KEEP)
    assert calibration(pit(early, truth[:, 0]))["coverage/90"].value == pytest.approx(0.9, abs=0.06)
    middle = data["data"][:, 0].abs() < 0.3  # ... but shows where the data are looked at
    assert calibration(pit(early[middle], truth[middle, 0]))["pit/spread"].value < 0.8


def test_messages():
    with pytest.raises(UserError, match=r"draws \[n, K\] and truth \[n\]"):
        ranks(np.zeros((3, 2)), np.zeros(2))
    with pytest.raises(UserError, match="numbers from 0 to 1"):
        calibration([0.5, 1.5])
    with pytest.raises(UserError, match="levels between 0 and 1"):
        calibration([0.5, 0.5], levels=(90,))
    with pytest.raises(UserError, match="five events"):
        histogram([0.5] * 20, bins=10)


class Follower(torch.nn.Module):
    """x ~ N(c, width^2) at the condition c; of a deaf one at nought."""

    def __init__(self, width: float, deaf: bool = False) -> None:
        super().__init__()
        self.width, self.deaf = width, deaf

    def sample(self, n: int, given: Given) -> Batch:
        centre = torch.zeros(n, 1) if self.deaf else given["c"]
        return Batch(centre + self.width * torch.randn(n, 1), given)


def test_observables_are_ranked_at_their_own_conditions():
    spec = DataSpec("follower", "vector", Field((1,)), {"c": Field((1,))})
    draw = torch.Generator().manual_seed(0)
    c = 10 * torch.randn(2000, 1, generator=draw)
    events = Batch(c + torch.randn(2000, 1, generator=draw), {"c": c})

    def share(width: float, deaf: bool = False, count: int = 9) -> float:
        found = of_observables(Follower(width, deaf), Unchanged(), events, spec, (), count=count)
        assert list(found) == ["calibration/x0"]
        m = found["calibration/x0"]
        assert (m.floor, m.n) == (0.68, 2000)
        return m.above_floor * math.hypot(m.error, m.floor_error) / m.floor_error

    assert abs(share(1.0)) < 3.5
    assert abs(share(1.0, count=1)) < 3.5
    assert share(0.8) < -5
    assert share(1.3) > 5
    assert share(1.0, deaf=True) < -20  # ten times too narrow for all conditions together
    weighted = Batch(events.x, events.given, weight=torch.ones(2000))
    with pytest.raises(UserError, match="events without weights"):
        of_observables(Follower(1.0), Unchanged(), weighted, spec, ())
