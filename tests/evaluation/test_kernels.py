"""Kernel distances: closed forms of Gaussians, exact permutation, honest errors, weights."""

import numpy as np
import pytest
from scipy.stats import norm

from simulacra.errors import UserError
from simulacra.evaluation.kernels import (
    cramer,
    energy_distance,
    gaussian,
    median_distance,
    mmd,
    mmd_p,
    negative_distance,
    polynomial,
)

SHIFT = 0.5


def mean_gap(shift: float) -> float:
    """E|x - y| for x of N(0, 1), y of N(shift, 1)."""
    return float(2 * norm.pdf(shift / np.sqrt(2)) * np.sqrt(2) + shift * (2 * norm.cdf(shift / np.sqrt(2)) - 1))


def energy_truth(shift: float) -> float:
    return 2 * mean_gap(shift) - 2 * mean_gap(0)


def mmd_truth(shift: float, dimension: int, bandwidth: float) -> float:
    """N(0, 1) and N(shift along one axis, 1) with a Gaussian kernel."""
    wide = bandwidth**2 + 2
    return float(2 * (bandwidth**2 / wide) ** (dimension / 2) * (1 - np.exp(-(shift**2) / (2 * wide))))


def normals(draw: np.random.Generator, n: int, dimension: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    b = draw.normal(size=(n, dimension))
    b[:, 0] += shift
    return draw.normal(size=(n, dimension)), b


CASES = {
    "gaussian": (lambda a, b, **k: mmd(a, b, gaussian(1.5), **k), 3, mmd_truth(SHIFT, 3, 1.5)),
    "polynomial": (lambda a, b, **k: mmd(a, b, polynomial(2), **k), 1, 2 * SHIFT**2 + SHIFT**4),
    "energy": (energy_distance, 1, energy_truth(SHIFT)),
    "cramer": (lambda a, b, **k: cramer(a[:, 0], b[:, 0], scale=1.0, **k), 1, energy_truth(SHIFT) / 2),
}


@pytest.mark.parametrize("name", CASES)
def test_pulls_at_a_shift_and_excess_at_none(name):
    measure, dimension, truth = CASES[name]
    draw = np.random.default_rng(0)
    shifted = [measure(*normals(draw, 400, dimension, SHIFT), permutations=19, seed=k) for k in range(60)]
    pulls = np.array([(m.value - truth) / m.error for m in shifted])
    assert 0.75 < pulls.std() < 1.3
    assert abs(pulls.mean()) < 0.5
    equal = [measure(*normals(draw, 300, dimension, 0.0), permutations=19, seed=k) for k in range(60)]
    assert np.mean([abs(m.excess) < 2.5 * m.error for m in equal]) >= 0.9
    assert abs(np.mean([m.value / m.floor_error for m in equal])) < 0.5  # unbiased
    assert 0.7 < np.std([m.value for m in equal]) / np.mean([m.floor_error for m in equal]) < 1.35


def test_mmd_is_the_sum_over_all_pairs_of_different_events(monkeypatch):
    monkeypatch.setattr("simulacra.evaluation.kernels._ENTRIES", 100)  # in blocks of a few rows
    draw = np.random.default_rng(1)
    a, b = draw.normal(size=(17, 2)), draw.normal(size=(11, 2))
    k = gaussian(0.7)
    within = [(k(x, x).sum() - len(x)) / (len(x) * (len(x) - 1)) for x in (a, b)]
    assert mmd(a, b, k).value == pytest.approx(sum(within) - 2 * k(a, b).mean())
    assert mmd(a, b, k).value == pytest.approx(mmd(b, a, k).value)
    x, y = np.arange(4.0)[:, None], np.arange(3.0)[:, None]
    assert polynomial(3)(x, y) == pytest.approx((x @ y.T + 1) ** 3)
    assert mmd(a, b).value == pytest.approx(mmd(a, b, gaussian(median_distance(a, b))).value)


def test_the_energy_distance_in_one_dimension_is_twice_cramers():
    draw = np.random.default_rng(2)
    a, b = draw.normal(size=150), np.round(draw.exponential(size=90), 1)  # with ties
    weights = (draw.random(150), draw.random(90))
    for chosen in (None, weights):
        energy, half = energy_distance(a, b, weights=chosen), cramer(a, b, scale=1.0, weights=chosen)
        assert energy.value == pytest.approx(2 * half.value)
        assert energy.error == pytest.approx(2 * half.error, rel=0.1)
        assert energy.floor_error == pytest.approx(2 * half.floor_error, rel=0.15)


@pytest.mark.parametrize("kernel", [None, negative_distance, polynomial(4)])
def test_p_values_are_uniform_at_none_and_small_at_a_shift(kernel):
    draw = np.random.default_rng(3)
    found = [mmd_p(*normals(draw, 60, 2, 0.0), kernel, permutations=39, seed=k) for k in range(200)]
    assert np.mean(np.array(found) <= 0.05) < 0.1
    assert np.mean(np.array(found) <= 0.5) == pytest.approx(0.5, abs=0.12)
    assert mmd_p(*normals(draw, 60, 2, 2.0), kernel, permutations=39) == pytest.approx(1 / 40)


def test_weights_undo_and_make_a_shift():
    draw = np.random.default_rng(4)
    a, x = draw.normal(size=(1500, 1)), draw.normal(size=(1500, 1)) + 0.5
    back = np.exp((0.25 - x[:, 0]) / 2)  # back / mean makes N(0.5, 1) into N(0, 1)
    away = np.exp((x[:, 0] - 0.75) / 2)  # and into N(1, 1)
    for measure, truth in (
        (energy_distance, energy_truth(1.0)),
        (lambda a, b, **k: mmd(a, b, gaussian(1.0), **k), mmd_truth(1.0, 1, 1.0)),
        (lambda a, b, **k: cramer(a[:, 0], b[:, 0], scale=1.0, **k), energy_truth(1.0) / 2),
    ):
        assert measure(a, x, permutations=19).above_floor > 4
        assert abs(measure(a, x, weights=(None, back), permutations=19).above_floor) < 3
        made = measure(a, x, weights=(None, away), permutations=19)
        assert made.value == pytest.approx(truth, abs=4 * made.error)
        assert made.n < 1500


def test_events_of_any_shape_and_what_is_refused():
    draw = np.random.default_rng(5)
    a, b = draw.normal(size=(40, 2, 3)), draw.normal(size=(40, 2, 3))
    x, y = np.arange(4.0)[:, None], np.arange(3.0)[:, None]
    assert polynomial(3)(x, y) == pytest.approx((x @ y.T + 1) ** 3)
    assert mmd(a, b).value == pytest.approx(mmd(a.reshape(40, 6), b.reshape(40, 6)).value)
    with pytest.raises(UserError, match=r"events of one shape, came \(2, 3\) and \(3,\)"):
        mmd(a, b[:, 0])
    with pytest.raises(UserError, match="bandwidth above 0"):
        gaussian(0.0)
    with pytest.raises(UserError, match="at least two events"):
        energy_distance(a[:1], b)
    with pytest.raises(UserError, match="one number per event"):
        cramer(a, b)
