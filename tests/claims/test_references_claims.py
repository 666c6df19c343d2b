"""The claims of cited papers: their quantities, and pictures."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from simulacra.claims import references

BATCHES, PATHS, ENCODERS = references.CLAIMS


@pytest.mark.parametrize(
    ("claim", "play"),
    [
        (BATCHES, lambda: references.depending(1, rounds=2)),
        (PATHS, lambda: references.evening(1, rounds=9)),
        (ENCODERS, lambda: references.inferring(1, rounds=2)),
    ],
)
def test_experiments_give_the_quantities_of_their_bounds(claim, play):
    result = play()
    assert set(claim.bounds) <= set(result.values)
    assert set(claim.bounds) <= set(result.control)
    assert all(np.isfinite(value).all() for value in result.arrays.values())
    assert play().values == result.values
    assert isinstance(claim.figure([result, result]), Figure)
