"""The claims on growing: their distance, what they count as cost, and their experiments on a small budget."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra.claims import growing
from simulacra.claims.claim import outcome
from simulacra.networks.progressive import enlarged, reduced

TINY = {
    "growing-learns-sooner": partial(growing.racing, rounds=10),
    "fade-in-avoids-shocks": growing.fading,
}


def pictures(n: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 1, 16, 16, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(growing, "small_pictures", lambda rows: pictures(100, rows.start))


def test_every_claim_is_here():
    assert {claim.name for claim in growing.CLAIMS} == set(TINY)


@pytest.mark.parametrize("claim", growing.CLAIMS, ids=lambda claim: claim.name)
def test_an_experiment_gives_the_quantities_of_its_bounds_and_a_picture(claim):
    result = TINY[claim.name](1)
    assert set(result.values) == set(claim.bounds)
    assert result.control
    assert set(result.control) <= set(claim.bounds)
    assert isinstance(claim.figure([result, result]), Figure)


def test_a_seed_decides_the_race():
    first, second, other = (growing.racing(seed, rounds=3) for seed in (1, 1, 2))
    assert first.values == second.values
    for name, value in first.arrays.items():
        assert np.array_equal(value, second.arrays[name])
    assert not np.array_equal(first.arrays["direct/distance"], other.arrays["direct/distance"])


def test_growing_costs_less_until_it_is_grown():
    """Operations per round rise with the stage and end at the direct game's."""
    run = growing.racing(0, rounds=20).arrays
    grown, direct = (np.diff(run[f"{kind}/operations"]) for kind in ("grown", "direct"))
    assert (grown[1:] >= 0.999 * grown[:-1]).all()  # the way past a stage that fades in costs a little, too
    assert direct == pytest.approx(direct[0])
    assert grown[-1] == pytest.approx(direct[-1])
    assert grown[0] < direct[0] / 8
    assert np.array_equal(run["grown/pictures"], run["direct/pictures"])


def test_the_distance_sees_the_band_in_which_pictures_differ():
    real, other = pictures(500), pictures(500, 1)
    same = growing.band_distance(real, other)
    assert growing.band_distance(real, real) == 0
    assert same < 0.15
    blurred = growing.band_distance(real, enlarged(reduced(other, 8), 16))
    coarse = growing.band_distance(real, enlarged(reduced(other, 4), 16))
    # a band that is missing has E|N(0, 1)| of its standard deviations
    missing = math.sqrt(2 / math.pi) / 3
    assert blurred == pytest.approx(missing + same * 2 / 3, rel=0.1)
    assert coarse == pytest.approx(2 * missing + same / 3, rel=0.1)


def test_the_bands_add_up_to_the_picture():
    x = pictures(3)
    coarse, middle, fine = (torch.from_numpy(band) for band in growing.bands(x))
    sides = (coarse.view(3, 1, 4, 4), middle.view(3, 1, 8, 8), fine.view(3, 1, 16, 16))
    assert torch.allclose(torch.stack([enlarged(side, 16) for side in sides]).sum(0).float(), x, atol=1e-6)


def test_the_fade_in_holds_exactly_and_joining_at_once_does_not():
    (claim,) = (claim for claim in growing.CLAIMS if claim.name == "fade-in-avoids-shocks")
    assert outcome(claim, [growing.fading(seed) for seed in range(claim.seeds)]).verdict == "TRUE"


def test_what_never_reaches_the_target_costs_infinitely_much():
    run = {"operations": np.array([1.0, 2.0, 3.0]), "distance": np.array([0.5, 0.2, 0.3])}
    assert growing.spent_until(run, 0.3) == 2.0
    assert growing.spent_until(run, 0.1) == math.inf
