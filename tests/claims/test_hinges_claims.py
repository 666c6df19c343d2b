"""The loss of a normalised discriminator: the experiment on a small budget, and what is watched of a game."""

import numpy as np
import torch
from matplotlib.figure import Figure

from simulacra.claims import hinges
from simulacra.domains.toys import TOYS
from simulacra.recipes.sngan import sngan

(CLAIM,) = hinges.CLAIMS


def test_the_experiment_gives_the_quantities_of_its_bounds_and_a_picture(monkeypatch):
    monkeypatch.setattr(hinges, "TWO", 1)
    result = hinges.judging(1, rounds=8, looks=4)
    assert set(result.values) == set(result.control) == set(CLAIM.bounds)
    assert hinges.judging(1, rounds=8, looks=4).values == result.values
    assert isinstance(CLAIM.figure([result]), Figure)


def test_losses_are_means_since_the_last_look_and_looking_changes_nothing():
    found = {}
    for looks in (2, 6):
        torch.manual_seed(0)
        found[looks] = hinges.watched(sngan(hinges.PLANE, width=8, batch=16, rounds=12), 3, looks)
    few, many = found[2], found[6]
    assert few["rounds"].tolist() == [6, 12]
    assert many["rounds"].tolist() == [2, 4, 6, 8, 10, 12]
    for name in ("critic", "generator"):
        assert np.allclose(few[name], many[name].reshape(2, 3).mean(1))
    assert np.array_equal(few["distance"], many["distance"][[2, 5]])


def test_the_distance_of_an_untrained_generator_is_far_above_that_of_two_rings():
    torch.manual_seed(0)
    seen = hinges.watched(sngan(hinges.PLANE, width=8, batch=16, rounds=2), 3, 2)
    ring, other = (TOYS["ring8"].sample(hinges.COUNT, seed=k).numpy() for k in (4, 9))
    assert seen["distance"].min() > 3 * hinges.w1(ring, other)
