"""Digits that are asked for: the claim at a hundredth of the budget, and the laws of what it measures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from simulacra.claims import specific
from simulacra.claims.labels import Reader
from simulacra.claims.specific import NARROW, NATS, SAME, specificity


def test_the_experiment_gives_the_quantities_of_its_bounds_twice_the_same_and_a_picture():
    (claim,) = specific.CLAIMS
    first, second = (specific.specifying(1, rounds=4) for _ in range(2))
    assert dict(first.values) == dict(second.values)
    assert set(first.values) == set(first.control) == set(claim.bounds)
    assert isinstance(claim.figure([first, second]), Figure)


def real(read: Reader) -> np.ndarray:
    """Real digits [10, 170, 64] by class."""
    return np.stack([read.x[read.label == k][:170] for k in range(10)])


def test_real_digits_are_what_they_are_and_narrower_by_class():
    read = Reader()
    found = specificity(real(read), read)
    assert found[SAME] > 0.95
    assert 2.0 < found[NATS] < math.log(10)
    assert found[NARROW] < -0.3


def test_digits_in_any_order_say_nothing_of_the_class():
    read = Reader()
    found = specificity(np.random.default_rng(0).permutation(real(read).reshape(-1, 64)).reshape(10, 170, 64), read)
    assert found[SAME] == pytest.approx(0.1, abs=0.03)
    assert found[NATS] < 0.05
    assert found[NARROW] == pytest.approx(0.0, abs=0.02)


def test_classes_that_are_exchanged_tell_all_and_are_never_right():
    read = Reader()
    found = specificity(np.roll(real(read), 1, 0), read)
    assert found[SAME] < 0.03
    assert found[NATS] == pytest.approx(specificity(real(read), read)[NATS])
