"""The claim on shortcuts: its kinds, and its experiment on a small budget."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from simulacra.claims import shortcuts


def test_the_experiment_gives_the_quantities_of_its_bounds_and_a_picture():
    (claim,) = shortcuts.CLAIMS
    result = shortcuts.deepening(1, rounds=2, depths=(1, 2))
    assert set(result.values) == set(claim.bounds) == set(result.control)
    assert all(np.isfinite(value).all() for value in result.arrays.values())
    assert isinstance(claim.figure([result, result]), Figure)
    again = shortcuts.deepening(1, rounds=2, depths=(1, 2))
    assert again.values == result.values
    assert shortcuts.deepening(2, rounds=2, depths=(1, 2)).values != result.values


def test_only_shortcuts_across_come_back_past_the_code():
    for kind in shortcuts.KINDS:
        held = shortcuts.errors(kind, 1, 0, 10)
        assert (held.alone == pytest.approx(held.error, rel=1e-5)) == (kind != "across")


def test_the_error_of_the_mean_picture_is_one():
    """A network that has hardly been trained is not far from it."""
    assert 0.5 < shortcuts.errors("without shortcuts", 8, 0, 60).error < 1.1
