"""The claims on networks, sizes, metrics and attributes: their quantities, pictures, and measuring laws."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from simulacra.claims import converging, convolutions, earth_movers, editing, factorial, small_games
from simulacra.claims.claim import Result
from simulacra.gan import GradientPenalty, NonSaturating, Wasserstein
from simulacra.training.game import Clock


def noise(n: int, seed: int) -> torch.Tensor:
    return torch.rand(n, 1, 16, 16, generator=torch.Generator().manual_seed(seed))


DATA = small_games.Pictures(noise(64, 0), noise(20, 1))
TINY: dict[str, Callable[[], Result]] = {
    "convolutions-are-steadier": lambda: convolutions.steadying(1, rounds=4, data=DATA),
    "convergence-is-weak-and-large-games-unsteady": lambda: converging.converging(1, rounds=9, data=DATA),
    "wasserstein-gans-make-better-pictures": lambda: earth_movers.picturing(1, rounds=6, data=DATA),
    "wasserstein-helps-gradients-and-modes": lambda: earth_movers.helping(1, steps=12, alone=60),
    "metric-penalty-and-growth-steady": lambda: factorial.crossing(1, rounds=3, data=DATA),
    "attributes-switch-modes": lambda: editing.editing(1, rounds=4),
}
CLAIMS = {c.name: c for room in (convolutions, converging, earth_movers, factorial, editing) for c in room.CLAIMS}


@pytest.mark.parametrize("name", TINY)
def test_an_experiment_gives_the_quantities_of_its_bounds_and_a_picture(name):
    claim, play = CLAIMS[name], TINY[name]
    result = play()
    assert set(result.values) == set(claim.bounds)
    assert result.control
    assert set(result.control) <= set(claim.bounds)
    assert all(np.isfinite(value) for value in [*result.values.values(), *result.control.values()])
    assert isinstance(claim.figure([result, result]), Figure)


@pytest.mark.parametrize("name", ["attributes-switch-modes", "wasserstein-helps-gradients-and-modes"])
def test_a_seed_decides_the_numbers(name):
    assert TINY[name]().values == TINY[name]().values


def test_every_claim_is_here():
    assert set(CLAIMS) == set(TINY)


def test_a_game_that_was_lost_is_far_at_each_look():
    def lost() -> Any:
        game: Any = convolutions.game("dense layers", 1e-3)
        nn.init.constant_(next(game.players[1].trains.parameters()), math.nan)
        return game

    assert (small_games.path(lost, DATA, 0, 4, 2) > 100).all()
    assert (small_games.path(partial(convolutions.game, "dense layers", 1e-3), DATA, 0, 4, 2) < 10).all()


def test_the_end_is_the_last_third_and_a_swing_is_what_a_line_leaves():
    assert small_games.end(np.arange(9.0)) == 7
    assert small_games.end(np.array([4.0])) == 4
    fall = 2.0 ** -np.linspace(0, 3, 20)
    assert small_games.swing(fall) == pytest.approx(0, abs=1e-12)
    zigzag = np.array([1.0, -1.0] * 10)
    assert small_games.swing(fall * 2.0**zigzag) == pytest.approx(1, rel=0.05)
    assert small_games.swing(5 * fall * 2.0**zigzag) == pytest.approx(small_games.swing(fall * 2.0**zigzag))


def test_two_critic_turns_cost_more_than_one_and_twice_the_batch_twice_as_much():
    one, two = (partial(earth_movers.OF_PICTURES["WGAN-GP"], n_critic=k) for k in (1, 2))
    cost = small_games.operations(one, DATA)
    assert 1.5 * cost < small_games.operations(two, DATA) < 2 * cost
    plain = earth_movers.OF_PICTURES["GAN"]
    assert small_games.operations(partial(plain, batch=64), DATA) == pytest.approx(
        2 * small_games.operations(plain, DATA), rel=0.01
    )


def test_networks_of_both_kinds_have_about_as_many_parameters():
    def parameters(kind: str) -> int:
        return sum(p.numel() for player in convolutions.game(kind, 1e-3).players for p in player.trains.parameters())

    assert parameters("dense layers") == pytest.approx(parameters("convolutions"), rel=0.1)


def test_games_that_end_farther_spread_and_swing_are_found_to():
    rng = np.random.default_rng(0)
    first = 2.0 ** (0.1 * rng.standard_normal((4, 12)))
    assert convolutions.compared(first, 2 * first) == pytest.approx(
        {convolutions.FARTHER: 1, convolutions.SPREAD: 0, convolutions.SWING: 0}
    )
    apart = convolutions.compared(first, first * 2.0 ** np.arange(4.0)[:, None])
    assert apart[convolutions.SPREAD] > 1
    assert apart[convolutions.SWING] == pytest.approx(0)
    assert convolutions.compared(first, first**3)[convolutions.SWING] > 0.1


def test_a_larger_model_that_swings_more_and_ends_nearer_is_found_to():
    small = 2.0 ** (0.1 * np.random.default_rng(0).standard_normal(30))
    found = converging.steadiness(small, 0.5 * small**2)
    assert found[converging.SWINGS] == pytest.approx(1)
    assert found[converging.FARTHER] == pytest.approx(-1, abs=0.1)


def test_the_gradient_of_a_minimax_generator_dies_and_that_of_the_others_does_not():
    left = {name: earth_movers.left(build, 0, 300) for name, build in earth_movers.OF_POINTS.items()}
    assert left["minimax GAN"] < 0.03
    assert all(value > 0.3 for name, value in left.items() if name != "minimax GAN")


def test_effects_that_add_are_each_found():
    effects = np.array([-1.0, 0.5, -0.25])
    ends = sum(e * k for e, k in zip(effects, np.indices((2, 2, 2)), strict=True))[..., None].repeat(2, -1)
    found = factorial.measured(ends)
    for form in (factorial.NEARER, factorial.ALONE):
        assert [found[form.format(name)] for name in factorial.FACTORS] == pytest.approx(effects)
    assert [found[factorial.SPREAD.format(name)] for name in factorial.FACTORS] == pytest.approx([0, 0, 0])


def test_starts_that_differ_under_one_factor_only_are_its_spread():
    ends = np.random.default_rng(0).standard_normal((4000, 2, 2, 2, 2))
    ends[:, :, 1] *= 3
    found = {name: np.mean([factorial.measured(x)[factorial.SPREAD.format(name)] for x in ends]) for name in
             factorial.FACTORS}  # fmt: skip
    assert found == pytest.approx({"smooth metric": 0, "penalty": 2, "growth": 0}, abs=0.05)


def test_a_factor_alone_is_not_its_mean_over_the_others():
    ends = np.zeros((2, 2, 2, 2))
    ends[1, 1] = -2.0
    found = factorial.measured(ends)
    assert found[factorial.ALONE.format("penalty")] == 0
    assert found[factorial.NEARER.format("penalty")] == pytest.approx(-1)
    assert found[factorial.NEARER.format("growth")] == 0


def test_each_factor_changes_what_it_says():
    none, metric, penalty, growth = (
        factorial.game(*cell)
        for cell in ((False,) * 3, (True, False, False), (False, True, False), (False, False, True))
    )

    def parts(made: Any) -> tuple[type, bool]:
        duel = made.learners["game"]
        return type(duel.objective), any(isinstance(term, GradientPenalty) for term in duel.critic_terms)

    assert [parts(made) for made in (none, metric, penalty, growth)] == [
        (NonSaturating, False), (Wasserstein, False), (NonSaturating, True), (NonSaturating, False)
    ]  # fmt: skip

    def sizes(made: Any) -> list[int]:
        return [made.batch_size(Clock(k, 100)) for k in (0, 99)]

    assert sizes(none) == [16, 16]
    assert sizes(growth)[0] > sizes(growth)[1] == 16


def asked() -> torch.Tensor:
    """Factors [2, 2, 1, 2] of faces that are all as asked for."""
    return torch.tensor([[[[a, b]] for b in (-0.7, 0.7)] for a in (-0.7, 0.7)])


def test_edits_of_a_face_that_does_what_it_is_told():
    assert editing.changed(asked()) == pytest.approx({editing.ASKED: 1, editing.STAYS: 1, editing.MOVES: 0}, abs=1e-7)


def test_edits_of_a_face_that_hears_nothing_or_the_other_word():
    deaf = editing.changed(torch.full((2, 2, 5, 2), 0.7))
    assert deaf[editing.ASKED] == 0.25
    assert deaf[editing.STAYS] == 1
    swapped = editing.changed(asked().flip(-1))
    assert swapped[editing.ASKED] == 0.5
    assert swapped[editing.STAYS] == 0
    assert swapped[editing.MOVES] > 100


def test_a_smile_that_moves_the_head_half_as_far_is_seen():
    factors = asked()
    factors[:, 1, :, 0] += 0.7
    found = editing.changed(factors)
    assert found[editing.MOVES] == pytest.approx((0.7 + 0) / (1.4 + 1.4))


def test_faces_are_read_as_they_were_drawn():
    x, given = editing.drawn(200, 3)
    factors = editing.read("pose and smile", x)
    for k, name in enumerate(editing.NAMES):
        assert ((factors[:, k] > 0).long() == given[name]).all()
        assert set(given[name].tolist()) == {0, 1}


def test_a_critic_that_knows_an_attribute_prefers_it_and_one_that_does_not_cannot():
    game: Any = editing.trained(0, 1)

    class Knows(nn.Module):
        def forward(self, x: torch.Tensor, given: Any) -> Any:
            factors = 2 * (editing.read("pose and smile", game.codec.decode(editing.Batch(x)).x) > 0) - 1
            told = torch.stack([given[name].argmax(1) if given[name].ndim > 1 else given[name] for name in given], 1)
            return type("Verdict", (), {"score": (factors * (2 * told - 1)).sum(1).float()})()

    game.learners["game"].critic = Knows()
    assert editing.preferred(game, 0, 100) == 1

    class Deaf(nn.Module):
        def forward(self, x: torch.Tensor, given: Any) -> Any:
            return type("Verdict", (), {"score": x.flatten(1).sum(1)})()

    game.learners["game"].critic = Deaf()
    assert editing.preferred(game, 0, 100) == 0
