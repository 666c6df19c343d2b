"""The claim on copies: its nearest-neighbour test, and its experiment on a small budget."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from simulacra.claims import copying
from simulacra.claims.copying import FAR, SHARE, compared, halves


@pytest.fixture(scope="module")
def result():
    return copying.copying(0, rounds=2)


def test_the_experiment_gives_the_quantities_of_its_bounds_and_a_picture(result):
    (claim,) = copying.CLAIMS
    assert set(result.values) == set(result.control) == set(claim.bounds)
    assert isinstance(claim.figure([result]), Figure)


def test_a_seed_decides_the_experiment(result):
    assert copying.copying(0, rounds=2).values == result.values


def test_the_control_leaves_every_bound(result):
    (claim,) = copying.CLAIMS
    for name, (low, high) in claim.bounds.items():
        assert not low <= result.control[name] <= high, name


def test_new_rows_are_as_far_as_held_out_ones_and_copies_are_none():
    draw = np.random.default_rng(0)
    made, held, seen = (draw.normal(size=(500, 6)) for _ in range(3))
    honest, copied = compared(made, held, seen), compared(seen[:300] + 1e-3, held, seen)
    assert honest[FAR] == pytest.approx(1.0, abs=0.1)
    assert honest[SHARE] == pytest.approx(0.0, abs=0.03)
    assert copied[FAR] < 0.01
    assert copied[SHARE] == pytest.approx(1.0, abs=0.01)


def test_the_halves_are_all_digits_and_no_digit_is_in_both():
    seen, held = (half.flatten(1).numpy() for half in halves())
    assert (len(seen), len(held)) == (898, 899)
    everything = np.concatenate([seen, held])
    assert np.allclose(everything.mean(0), copying.digits().flatten(1).numpy().mean(0), atol=1e-6)
    assert len(np.unique(everything, axis=0)) == len(np.unique(copying.digits().flatten(1).numpy(), axis=0))
