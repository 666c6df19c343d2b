"""Claims that need training: their experiments at a hundredth of the budget, and the closed forms behind them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra.claims import collapse, critics, estimates, losses, manifolds, pairs, tagging
from simulacra.claims.claim import Claim, Result
from simulacra.claims.fitting import fit, normals, score, slope
from simulacra.claims.runs import Run, Setting, play, w1
from simulacra.gan import GradientPenalty
from simulacra.random import reseed

TINY: dict[str, Callable[[int], Result]] = {
    "critic-needs-a-lipschitz-constraint": lambda seed: critics.unconstrained(seed, steps=40),
    "critic-is-linear-where-the-discriminator-saturates": lambda seed: critics.saturating(seed, steps=20),
    "clipping-drives-weights-to-the-limit": lambda seed: critics.piling(seed, steps=10),
    "clipping-constrains-the-critic": lambda seed: critics.constraining(seed, steps=10),
    "critic-estimates-wasserstein": lambda seed: estimates.estimating(seed, steps=10),
    "loss-correlates-with-quality": lambda seed: losses.correlating(seed, 1, Setting(steps=48, looks=4)),
    "loss-allows-a-search": lambda seed: losses.searching(seed, cut=400),
    "mode-collapse-and-cycling": lambda seed: collapse.collapsing(seed, games=1, cut=400),
    "one-event-does-not-tell-a-collapse": lambda seed: tagging.tagged(seed, steps=10, rows=200),
    "wasserstein-prevents-collapse": lambda seed: collapse.covering(seed, games=1, cut=400),
    "gans-rarely-settle": lambda seed: collapse.settling(seed, games=1, cut=400),
    "players-need-the-same-capacity": lambda seed: collapse.matching(seed, cut=400),
    "random-images-never-come-near": lambda seed: manifolds.random_images(seed, count=500),
    "images-lie-near-a-thin-manifold": manifolds.intrinsic,
    "correlations-are-high-dimensional": manifolds.correlated,
    "tied-layers-pair-two-domains": lambda seed: pairs.coupling(seed, rounds=4),
    "fresh-discriminators-separate": lambda seed: manifolds.separating(seed, rounds=5, steps=(0, 5)),
}
ROOMS = (critics, estimates, losses, collapse, tagging, manifolds, pairs)
CLAIMS = {claim.name: claim for room in ROOMS for claim in room.CLAIMS}


def test_every_claim_is_here():
    assert set(CLAIMS) == set(TINY)


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))
def test_an_experiment_gives_the_quantities_of_its_bounds_and_a_picture(claim: Claim):
    result = TINY[claim.name](0)
    assert set(result.values) == set(claim.bounds)
    assert result.control
    assert set(result.control) <= set(claim.bounds)
    assert isinstance(claim.figure([result, result]), Figure)


@pytest.mark.parametrize(
    "name", ["critic-needs-a-lipschitz-constraint", "mode-collapse-and-cycling", "fresh-discriminators-separate"]
)
def test_a_seed_decides_the_numbers(name: str):
    first = TINY[name](1)
    play.cache_clear()
    torch.rand(7)
    again, other = TINY[name](1), TINY[name](2)
    assert dict(first.values) == dict(again.values)
    assert any(not np.array_equal(first.arrays[k], other.arrays[k]) for k in first.arrays)


def test_looking_at_a_game_does_not_change_it():
    seldom, often = (play(Setting(steps=48, looks=looks), 0) for looks in (2, 8))
    assert np.array_equal(seldom.samples[-1], often.samples[-1])
    assert seldom.distance[-1] == often.distance[-1]


@pytest.mark.parametrize(("kind", "turns"), [("gan", 1), ("wgan", 5), ("wgan_gp", 2)])
def test_all_games_cost_the_same(kind: str, turns: int):
    run = play(Setting(kind, steps=60, looks=5), 0)
    assert run.rounds[-1] * (turns + 1) == 60


def test_exact_distance_of_shifted_clouds():
    x = np.random.default_rng(0).normal(size=(60, 2))
    assert w1(x, x + [3.0, 4.0]) == pytest.approx(5.0)


def test_a_penalty_lets_the_critic_exceed_w1_by_what_quadrature_says():
    reseed(0)
    fitted = fit(normals(2.0, size=2), 500, penalty=GradientPenalty(10.0))
    assert fitted.value == pytest.approx(critics.soft(2.0, 10.0), rel=0.05)
    assert fitted.value > 2.05
    excess = [critics.soft(2.0, weight) - 2.0 for weight in (5.0, 10.0)]
    assert excess[0] == pytest.approx(2 * excess[1])


def test_a_critic_has_the_slope_that_its_penalty_asks_for():
    reseed(1)
    critic = fit(normals(4.0), 400, penalty=GradientPenalty(50.0, target=2.0, one_sided=True)).critic
    x = torch.linspace(0.5, 3.5, 31)[:, None]
    assert slope(critic, x).flatten().numpy() == pytest.approx(-2.0, abs=0.2)
    assert (score(critic, x).diff() < 0).all()


def test_a_critic_without_a_bound_outgrows_every_other():
    reseed(2)
    free, clipped = fit(normals(1.0), 150), fit(normals(1.0), 150, clip=0.1)
    assert free.value > 3 > clipped.value
    assert max(p.abs().max().item() for p in clipped.critic.parameters()) <= 0.1 + 1e-7


def test_piled_counts_weights_near_the_largest():
    assert critics.piled(np.array([0.1, -0.1, 0.0995, 0.05])) == 0.75


def test_rank_correlation_knows_direction_and_nothing_else():
    x = np.arange(9.0)
    assert losses.rank(x, np.exp(x)) == pytest.approx(1.0)
    assert losses.rank(x, -(x**3)) == pytest.approx(-1.0)


def test_one_event_and_a_minibatch_tell_what_they_can():
    """Of fakes in half of the modes one event knows 3/4, of fakes in the other half 1/4; a minibatch knows all."""
    values = tagging.tagged(0, steps=300, rows=800).values
    expected = {
        "one event, in the mode itself": 0.5,
        "one event, modes of training": 0.75,
        "one event, new modes": 0.25,
        "minibatch, new modes": 1.0,
    }
    assert values == pytest.approx(expected, abs=0.07)


def run_of(samples: np.ndarray, distance: np.ndarray) -> Run:
    t = np.arange(len(samples), dtype=float)
    return Run(t, samples, t, t, distance, 1.0)


def test_a_game_settles_only_if_it_stays():
    samples = np.zeros((9, 5, 2))
    near = np.full(9, 0.1)
    assert collapse.settled(run_of(samples, near))
    assert collapse.settled(run_of(samples, np.r_[5.0, near[1:]]))
    assert not collapse.settled(run_of(samples, np.r_[near[:7], 2.0, 0.1]))


def test_modes_are_counted_where_samples_are():
    centres, _ = collapse.ring()
    everywhere, one = np.repeat(centres, 10, axis=0), np.repeat(centres[:1], 80, axis=0)
    run = run_of(np.stack([everywhere, one, everywhere + 0.5]), np.zeros(3))
    assert collapse.held(run).sum(1).tolist() == [8, 1, 0]
    assert collapse.followed(run).visits.sum(1) == pytest.approx(1.0)


def test_wider_players_are_other_games():
    base = Setting(steps=24, looks=2)
    ends = [play(s, 0).samples[-1] for s in (base, replace(base, critic=8), replace(base, slow=0.1))]
    assert not np.array_equal(ends[0], ends[1])
    assert not np.array_equal(ends[0], ends[2])


@pytest.mark.parametrize("size", [1, 3])
def test_two_nearest_neighbours_know_the_dimension_of_a_cube(size: int):
    draw = np.random.default_rng(size)
    flat = draw.uniform(size=(1500, size)) @ draw.normal(size=(size, 20))
    assert manifolds.two_nn(flat) == pytest.approx(size, rel=0.15)
    assert manifolds.components(flat, share=1 - 1e-9) == size


def test_shuffled_pixels_keep_their_values_and_forget_each_other():
    draw = np.random.default_rng(0)
    x = np.repeat(draw.normal(size=(500, 1)), 3, axis=1)
    mixed = manifolds.shuffled(x, draw)
    assert np.array_equal(np.sort(mixed, axis=0), np.sort(x, axis=0))
    assert abs(np.asarray(np.corrcoef(mixed.T))[0, 1]) < 0.2


def test_real_images_fail_the_bound_that_noise_passes():
    result = manifolds.random_images(0, count=2000)
    name = "uniform pixels: smallest distance / real"
    assert result.control[name] < 1 < result.values[name]


def test_a_fresh_discriminator_knows_what_differs_and_nothing_else():
    reseed(3)
    x = torch.randn(900, 8)
    same = manifolds.fresh((x[:300], x[300:600]), (x[600:750], x[750:]), 0.0, (0, 60))
    apart = manifolds.fresh((x[:300], x[300:600]), (x[600:750] + 4, x[750:] + 4), 0.0, (0, 60))
    drowned = manifolds.fresh((x[:300], x[300:600]), (x[600:750] + 4, x[750:] + 4), 50.0, (0, 60))
    assert abs(same[-1] - 0.5) < 0.1
    assert apart[-1] > 0.99
    assert drowned[-1] < 0.75
    assert math.isclose(manifolds.fresh((x[:9], x[:9]), (x[:9], x[:9]), 0.0, (0,))[0], 0.5)


def test_agreement_is_one_for_pairs_and_none_for_strangers():
    x = torch.randn(400, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert pairs.agreement(x, -x) == 1
    assert abs(pairs.agreement(x, x.roll(7, 0))) < 0.05
    background = torch.cat([x[..., :2], torch.full((400, 1, 8, 6), -1.0)], 3)
    assert abs(pairs.agreement(background, -background.roll(7, 0))) < 0.05
