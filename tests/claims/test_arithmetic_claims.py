"""Sums of latents: claims at a hundredth of the budget, and the laws of what they measure."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

from simulacra.claims import arithmetic
from simulacra.claims.arithmetic import DRAWN, Latents, alike, exemplars, latents, quadrant, read, solved


def test_the_experiment_gives_the_quantities_of_its_bounds_twice_the_same_and_a_picture():
    (claim,) = arithmetic.CLAIMS
    first, second = (arithmetic.summing(1, rounds=2) for _ in range(2))
    assert dict(first.values) == dict(second.values)
    assert set(first.values) == set(first.control) == set(claim.bounds)
    assert isinstance(claim.figure([first, second]), Figure)
    shown = [x for name, x in first.arrays.items() if not name.endswith("shares")]
    assert all(x.shape == (4, 1, 8, 8) and 0 <= np.min(x) <= np.max(x) <= 1 for x in shown)


@pytest.mark.parametrize("kind", DRAWN)
def test_factors_are_read_off_drawn_pictures_to_the_grid(kind: str):
    factors = 2 * torch.rand(200, 2, generator=torch.Generator().manual_seed(0)) - 1
    assert (read(kind, DRAWN[kind](factors, 8)) - factors).abs().mean() < 0.04


def test_marks_are_where_their_factors_say():
    x = arithmetic.marks(torch.tensor([[-0.625, 0.625]]), 8)[0, 0]
    assert x.argmax(1).tolist() == [2] * 4 + [5] * 4
    assert x.max() == 1.0


def test_quadrants_are_numbered_as_corners_are():
    assert quadrant(arithmetic.CORNERS).tolist() == [0, 1, 2, 3]


def of(*, bent: bool = False, noise: int = 6) -> Latents:
    """Latents whose first two numbers are the factors, or of which the second is told by its product with the first."""
    z = torch.randn(4000, 2 + noise, generator=torch.Generator().manual_seed(1))

    def push(z: Tensor) -> Tensor:
        return torch.stack([z[:, 0], z[:, 1] * z[:, 0].sign() if bent else z[:, 1]], 1)

    return latents(z, push, lambda x: x)


def test_sums_come_out_where_latents_are_the_factors():
    held = of()
    pools = exemplars(held)
    share = solved(held, pools, 0)
    assert share[10] == 1.0
    assert share[1] > 0.9
    assert alike(pools) > 0.9


def test_sums_of_any_latents_come_out_by_chance():
    held = of()
    share = solved(held, held.z[:400].split(100), 0)
    assert list(share.values()) == pytest.approx([0.25] * 3, abs=0.12)


def test_a_factor_that_turns_with_the_other_comes_out_wrong_however_many_are_averaged():
    held = of(bent=True)
    pools = exemplars(held)
    assert solved(held, pools, 0)[10] == 0.0
    assert alike(pools) < -0.9


def test_averages_take_the_noise_of_single_latents_away():
    """Factors of many latents each, the second of their cubes."""
    z = torch.randn(4000, 32, generator=torch.Generator().manual_seed(2))
    held = latents(z, lambda z: torch.stack([z[:, :16].sum(1) / 4, z[:, 16:].pow(3).sum(1) / 15], 1), lambda x: x)
    share = solved(held, exemplars(held), 0)
    assert share[1] < share[3] <= share[10]
    assert share[10] > 0.95
