"""The claims on noise inputs and on W: their measures where the answer is known, and tiny experiments."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra.claims import noise_inputs
from simulacra.claims.noise_inputs import LATENT, Through, shares, unread, wound
from simulacra.networks.progressive import enlarged

NOISE, MAPPING = noise_inputs.CLAIMS


@pytest.fixture
def small(monkeypatch):
    def digits(rows: slice) -> tuple[torch.Tensor, torch.Tensor]:
        dice = torch.Generator().manual_seed(0)
        return torch.rand(120, 1, 16, 16, generator=dice), torch.arange(120) % 10

    monkeypatch.setattr(noise_inputs, "small_digits", digits)
    noise_inputs.played.cache_clear()
    yield
    noise_inputs.played.cache_clear()


@pytest.mark.parametrize(
    ("claim", "play"),
    [
        (NOISE, lambda: noise_inputs.stirring(1, rounds=2, n=40)),
        (MAPPING, lambda: noise_inputs.untangling(1, rounds=2, n=200)),
    ],
    ids=lambda x: getattr(x, "name", ""),
)
def test_experiments_give_the_quantities_of_their_bounds(claim, play, small):
    result = play()
    assert set(result.values) == set(claim.bounds)
    assert set(claim.bounds) - set(result.control) <= {noise_inputs.GIVES}
    assert all(np.isfinite(list(found.values())).all() for found in (result.values, result.control))
    assert play().values == result.values
    assert isinstance(claim.figure([result, result]), Figure)


def test_shares_see_the_band_that_changed():
    coarse = enlarged(torch.randn(50, 1, 4, 4), 16)
    fine = torch.randn(50, 1, 16, 16)
    fine = fine - enlarged(torch.nn.functional.avg_pool2d(fine, 4), 16)
    before = torch.zeros(50, 1, 16, 16)
    assert shares(before, fine, coarse + fine) == pytest.approx((0, 1), abs=1e-6)
    assert shares(before, coarse, coarse + fine) == pytest.approx((1, 0), abs=1e-6)
    assert shares(before, coarse / 2 + fine / 4, coarse + fine) == pytest.approx((1 / 4, 1 / 16))


def test_a_linear_reader_needs_a_straight_code():
    z = np.random.default_rng(0).normal(size=(4000, 4))
    assert unread(z, z[:, 0] > 0) < 0.02
    assert unread(z, z[:, 0] * z[:, 1] > 0) == pytest.approx(0.5, abs=0.05)
    assert unread(z, np.zeros(4000)) == 0.5 / 2000


def test_winding_keeps_the_normal_distribution_and_hides_what_was_straight():
    z = torch.randn(4000, LATENT, generator=torch.Generator().manual_seed(0))
    turned = wound(z)
    torch.testing.assert_close(turned.norm(dim=1), z.norm(dim=1))
    torch.testing.assert_close(turned.T.cov(), torch.eye(LATENT), atol=0.1, rtol=0)
    torch.testing.assert_close(wound(z, 0.0), z)
    straight = (turned[:, 0] > 0).numpy()
    assert unread(turned.numpy(), straight) < 0.02
    assert unread(z.numpy(), straight) > 0.3


class Flat(torch.nn.Module):
    """A picture that is w itself."""

    def from_w(self, w: torch.Tensor, noise: object) -> torch.Tensor:
        return w[:, None, None]


def test_the_straight_path_is_the_shortest_and_a_wound_one_is_longer():
    def length(to_w, spherical):
        return Through(Flat(), {}, torch.nn.Identity(), to_w).length(spherical, 2000, 0)

    straight, circle = length(torch.nn.Identity(), False), length(torch.nn.Identity(), True)
    assert straight == pytest.approx(2 * LATENT, rel=0.05)  # E |z - z'|^2
    assert circle == pytest.approx(math.pi**2 / 8 * straight, rel=0.05)  # an arc of 90 degrees, against its chord
    assert length(wound, True) > 2 * circle
