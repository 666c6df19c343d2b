"""Modes of pictures at low resolution, and turns of the discriminator: experiments and the laws of what they count."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra.claims import resolutions, turns


def test_clusters_are_counted_as_balls_and_a_wide_ball_holds_all():
    torch.manual_seed(0)
    centres = 10 * torch.eye(5)[torch.arange(50) % 5]
    far = resolutions.apart((centres + 0.01 * torch.randn(50, 5)).view(50, 1, 1, 5))
    assert resolutions.modes(far, 1.0, 0) == 5
    assert resolutions.modes(far, 20.0, 0) == 1
    assert resolutions.modes(far, 0.0, 0) == 50


def test_differences_are_of_pixels_whatever_their_number():
    small = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
    assert all(resolutions.apart(small.expand(2, 1, k, k))[0, 1] == pytest.approx(1) for k in (1, 4, 32))


def test_reduced_pictures_keep_the_mean_and_lose_what_is_fine():
    board = (torch.arange(32)[:, None] + torch.arange(32)).remainder(2).float().expand(1, 1, -1, -1)
    assert torch.equal(resolutions.reduced(board, 4), torch.full((1, 1, 4, 4), 0.5))
    assert torch.equal(resolutions.reduced(board, 32), board)


def test_low_resolution_on_few_digits_that_are_no_digits(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(resolutions, "pictures", lambda rows: torch.rand(rows, 1, 32, 32))
    (claim,) = resolutions.CLAIMS
    result = resolutions.shrinking(0, rows=80, n=40)
    assert set(result.values) == set(result.control) == set(claim.bounds)
    assert result.control[resolutions.FEWER] == 0
    assert result.values[resolutions.ALIKE] == pytest.approx(-3, abs=0.1)  # noise: means of 64 pixels
    assert isinstance(claim.figure([result]), Figure)


def test_turns_on_a_small_budget():
    (claim,) = turns.CLAIMS
    result = turns.sufficing(1, steps=240)
    assert set(result.values) == set(result.control) == set(claim.bounds)
    assert result.arrays["k"].tolist() == [1, 2, 3, 5]
    far = np.log2(result.arrays["distance"])
    assert [result.values[turns.WORSE.format(k)] for k in turns.MORE] == pytest.approx((far[0] - far[1:]).tolist())
    assert isinstance(claim.figure([result]), Figure)
