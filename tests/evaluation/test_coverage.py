"""Precision, recall, density, coverage, and what a generator does with known modes."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.errors import UserError
from simulacra.evaluation.coverage import coverage, distances
from simulacra.evaluation.modes import cycling, modes, visits


def mixture(n: int, seed: int, shares: list[float], width: float = 1.0) -> np.ndarray:
    """Points on a line of modes that are 10 apart."""
    draw = np.random.default_rng(seed)
    which = draw.choice(len(shares), size=n, p=shares)
    points = width * draw.normal(size=(n, 3))
    points[:, 0] += 10 * which
    return points


def test_a_set_against_itself_is_covered_whole():
    x = mixture(400, 0, [0.5, 0.5])
    found = coverage(x, x)
    assert [found[name].value for name in ("precision", "recall", "coverage")] == [1, 1, 1]
    assert found["density"].value == pytest.approx(6 / 5)  # five neighbours on average, and the event itself


@pytest.mark.parametrize("dimensions", [2, 40])
def test_honest_samples_give_the_floor_and_the_known_coverage(dimensions):
    draw = np.random.default_rng(1)
    a, b, c = (draw.normal(size=(500, dimensions)) for _ in range(3))
    found = coverage(a, b, c)
    assert all(abs(m.above_floor) < 3 for m in found.values()), found
    assert found["coverage"].floor == pytest.approx(1 - 2**-5, abs=0.015)
    assert found["density"].floor == pytest.approx(1, abs=0.1)
    alone = coverage(a, b)
    assert all(abs(m.above_floor) < 4 for m in alone.values()), alone


def test_a_dropped_mode_costs_recall_and_coverage_and_no_precision():
    real, other, few = mixture(600, 2, [0.5, 0.5]), mixture(600, 3, [0.5, 0.5]), mixture(600, 4, [1.0])
    found = coverage(real, few, other)
    left = (real[:, 0] < 5).mean()
    assert found["recall"].value == pytest.approx(left, abs=0.06)
    assert found["coverage"].value == pytest.approx(left, abs=0.03)
    assert found["precision"].above_floor > -3
    assert found["recall"].above_floor < -10
    assert found["coverage"].above_floor < -10


def test_an_invented_mode_costs_precision_and_no_recall():
    real, other, more = mixture(600, 2, [1.0]), mixture(600, 3, [1.0]), mixture(600, 4, [0.5, 0.5])
    found = coverage(real, more, other)
    assert found["precision"].value == pytest.approx((more[:, 0] < 5).mean(), abs=0.06)
    assert found["precision"].above_floor < -10
    assert found["recall"].value > 0.75


def test_a_shrunk_set_is_precise_and_narrow():
    real, other, narrow = mixture(600, 5, [1.0]), mixture(600, 6, [1.0]), mixture(600, 7, [1.0], width=0.4)
    found = coverage(real, narrow, other)
    assert found["precision"].value > 0.99
    assert found["density"].above_floor > 2
    assert found["recall"].above_floor < -10
    assert found["coverage"].above_floor < -10


def test_recall_is_precision_with_exchanged_roles():
    a, b = mixture(300, 8, [0.7, 0.3]), mixture(250, 9, [1.0])
    assert coverage(a, b)["recall"].value == coverage(b, a)["precision"].value


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_errors_are_the_spread_of_repetitions(share):
    """Of equal samples, whose floors have the same spread, and of one with a mode that is too rare."""
    two = [0.5, 0.5]
    draws = [(mixture(200, 3 * k, two), mixture(200, 3 * k + 1, [share, 1 - share])) for k in range(40)]
    found = [coverage(a, b, mixture(200, 3 * k + 2, two), splits=10) for k, (a, b) in enumerate(draws)]
    for name in ("precision", "recall", "density", "coverage"):
        spread = np.std([f[name].value for f in found], ddof=1)
        assert np.mean([f[name].error for f in found]) == pytest.approx(spread, rel=0.5)
        if share == 0.5:
            assert np.mean([f[name].floor_error for f in found]) == pytest.approx(spread, rel=0.45)


def test_errors_know_that_units_are_measured():
    """A few rare events are nearly all of one feature's standard deviation, and decide how far its shift reaches."""

    def rare(seed: int) -> np.ndarray:
        draw = np.random.default_rng(seed)
        x = draw.normal(size=(200, 5))
        x[:, 4] = 8.0 * (draw.random(200) < 0.015) + 0.1 * x[:, 4]
        return x

    shift = np.array([0, 0, 0, 0, 0.5])
    pairs = [(rare(2 * k), rare(2 * k + 1) + shift) for k in range(30)]
    found = [coverage(a, b, splits=6, standardise=True) for a, b in pairs]
    kept = [coverage(a / a.std(0), b / a.std(0), splits=6) for a, b in pairs]
    for name in ("recall", "coverage"):
        values, errors = (np.array([getattr(m[name], what) for m in found]) for what in ("value", "error"))
        less = np.array([m[name].error for m in kept])
        assert values == pytest.approx([m[name].value for m in kept])
        assert errors.mean() == pytest.approx(values.std(ddof=1), rel=0.4)
        assert less.mean() < 0.4 * values.std(ddof=1)
    constant = np.concatenate([rare(0), np.ones((200, 1))], axis=1)
    assert np.isfinite([m.error for m in coverage(constant, constant, standardise=True).values()]).all()


def test_wide_features_have_the_distances_of_their_differences():
    x, y = np.random.default_rng(10).normal(size=(2, 30, 100))
    np.testing.assert_allclose(distances(x, y), np.linalg.norm(x[:, None] - y[None], axis=2), rtol=1e-10)
    assert (np.diag(distances(x)) == 0).all()


def test_samples_that_are_too_small_or_too_narrow_are_refused():
    x = np.zeros((5, 2)) + np.arange(5)[:, None]
    with pytest.raises(UserError, match="more than 5 events"):
        coverage(x, x)
    with pytest.raises(UserError, match="one width"):
        coverage(np.ones((9, 2)), np.ones((9, 3)))


CENTRES = 10.0 * np.stack([np.arange(8), np.zeros(8), np.zeros(8)], axis=1)


def test_reverse_kl_over_modes_is_the_closed_form():
    even, uneven = [1 / 8] * 8, [0.5, 0.5, *[0.0] * 6]
    real, half = mixture(20_000, 11, even), mixture(20_000, 12, uneven)
    found = modes(real, half, CENTRES, 1.0)["modes/reverse_kl"]
    assert found.value == pytest.approx(np.log(4), abs=4 * found.error)
    null = [modes(mixture(500, k, even), mixture(300, 99 + k, even), CENTRES, 1.0) for k in range(99)]
    values = np.array([m["modes/reverse_kl"].value for m in null])
    floor = null[0]["modes/reverse_kl"]
    assert values.mean() == pytest.approx(floor.floor, rel=0.25)
    assert values.std(ddof=1) == pytest.approx(floor.floor_error, rel=0.3)
    skew = [0.3, 0.1, *[0.1] * 6]
    again = [modes(mixture(500, k, even), mixture(300, 99 + k, skew), CENTRES, 1.0) for k in range(99)]
    spread = np.std([m["modes/reverse_kl"].value for m in again], ddof=1)
    assert np.mean([m["modes/reverse_kl"].error for m in again]) == pytest.approx(spread, rel=0.3)


def test_visits_say_which_modes():
    seen = visits(mixture(2000, 13, [0.5, 0.0, 0.5]), CENTRES, 1.0)
    assert (seen > 0.1).nonzero()[0].tolist() == [0, 2]
    assert seen.sum() == pytest.approx(0.97, abs=0.02)  # of a Gaussian in space inside three sigma


def one_mode(k: int, seed: int = 0) -> np.ndarray:
    return mixture(50, seed, [1.0]) + CENTRES[k]


def test_a_generator_that_goes_round_cycles():
    went = cycling([one_mode(k % 8, k) for k in range(80)], CENTRES, 1.0)
    assert (went.at_once, went.over_time, went.visits.shape) == (1.0, 8, (80, 8))
    # ten visits to each of eight modes, nine times seven absences between them
    assert went.index == pytest.approx(63 / 73)
    slow = cycling([one_mode(k // 5 % 8, k) for k in range(400)], CENTRES, 1.0)
    assert slow.index == pytest.approx(9 * 35 / (9 * 35 + 50))


@pytest.mark.parametrize(
    ("reached", "at_once"),
    [
        ([8] * 8, 8.0),  # all, always
        ([1] * 8, 1.0),  # collapsed and staying there
        ([1, 2, 3, 4, 5, 6, 7, 8], 4.5),  # gaining one by one
        ([8, 8, 8, 8, 2, 2, 2, 2], 5.0),  # losing for good
    ],
)
def test_who_stays_gains_or_loses_does_not_cycle(reached, at_once):
    went = cycling([np.concatenate([one_mode(k, t) for k in range(n)]) for t, n in enumerate(reached)], CENTRES, 1.0)
    assert (went.at_once, went.over_time, went.index) == (at_once, max(reached), 0.0)


def test_cycling_needs_a_snapshot_and_may_hit_nothing():
    with pytest.raises(UserError, match="at least one snapshot"):
        cycling([], CENTRES, 1.0)
    assert cycling([CENTRES + 50], CENTRES, 1.0).index == 0
