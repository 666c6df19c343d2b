"""The families side by side: the experiment on a small budget, and its judge on models that are known."""

from __future__ import annotations

import math

import pytest
import torch
from matplotlib.figure import Figure

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims import families
from simulacra.claims.conditioning import learn
from simulacra.recipes.gan import gan
from simulacra.recipes.resampler import resampler
from simulacra.testing import Unchanged


def test_the_experiment_gives_the_quantities_of_its_bounds_and_a_picture():
    (claim,) = families.CLAIMS
    few = {name: 2 if rounds else 0 for name, rounds in families.ROUNDS.items()}
    result = families.comparing(0, few, rows=300, n=100)
    assert set(result.values) == set(claim.bounds)
    assert result.control
    assert set(result.control) <= set(claim.bounds)
    assert isinstance(claim.figure([result]), Figure)


def test_training_events_pass_and_a_generator_that_learnt_nothing_does_not():
    spec, data = DataSpec("ring8", "vector", Field((2,)), rows=2000), Batch(families.RING.sample(2000, seed=0))
    known, x = families.judged(learn(resampler, spec, data, 0), 0, 2000, few=500)
    assert x.shape == (2000, 2)
    assert known["modes"] == 8
    assert known["within 3 sigma"] == pytest.approx(0.989, abs=0.01)
    assert known["W1"] < 2 * known["W1 of real"]
    blind, _ = families.judged(learn(lambda told: gan(told, rounds=1), spec, data, 0), 0, 2000, few=500)
    assert blind["within 3 sigma"] < 0.2
    assert blind["W1"] > 5 * blind["W1 of real"]
    assert math.isnan(blind["nats above truth"])


def test_a_density_lies_above_the_truth_by_its_divergence():
    class Truth(torch.nn.Module):
        def log_prob(self, batch: Batch) -> torch.Tensor:
            return families.RING.log_prob(batch.x) - 0.3

        def sample(self, n: int) -> Batch:
            return Batch(families.RING.sample(n, seed=9))

    spec, data = DataSpec("ring8", "vector", Field((2,)), rows=100), Batch(families.RING.sample(100, seed=0))
    game = learn(lambda told: gan(told, rounds=1), spec, data, 0)
    game.model, game.codec = Truth(), Unchanged()
    found, _ = families.judged(game, 0, 500, few=200)
    assert found["nats above truth"] == pytest.approx(0.3, abs=1e-6)
