"""Noise of several kinds: the claim at a hundredth of the budget, and what each noise is."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra.claims import noises
from simulacra.claims.cures import modes
from simulacra.claims.noises import NOISES, Spiral, fed, pair
from simulacra.claims.steadiness import PLANE, distance
from simulacra.domains.toys import TOYS
from simulacra.gan.latent import UniformCube
from simulacra.random import draws
from simulacra.recipes.wgan_gp import wgan_gp


def test_the_experiment_gives_the_quantities_of_its_bounds_twice_the_same_and_a_picture():
    (claim,) = noises.CLAIMS
    first, second = (noises.feeding(1, steps=27) for _ in range(2))
    assert dict(first.values) == dict(second.values)
    assert set(first.values) == set(first.control) == set(claim.bounds)
    assert isinstance(claim.figure([first, second]), Figure)


def test_a_game_that_is_fed_draws_its_noise_for_both_players_and_for_samples():
    game = fed(partial(wgan_gp, PLANE), UniformCube(2))()
    roots: Any = game.learners
    parts: tuple[Any, ...] = (roots["game"], game.model)
    for part in parts:
        assert part.noise(1000)["z"].abs().max() <= 1
    plain: Any = wgan_gp(PLANE).model
    assert plain.noise(1000)["z"].abs().max() > 1


@pytest.mark.parametrize("name", NOISES)
def test_noise_is_drawn_by_seed_and_stays_where_it_is_when_projected(name: str):
    with draws(3):
        first, second = NOISES[name].draw(50), NOISES[name].draw(50)
    with draws(3):
        again = NOISES[name].draw(50)
    assert first.shape == (50, 2)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    torch.testing.assert_close(NOISES[name].project(first), first)


def test_a_spiral_has_unit_spread_and_is_not_normal():
    z = Spiral().draw(500)
    torch.testing.assert_close(z.std(0), torch.ones(2))
    assert (z.norm(dim=1) < 0.2).float().mean() < 0.01


def test_real_points_are_at_a_distance_of_one_and_two_points_are_not():
    real = TOYS["ring8"].sample(500, seed=77).numpy()[None]
    assert math.log2(distance(real, 0)) == pytest.approx(0.0, abs=0.7)
    assert modes(real) == 8
    two = pair(0)
    assert len(np.unique(two[0], axis=0)) == 2
    assert math.log2(distance(two, 0)) > 1.5
    assert modes(two) == 0
    assert distance(two, 0) < distance(np.zeros((1, 500, 2)), 0)
