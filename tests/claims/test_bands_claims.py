"""The claim on what a growing game learns when: its measures where the answer is known, and a tiny experiment."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra.claims import bands
from simulacra.claims.growing import band_distances
from simulacra.networks.progressive import enlarged, reduced

(STAGES,) = bands.CLAIMS


def pictures(n: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 1, 16, 16, generator=torch.Generator().manual_seed(seed))


def test_the_experiment_gives_the_quantities_of_its_bounds():
    result = bands.staging(1, rounds=20, pictures=pictures(100), held=pictures(50, 1))
    assert set(result.values) == set(STAGES.bounds)
    assert set(result.control) <= set(STAGES.bounds)
    assert result.arrays["grown/error"].shape == (3, bands.LOOKS + 1)
    assert bands.staging(1, rounds=20, pictures=pictures(100), held=pictures(50, 1)).values == result.values
    assert isinstance(STAGES.figure([result, result]), Figure)


def test_before_a_stage_joins_its_band_is_missing():
    """A band of repeated pixels is zero, E|N(0, 1)| standard deviations away."""
    real = pictures(500)
    times, found = bands.learnt(real, real, 0.6, 0, 20)
    missing = band_distances(real, enlarged(reduced(real, 4), 16))
    assert missing == pytest.approx([0, *[math.sqrt(2 / math.pi)] * 2], rel=0.06)
    assert found[2][times < bands.JOINS] == pytest.approx(missing[2])
    assert found[1][times <= 0.15] == pytest.approx(missing[1])
    assert (found[2][times > 0.48] != missing[2]).all()


def test_an_error_is_seen_in_its_own_band():
    real, other = pictures(1000), pictures(1000, 1)
    floor = band_distances(real, other)
    assert (floor < 0.15).all()
    assert band_distances(real, real) == pytest.approx(np.zeros(3))
    shifted = band_distances(real, other + enlarged(torch.randn(1000, 1, 4, 4), 16))
    assert shifted[0] > 2
    assert shifted[1:] == pytest.approx(floor[1:], abs=1e-4)


def test_falls_before_and_after_a_time():
    times = np.linspace(0, 1, 11)
    assert bands.falls(times, 2.0 ** -(4 * times), 0.5) == pytest.approx((2, 2))
    assert bands.falls(times, np.where(times < 0.45, 1.0, 0.25), 0.4) == pytest.approx((0, 2))
    assert bands.falls(times, np.where(times < 0.45, 1.0, 0.25), 0.5) == pytest.approx((2, 0))
    assert bands.falls(times, 1 + times, 0.5)[1] < 0
    assert bands.falls(times, 1 - times, 0.0)[1] == pytest.approx(np.log2(1 / bands.LEAST))
