"""The claims on critics that are autoencoders: their quantities, and pictures."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from simulacra.claims import autoencoding_critics

PULLING, BALANCE = autoencoding_critics.CLAIMS


@pytest.mark.parametrize(
    ("claim", "play"),
    [
        (PULLING, lambda: autoencoding_critics.pulling(1, rounds=3)),
        (BALANCE, lambda: autoencoding_critics.measuring(1, rounds=6, looks=3)),
    ],
)
def test_experiments_give_the_quantities_of_their_bounds(claim, play):
    result = play()
    assert set(result.values) == set(claim.bounds) == set(result.control)
    assert all(np.isfinite(value).all() for value in result.arrays.values())
    assert play().values == result.values
    assert isinstance(claim.figure([result, result]), Figure)


def test_codes_of_one_picture_again_and_again_are_parallel():
    """A squared cosine lies between 0 and 1, and the term makes it fall."""
    bare, _, _ = autoencoding_critics.pulled(0.0, 3, 60)
    alike, _, _ = autoencoding_critics.pulled(10.0, 3, 60)
    assert 0 <= alike < bare <= 1 + 1e-6
