"""Metrics whose value, or whose error, is known on paper."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.evaluation.frechet import fid, frechet
from simulacra.evaluation.modes import modes
from simulacra.evaluation.response import bias, resolution_ratio


def test_frechet_of_gaussians_with_common_axes():
    draw = np.random.default_rng(0)
    turn, _ = np.linalg.qr(draw.normal(size=(4, 4)))
    a, b, shift = draw.uniform(0.5, 3, 4), draw.uniform(0.5, 3, 4), draw.normal(size=4)
    first, second = (turn * a**2) @ turn.T, (turn * b**2) @ turn.T
    want = (shift**2).sum() + ((a - b) ** 2).sum()
    assert frechet(shift, first, np.zeros(4), second) == pytest.approx(want)
    assert frechet(shift, first, shift, first) == pytest.approx(0, abs=1e-9)


def test_fid_finds_the_distance_of_two_samples():
    draw = np.random.default_rng(1)
    a, b = draw.normal(size=(4000, 3)), 2 * draw.normal(size=(4000, 3)) + 1
    found = fid(a, b)
    assert abs(found.value - 6) < 4 * found.error + 0.05
    assert fid(a, a[::-1]).value == pytest.approx(0, abs=1e-9)


def test_bias_is_the_relative_shift_of_the_mean():
    x = np.random.default_rng(2).normal(5, 1, 2000)
    assert bias(x, x).value == pytest.approx(0, abs=1e-12)
    assert bias(x, 1.1 * x).value == pytest.approx(0.1)
    assert bias(x, x - 1).value == pytest.approx(-1 / x.mean())


def test_resolution_is_the_ratio_of_spreads():
    x = np.random.default_rng(3).normal(5, 1, 2000)
    assert resolution_ratio(x, x).value == pytest.approx(1)
    assert resolution_ratio(x, 3 - 2 * x).value == pytest.approx(2)


@pytest.mark.parametrize("kind", ["normal", "exponential", "uniform"])
def test_errors_of_response_are_the_spread_of_repetitions(kind):
    draw = np.random.default_rng(4)
    for metric in (bias, resolution_ratio):
        found = [metric(10 + getattr(draw, kind)(size=600), 10 + getattr(draw, kind)(size=300)) for _ in range(300)]
        values = np.array([m.value for m in found])
        spread = values.std(ddof=1)
        assert np.mean([m.error for m in found]) == pytest.approx(spread, rel=0.2)
        assert np.mean([m.floor_error for m in found]) == pytest.approx(spread, rel=0.2)


def test_modes_are_counted_within_three_sigma():
    centres, sigma = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]]), 0.1
    draw = np.random.default_rng(5)
    real = np.repeat(centres, 500, 0) + sigma * draw.normal(size=(1500, 2))
    two = real[:1000]
    found = modes(real, two, centres, sigma)
    assert found["modes/covered"].value == 2
    assert found["modes/covered"].floor == 3
    inside = 1 - np.exp(-9 / 2)  # of a plane's Gaussian
    assert found["modes/high_quality"].floor == pytest.approx(inside, abs=0.01)
    ring = centres[draw.integers(3, size=1000)] + [0.31, 0.0]
    assert modes(real, ring, centres, sigma)["modes/high_quality"].value == 0
    assert modes(real, ring - [0.02, 0.0], centres, sigma)["modes/high_quality"].value == 1
