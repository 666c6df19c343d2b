"""The claim on pyramids: what its measures are of real pictures, and its experiment on a small budget."""

from __future__ import annotations

import pytest
import torch
from matplotlib.figure import Figure

from simulacra.claims import pyramids
from simulacra.claims.pyramids import BETTER, EXACT, missed
from simulacra.networks.pyramid import doubled, halved


@pytest.fixture(scope="module")
def result():
    return pyramids.levels(0, rounds=2)


def test_the_experiment_gives_the_quantities_of_its_bounds_and_a_picture(result):
    (claim,) = pyramids.CLAIMS
    assert set(result.values) == set(claim.bounds)
    assert set(result.control) == set(claim.bounds) - {BETTER}
    assert isinstance(claim.figure([result]), Figure)


def test_what_is_rebuilt_is_the_picture_whatever_has_been_learnt(result):
    assert result.values[EXACT] < 1e-6
    assert result.control[EXACT] > 0.5


def test_real_pictures_keep_their_coarse_picture_and_doubled_ones_miss_what_doubling_misses():
    x = pyramids.digits()
    coarse = halved(x)
    assert missed(coarse, x) == pytest.approx(0.0, abs=1e-9)
    assert missed(coarse, doubled(coarse)) == pytest.approx(1.0)
    other = doubled(coarse) + (x - doubled(coarse)).roll(1, 0)
    assert missed(coarse, other) > 1


def test_details_without_a_mean_over_four_pixels_keep_what_doubling_keeps():
    coarse = torch.rand(3, 1, 4, 4)
    chequered = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(4, 4)
    assert missed(coarse, doubled(coarse) + chequered) == pytest.approx(1.0, rel=1e-4)
