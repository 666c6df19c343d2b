"""The claims on ingredients, normalised generators and sizes: their quantities, pictures, and measuring laws."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from torch import nn

from simulacra.claims import generator_norms, ingredients, sizes_of_gans
from simulacra.gan import NonSaturating

TINY = {
    "gradient-regularisation-matters-most": partial(ingredients.leaving_out, rounds=2),
    "normalised-generators-are-steadier": partial(generator_norms.normalising, rounds=2, starts=1),
    "larger-gans-are-better": partial(sizes_of_gans.enlarging, rounds=2),
}
CLAIMS = {claim.name: claim for room in (ingredients, generator_norms, sizes_of_gans) for claim in room.CLAIMS}


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))
def test_an_experiment_gives_the_quantities_of_its_bounds_and_a_picture(claim):
    result = TINY[claim.name](1)
    assert set(result.values) == set(claim.bounds) == set(result.control)
    assert all(np.isfinite(value) for value in [*result.values.values(), *result.control.values()])
    assert isinstance(claim.figure([result, result]), Figure)


def test_a_seed_decides_the_numbers():
    one, again, other = (generator_norms.normalising(seed, rounds=1, starts=1).values for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_digits_are_near_digits_and_far_from_noise_and_from_nothing_finite():
    real = ingredients.digits().reshape(-1, 1, 8, 8)
    assert ingredients.apart(real) == pytest.approx(0, abs=1e-6)
    assert ingredients.apart(real[::2]) < 0.2
    assert ingredients.apart(np.random.default_rng(0).random(real.shape)) > 5
    assert ingredients.apart(np.full_like(real, np.nan)) > 1e6


def test_a_shift_of_all_pixels_is_its_square_far():
    real = ingredients.digits().reshape(-1, 1, 8, 8)
    assert ingredients.apart(real + 0.5) == pytest.approx(64 * 0.25, rel=1e-6)


def test_the_penalty_matters_most_only_where_no_other_change_does_more():
    effect, margin = ingredients.EFFECT.format("a"), ingredients.MARGIN.format("a")
    found = {"no penalty": 1.0, "no batch norm": 0.25, "half width": -2.0}
    assert ingredients.measured(found, "a") == {effect: 1.0, margin: 0.75}
    assert ingredients.measured(found | {"half width": 3.0}, "a") == {effect: 1.0, margin: -2.0}


def test_each_change_changes_what_it_says():
    def built(**how: Any) -> Any:
        return ingredients.game(NonSaturating(), **how)

    def of(made, kind):
        return sum(isinstance(module, kind) for module in made.model.modules())

    full = built()
    made = {change: built(**how) for change, how in ingredients.CHANGES.items()}
    assert len(full.model.critic_terms) == 1
    assert not made["no penalty"].model.critic_terms
    assert of(full, nn.BatchNorm2d) == 1
    assert of(made["no batch norm"], nn.BatchNorm2d) == 0
    group = made["rate x 5"].players[1].optimizer.param_groups[0]
    assert group["lr"] == 5 * full.players[1].optimizer.param_groups[0]["lr"]
    assert made["beta1 0.9"].players[0].optimizer.param_groups[0]["betas"][0] == 0.9
    assert (full.players[0].repeats, made["one critic turn"].players[0].repeats) == (2, 1)
    assert sum(p.numel() for p in made["half width"].model.parameters()) < sum(
        p.numel() for p in full.model.parameters()
    )


def test_a_game_is_lost_where_it_is_worse_than_the_mean_digit_alone():
    level = generator_norms.mean_alone()
    mean = np.repeat(ingredients.digits().mean(0)[None], 100, axis=0).reshape(-1, 1, 8, 8)
    assert ingredients.apart(mean) == pytest.approx(level, rel=1e-6)
    assert generator_norms.judged(level * np.array([0.5, 0.9, 2.0, 4.0]))[1] == 0.5


def test_the_spread_is_that_of_log2_and_knows_no_unit():
    spread, _ = generator_norms.judged(np.array([[1.0, 2.0], [4.0, 8.0]]))
    assert spread == pytest.approx(np.std([0, 1, 2, 3], ddof=1))
    assert generator_norms.judged(5 * np.array([1.0, 2.0, 4.0, 8.0]))[0] == pytest.approx(spread)
    assert generator_norms.judged(np.full(4, 3.0))[0] == 0


@pytest.mark.parametrize("power", [-1.5, 0.0, 0.5])
def test_a_power_law_has_its_power_for_a_slope(power):
    for sizes in (sizes_of_gans.BATCHES, sizes_of_gans.WIDTHS):
        found = 7 * np.array(sizes, dtype=float) ** power
        assert sizes_of_gans.per_doubling(sizes, found) == pytest.approx(power, abs=1e-9)
