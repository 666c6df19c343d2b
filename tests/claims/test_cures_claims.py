"""Cures for mode collapse: the experiment on a small budget, and how games are followed."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from simulacra.batch import Batch
from simulacra.claims import cures
from simulacra.claims.collapse import ring
from simulacra.claims.following import adjust, follow, turns
from simulacra.domains.toys import TOYS
from simulacra.recipes.gan import gan


def data() -> Batch:
    return Batch(TOYS["ring8"].sample(500, seed=0))


def test_the_experiment_gives_the_quantities_of_its_bounds_and_a_picture():
    (claim,) = cures.CLAIMS
    result = cures.curing(0, steps=6)
    assert set(result.values) == set(claim.bounds)
    assert result.control
    assert set(result.control) <= set(claim.bounds)
    assert isinstance(claim.figure([result]), Figure)


def test_modes_are_counted_in_a_mean_look_and_a_diverged_game_has_none():
    centres, _ = ring()
    everywhere, one = np.repeat(centres, 10, axis=0), np.repeat(centres[:1], 80, axis=0)
    assert cures.modes(np.stack([everywhere, one])) == 4.5
    assert cures.modes(np.full((2, 80, 2), np.nan)) == 0


def test_looking_does_not_change_a_game_and_a_seed_decides_it():
    build = cures.GAMES["WGAN-GP"]
    seldom, often = (follow(build, cures.PLANE, data(), 1, rounds=4, looks=looks, count=20) for looks in (1, 4))
    other = follow(build, cures.PLANE, data(), 2, rounds=4, looks=1, count=20)
    assert np.array_equal(seldom[-1], often[-1])
    assert not np.array_equal(seldom[-1], other[-1])
    assert not np.array_equal(often[0], often[-1])


def test_a_game_that_diverges_is_nan_from_there_on():
    made = follow(lambda: gan(cures.PLANE, lr=1e30), cures.PLANE, data(), 0, rounds=6, looks=6, count=5)
    assert np.isnan(made[-1]).all()


def test_players_are_adjusted_and_their_steps_counted():
    game = adjust(cures.GAMES["WGAN-GP"](), beta1=0.25, slow=0.1)
    critic, generator = (optimizer.param_groups[0] for optimizer in game.optimizers())
    assert critic["betas"] == generator["betas"] == (0.25, 0.9)
    assert critic["lr"] == pytest.approx(generator["lr"] / 10)
    assert turns(game) == 3
