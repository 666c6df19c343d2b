"""Distances: closed forms, honest errors, nothing seen where there is nothing."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import ks_2samp, norm, wasserstein_distance

from simulacra.errors import UserError
from simulacra.evaluation.distances import distances, kolmogorov_smirnov, separation, wasserstein
from simulacra.evaluation.kernels import cramer
from simulacra.evaluation.measurement import Measurement

SHIFT = 0.5
REPETITIONS = 100


def binned_truth(shift: float, count: int = 20) -> float:
    """The separation of N(0, 1) and N(shift, 1) in equally filled bins of the first."""
    edges = np.concatenate([[-np.inf], norm.ppf(np.arange(1, count) / count), [np.inf]])
    p, q = np.diff(norm.cdf(edges)), np.diff(norm.cdf(edges - shift))
    return float(0.5 * ((p - q) ** 2 / (p + q)).sum())


def test_separation_of_shifted_gaussians_is_the_integral():
    integral, _ = quad(lambda x: 0.5 * (norm.pdf(x) - norm.pdf(x - 1)) ** 2 / (norm.pdf(x) + norm.pdf(x - 1)), -9, 10)
    draw = np.random.default_rng(0)
    found = separation(draw.normal(size=200_000), draw.normal(size=200_000) + 1)
    assert found.value == pytest.approx(integral, abs=0.006)  # bins lose a little
    assert found.value == pytest.approx(binned_truth(1.0), abs=4 * found.error)


def test_wasserstein_and_kolmogorov_of_a_shift():
    draw = np.random.default_rng(1)
    a, b = draw.normal(size=40_000), draw.normal(size=40_000) + SHIFT
    moved, largest = wasserstein(a, b, scale=1.0), kolmogorov_smirnov(a, b)
    assert moved.value == pytest.approx(SHIFT, abs=4 * moved.error)
    assert largest.value == pytest.approx(2 * norm.cdf(SHIFT / 2) - 1, abs=4 * largest.error)
    assert largest.value == pytest.approx(float(ks_2samp(a, b).statistic))
    raw = wasserstein_distance(a, b)
    assert moved.value <= raw < moved.value + 0.02


@pytest.mark.parametrize(("kind", "truth"), [("separation", binned_truth(SHIFT)), ("wasserstein", SHIFT), ("ks", None)])
def test_pulls_are_standard_at_a_shifted_point(kind, truth):
    truth = 2 * norm.cdf(SHIFT / 2) - 1 if truth is None else truth
    measure = {
        "separation": separation,
        "wasserstein": lambda a, b: wasserstein(a, b, scale=1.0, permutations=49),
        "ks": lambda a, b: kolmogorov_smirnov(a, b, permutations=49),
    }[kind]
    draw = np.random.default_rng(2)
    found = [measure(draw.normal(size=1000), draw.normal(size=1000) + SHIFT) for _ in range(REPETITIONS)]
    pulls = np.array([(m.value - truth) / m.error for m in found])
    assert 0.8 < pulls.std() < 1.25
    assert abs(pulls.mean()) < (1.2 if kind == "ks" else 0.5)  # D, a maximum, lies a little high at any n


@pytest.mark.parametrize("measure", [wasserstein, cramer])
def test_the_error_counts_that_the_unit_is_measured(measure):
    """An exponential's standard deviation, the unit, is uncertain itself: far apart that is most of the error."""
    draw = np.random.default_rng(5)
    pairs = [(draw.exponential(size=500), 3.0 + draw.exponential(size=500)) for _ in range(REPETITIONS)]
    found = [measure(*pair, permutations=19) for pair in pairs]
    spread = np.std([m.value for m in found], ddof=1)
    assert np.mean([m.error for m in found]) == pytest.approx(spread, rel=0.2)
    fixed = [measure(*pair, scale=1.0, permutations=19).error for pair in pairs]
    assert np.mean(fixed) < 0.8 * spread


def test_equal_distributions_stay_at_their_floor():
    draw = np.random.default_rng(3)
    above = [
        [m.above_floor for m in distances(draw.normal(size=500), draw.normal(size=500), permutations=49).values()]
        for _ in range(60)
    ]
    assert np.abs(np.mean(above, axis=0)).max() < 0.5
    assert (np.array(above) > 3).mean() < 0.03


def test_numbers_that_repeat():
    draw = np.random.default_rng(4)
    a, b = draw.poisson(3.0, 2000), draw.poisson(3.0, 2000)
    assert all(m.above_floor < 3 for m in distances(a, b).values())
    assert all(m.above_floor > 3 for m in distances(a, b + 1).values())
    atoms = np.where(draw.random(2000) < 0.3, 0.0, a + 0.5)  # an empty layer in 30 % of events
    assert separation(atoms, np.where(draw.random(2000) < 0.3, 0.0, b + 0.5)).above_floor < 3
    assert separation(atoms, np.where(draw.random(2000) < 0.5, 0.0, b + 0.5)).above_floor > 3


def test_constants_and_disjoint_samples_are_defined():
    same = distances(np.zeros(100), np.zeros(100))
    assert [m.value for m in same.values()] == [0, 0, 0]
    for other in (np.ones(100), -np.ones(100)):
        apart = distances(np.zeros(100), other)
        assert apart["separation"].value == 1
        assert apart["ks"].value == 1
        assert apart["wasserstein"].value > 1
    assert separation(np.arange(100.0), np.arange(500.0, 600.0)).value == 1


def test_bad_numbers_are_refused_in_one_line():
    good = torch.zeros(10)
    with pytest.raises(UserError, match=r"finite numbers in the generated events, came nan in row 3") as caught:
        separation(good, torch.tensor([0.0, 1, 2, float("nan")]))
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="one number per event"):
        wasserstein(torch.zeros(4, 2), good)
    with pytest.raises(UserError, match="at least one number"):
        kolmogorov_smirnov(good, [])


def test_measurement_speaks_and_survives_json():
    m = Measurement(0.612, 0.004, 0.501, 0.003, 2500, "sd")
    assert str(m) == "0.612 ± 0.004 sd (floor 0.501 ± 0.003)"
    assert Measurement.from_json(m.to_json()) == m
    assert m.above_floor == pytest.approx(0.111 / 0.005)
    assert m.excess == pytest.approx(0.111)
    assert Measurement(1, 0, 1).above_floor == 0
    assert Measurement.from_json(Measurement(float("nan"), 0).to_json()).value != 0
