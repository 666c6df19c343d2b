"""Copies of training events and repeats among generated ones, planted and found; honest sets pass."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.evaluation.memorisation import memorisation, repeats, sign_test, twins


def events(n: int, seed: int) -> np.ndarray:
    """Correlated numbers whose spread differs from event to event, as showers' does: some events are near to many."""
    draw = np.random.default_rng(seed)
    mixing = np.random.default_rng(0).normal(size=(12, 20))
    return draw.uniform(0.2, 1, (n, 1)) * (draw.normal(size=(n, 12)) @ mixing)


N = 1000
TRAIN, HELD, HONEST = events(N, 1), events(N, 2), events(N, 3)


def jittered(x: np.ndarray, size: float = 0.05) -> np.ndarray:
    return x * (1 + size * np.random.default_rng(4).normal(size=x.shape))


def planted(rows: np.ndarray) -> np.ndarray:
    return np.concatenate([rows, HONEST[len(rows) :]])


def test_honest_events_raise_nothing():
    for seed in range(5):
        found = memorisation(events(N, 10 + seed), HELD, TRAIN)
        for name in ("copies", "identical", "repeats", "twins"):
            m = found[f"memorisation/{name}"]
            assert m.value <= 2
            assert m.floor <= 2
            assert m.above_floor < 2.5


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        (TRAIN[: N // 20], "identical"),
        (TRAIN[: N // 20], "copies"),
        (jittered(TRAIN[: N // 20]), "copies"),
        (HONEST[-N // 20 :], "repeats"),
        (jittered(HONEST[-N // 20 :]), "twins"),
    ],
)
def test_five_per_cent_are_found_at_four_sigma(rows, name):
    m = memorisation(planted(rows), HELD, TRAIN)[f"memorisation/{name}"]
    assert m.above_floor > 4
    assert m.value == pytest.approx(N / 20, rel=0.2)
    assert sign_test(int(m.value), int(m.floor)) < 1e-8


def test_a_resampler_and_a_copying_model_are_found():
    drawn = TRAIN[np.random.default_rng(5).integers(N, size=N)]
    found = memorisation(drawn, HELD, TRAIN)
    assert found["memorisation/identical"].value == N
    assert found["memorisation/repeats"].value == pytest.approx(N * np.exp(-1), rel=0.1)  # of draws with replacement
    assert found["memorisation/twins"].above_floor > 4
    copied = memorisation(jittered(TRAIN), HELD, TRAIN)
    assert copied["memorisation/copies"].value > 0.9 * N
    assert copied["memorisation/ratio"].above_floor < -10


def test_twins_in_a_line_are_counted_and_are_fair():
    assert twins([[1.0], [1.4], [2.0], [2.4]]) == 0  # 0.4 is more than half of 0.6
    assert twins([[1.0], [1.2], [2.0], [2.2]]) == 2
    assert twins([[1.0], [2.0]]) == 0
    draw = np.random.default_rng(6)
    counts = np.array([[twins(draw.normal(size=(100, 2))) for _ in range(2)] for _ in range(150)])
    small = np.mean([min(sign_test(*pair), sign_test(*pair[::-1])) < 0.05 for pair in counts.tolist()])
    assert counts.mean() > 5
    assert small < 0.13  # two tests of 5 % each


def test_repeats_are_counted_once_per_further_row():
    assert repeats([[1.0], [1.0], [1.0], [2.0], [2.0], [0.0], [-0.0]]) == 3
    assert repeats(np.eye(3)) == 0


def test_blocks_do_not_change_the_count():
    rows = planted(jittered(HONEST[-N // 20 :]))
    assert twins(rows, block=77) == twins(rows)


def test_rows_that_repeat_by_chance_are_counted_in_equal_numbers():
    """Rows of few kinds: as many generated as held-out ones are training rows, however many there are of each."""
    draw = np.random.default_rng(0)
    train, many, few = (draw.integers(1, 9, (n, 4)).astype(float) for n in (1000, 2000, 200))
    for made, held in ((many, few), (few, many)):
        honest = memorisation(made, held, train)["memorisation/identical"]
        assert honest.value <= 200
        assert sign_test(round(honest.value), round(honest.floor)) > 0.01
        assert sign_test(round(honest.floor), round(honest.value)) > 0.01
    copied = memorisation(np.concatenate([train[:100], few[100:]]), many, train)["memorisation/identical"]
    assert sign_test(round(copied.value), round(copied.floor)) < 1e-9


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e5])
def test_copies_are_found_far_from_zero(offset):
    draw = np.random.default_rng(1)
    train, held, honest = draw.normal(size=(3, 400, 2))
    copies = train + 1e-3 * draw.normal(size=(400, 2))
    found = memorisation(copies + offset, held + offset, train + offset)
    assert found["memorisation/ratio"].value < 0.1
    assert found["memorisation/copies"].value > 350
    assert memorisation(honest + offset, held + offset, train + offset)["memorisation/p"].value > 0.01
