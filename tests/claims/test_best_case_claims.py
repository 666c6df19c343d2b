"""The claim on the minimax game's end: the value it measures, and its experiment on a small budget."""

from __future__ import annotations

import math

import pytest
import torch
from matplotlib.figure import Figure

from simulacra.claims import best_case
from simulacra.claims.best_case import FAR, HALF, VALUE, played, value


def test_the_experiment_gives_the_quantities_of_its_bounds_twice_the_same_and_a_picture():
    (claim,) = best_case.CLAIMS
    result, again = best_case.ending(0, rounds=2), best_case.ending(0, rounds=2)
    assert set(result.values) == set(result.control) == set(claim.bounds) == {VALUE, HALF, FAR}
    assert result.values == again.values
    assert isinstance(claim.figure([result, again]), Figure)


def test_the_value_is_minus_two_log_two_at_one_half_and_nought_where_all_is_told_apart():
    nothing = torch.zeros(10)
    assert value(nothing, nothing) == pytest.approx(-2 * math.log(2))
    assert value(nothing + 30, nothing - 30) == pytest.approx(0.0, abs=1e-6)
    assert value(nothing - 30, nothing + 30) == pytest.approx(-60.0)


def test_a_generator_that_stands_still_makes_the_same_after_any_number_of_rounds():
    one, more = (played(3, rounds, still=True) for rounds in (1, 3))
    assert one[0][FAR] == more[0][FAR]
    assert one[0][VALUE] != more[0][VALUE]
