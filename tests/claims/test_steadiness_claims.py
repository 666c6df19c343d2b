"""The claims on penalties and steadier losses: their quantities, their metric, and a picture."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from simulacra.claims import steadiness
from simulacra.domains.toys import TOYS

PENALTIES, LOSSES = steadiness.CLAIMS


@pytest.mark.parametrize(
    ("claim", "play"),
    [
        (PENALTIES, lambda: steadiness.penalising(1, steps=12)),
        (LOSSES, lambda: steadiness.standing(1, steps=12, rates=(1e-3, 1e-2))),
    ],
)
def test_experiments_give_the_quantities_of_their_bounds(claim, play):
    result = play()
    assert set(result.values) == set(claim.bounds) == set(result.control)
    assert all(np.isfinite(value) for value in result.values.values())
    assert play().values == result.values
    assert isinstance(claim.figure([result, result]), Figure)


def test_real_points_are_as_far_as_the_unit_and_one_mode_is_farther():
    real = TOYS["ring8"].sample(steadiness.COUNT, seed=77).numpy()
    assert steadiness.distance(real[None], 3) < 2
    assert steadiness.distance(np.broadcast_to(real[0], real.shape)[None], 3) > 8
    assert steadiness.distance(np.full((1, *real.shape), np.nan), 3) > 1000
