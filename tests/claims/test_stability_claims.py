"""Claims on stability and styles: their experiments on a small budget, and the laws of what they measure."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra.claims import guidelines, momentum, rates, speed, styles


def pictures(n: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 1, 16, 16, generator=torch.Generator().manual_seed(seed))


TINY = {
    "spectral-norm-stands-high-rates": partial(rates.standing, rounds=1, games=1),
    "spectral-norm-needs-one-turn": partial(speed.cheaper, gradients=22, looks=2),
    "styles-move-their-own-scale": partial(styles.mixing, rounds=2, n=20),
    "truncation-trades-variation-for-quality": partial(styles.truncating, rounds=2, n=40),
    "each-rule-of-dcgan-helps": partial(
        guidelines.leaving_out, rounds=2, pictures=pictures(64), held_out=pictures(40, 1)
    ),
    "momentum-hurts-games": partial(momentum.hurting, rounds=2, looks=2),
}
CLAIMS = {claim.name: claim for room in (rates, speed, styles, guidelines, momentum) for claim in room.CLAIMS}


def test_every_claim_is_here():
    assert set(CLAIMS) == set(TINY)


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))
def test_an_experiment_gives_the_quantities_of_its_bounds_and_a_picture(claim):
    result = TINY[claim.name](0)
    assert set(result.values) == set(claim.bounds)
    assert result.control
    assert set(result.control) <= set(claim.bounds)
    assert isinstance(claim.figure([result, result]), Figure)


def test_a_seed_decides_the_numbers():
    one, again, other = (momentum.hurting(seed, rounds=2, looks=1) for seed in (1, 1, 2))
    assert one.values == again.values
    assert one.values != other.values


def test_a_game_that_leaves_or_is_not_finite_has_diverged_and_a_mean_has_not():
    real = np.random.default_rng(0).normal(size=(100, 2))
    here = np.broadcast_to(real, (3, 100, 2))
    assert not rates.diverged(here, real)
    assert not rates.diverged(0 * here, real)
    assert rates.diverged(here + 5.0, real)
    assert rates.diverged(np.full((3, 100, 2), np.nan), real)
    assert not rates.diverged(np.concatenate([here[:2] + 5.0, here[2:]]), real)


def test_one_mode_alone_is_as_far_from_the_ring_as_chords_are_long():
    angle = 2 * math.pi * np.arange(8) / 8
    ring = 2 * np.stack([np.cos(angle), np.sin(angle)], 1)
    one = np.repeat(ring[:1], 8, axis=0)
    scale = ring.std(0).mean()
    assert rates.w1(one / scale, ring / scale) == pytest.approx(rates.ONE_MODE, abs=0.01)


def test_a_level_is_reached_where_two_looks_in_a_row_are_there():
    far, near = 2 * speed.LEVEL, speed.LEVEL / 2
    run = {"a/distance": np.array([far, near, far, near, near]), "a/gradients": np.arange(1.0, 6.0)}
    assert speed.cost(run, "a", "gradients") == 4
    run["a/distance"][3] = far
    assert speed.cost(run, "a", "gradients") == 5
    run["a/distance"][4] = far
    assert speed.cost(run, "a", "gradients") == math.inf


def test_a_cost_that_is_infinite_counts_as_sixteen_times_the_other():
    assert speed.ratio(1.0, 4.0) == -2
    assert [speed.ratio(math.inf, 1.0), speed.ratio(1.0, math.inf), speed.ratio(math.inf, math.inf)] == [4, -4, 0]


def test_gradients_are_counted_as_the_players_take_them():
    for name, kind in speed.KINDS.items():
        turns: list[Any] = [player.repeats for player in kind.build().players]
        assert kind.gradients == turns[0] * (2 if "GP" in name else 1) + turns[1]


def test_bands_add_up_and_each_change_is_seen_in_its_own():
    x, other = torch.rand(5, 1, 8, 8), torch.rand(5, 1, 8, 8)
    (low, high), (coarse, fine) = styles.bands(x), styles.bands(other)
    assert torch.allclose(low + high, x)
    ideal = styles.moved(x, coarse + high, low + fine, other)
    assert list(ideal.values()) == pytest.approx([0, 0, 1], abs=1e-6)
    assert list(styles.moved(x, low + fine, coarse + high, other).values()) == pytest.approx([1, 1, -1], abs=1e-6)


def test_ranks_know_direction_and_ignore_what_hardly_changes():
    psi = np.array(styles.PSI)
    assert styles.rank(psi**3) == pytest.approx(1)
    assert styles.rank(-psi) == pytest.approx(-1)
    assert styles.rank(0.001 * psi) == 0


def test_z_pulled_to_its_mean_changes_nothing_and_w_does():
    made = styles.generator(0, 0)
    inner, outer = (
        styles.strip(made, 40, 0, where)["pictures"].reshape(len(styles.PSI), -1) for where in (True, False)
    )
    assert np.allclose(outer[0], outer[-1], atol=1e-4)
    assert not np.allclose(inner[0], inner[-1], atol=1e-2)


def test_gradient_steps_leave_the_equilibrium_as_the_rotation_says():
    """Near 0 the Dirac GAN turns at 1/2 and a step stretches by sqrt(1 + (rate / 2)^2)."""
    path = momentum.heavy_ball(momentum.duel, np.array([1e-3, 0.0]), 0.0, rate=0.2, steps=50)
    assert path[-1] / path[0] == pytest.approx(1.01**25, rel=1e-3)


def test_momentum_hurts_the_duel_and_helps_the_descent():
    start = np.array([0.6, 0.8])
    duel, alone = (
        [momentum.heavy_ball(rule, start, m)[-1] for m in momentum.MOMENTA] for rule in (momentum.duel, momentum.alone)
    )
    assert duel == sorted(duel)
    assert alone == sorted(alone, reverse=True)


def test_every_rule_that_is_left_out_changes_a_network():
    spec = guidelines.SPEC
    whole = repr(guidelines.game(spec, ({}, {})).model)
    assert len({whole, *(repr(guidelines.game(spec, broken).model) for broken in guidelines.BROKEN.values())}) == 6
