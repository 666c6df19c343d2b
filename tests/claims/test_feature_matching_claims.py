"""The claim on feature matching: its gap of features, and its experiment on a small budget."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra.claims import feature_matching
from simulacra.claims.feature_matching import FAR, GAP, LOOKS, MOVES, gap, last


def test_the_experiment_gives_the_quantities_of_its_bounds_twice_the_same_and_a_picture():
    (claim,) = feature_matching.CLAIMS
    result, again = feature_matching.matching(0, rounds=4), feature_matching.matching(0, rounds=4)
    assert set(result.values) == set(claim.bounds) == {GAP, MOVES, FAR}
    assert set(result.control) == {MOVES, FAR}
    assert result.values == again.values
    assert isinstance(claim.figure([result]), Figure)


def test_there_are_as_many_looks_as_rounds_where_rounds_are_few():
    arrays = feature_matching.matching(1, rounds=3).arrays
    assert arrays["round"].tolist() == [1, 2, 3]
    assert {len(v) for name, v in arrays.items() if not name.endswith(GAP)} == {3}
    assert LOOKS > 3


def test_the_gap_of_equal_features_is_that_of_their_number_and_a_shift_is_its_square():
    draw = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(4000, 8, generator=draw) for _ in range(2))
    assert gap(real, fake) < 5 * 2 / 4000
    assert gap(real, fake + 0.5) == pytest.approx(0.25, rel=0.1)
    assert gap(3 * real, 3 * fake + 1.5) == pytest.approx(gap(real, fake + 0.5), rel=1e-4)


def test_the_end_is_the_last_third():
    assert last(np.arange(9.0)) == 7.0
    assert last(np.array([5.0])) == 5.0
