"""Claims on what explicit, implicit and discriminative models can do: tiny budgets, and laws of what they measure."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra.batch import Batch
from simulacra.claims import ascending, plausibility, ratios
from simulacra.claims.claim import Result
from simulacra.claims.objectives import fit

TINY: dict[str, Callable[[int], Result]] = {
    "a-discriminator-has-the-density-of-an-implicit-model": lambda seed: ratios.estimating(seed, 2, steps=3, rows=20),
    "likelihood-and-samples-may-disagree": lambda seed: plausibility.disagreeing(seed, rounds=1),
    "a-classifier-alone-makes-no-digits": lambda seed: ascending.ascending(seed, each=2, steps=20),
}
CLAIMS = {claim.name: claim for room in (ratios, plausibility, ascending) for claim in room.CLAIMS}


def test_every_claim_is_here():
    assert set(CLAIMS) == set(TINY)


@pytest.mark.parametrize("name", TINY)
def test_an_experiment_gives_the_quantities_of_its_bounds_and_a_picture(name: str):
    claim, result = CLAIMS[name], TINY[name](1)
    assert set(result.values) == set(claim.bounds)
    assert result.control
    assert set(result.control) <= set(claim.bounds)
    assert np.isfinite([*result.values.values(), *result.control.values()]).all()
    assert isinstance(claim.figure([result, result]), Figure)
    if claim.fast:
        assert dict(TINY[name](1).values) == dict(result.values)


def test_the_density_of_what_a_normal_makes_by_a_line_is_normal():
    z = np.linspace(-6, 6, 4001)
    q = ratios.pushed(1.0 + 0.5 * z, np.exp(-0.5 * z**2))
    width = math.hypot(0.5, ratios.BLUR)
    exact = np.exp(-0.5 * ((ratios.GRID - 1) / width) ** 2) / (width * math.sqrt(2 * math.pi))
    assert np.abs(q - exact).max() < 1e-6


def test_the_control_is_told_mixed_labels(monkeypatch: pytest.MonkeyPatch):
    drawn = []

    def watched(draw, *args: Any):
        state = torch.get_rng_state()
        drawn.append([side.flatten() for side in draw()])
        torch.set_rng_state(state)
        return fit(draw, *args)

    monkeypatch.setattr(ratios, "fit", watched)
    monkeypatch.setattr(ratios, "BLUR", 1e-3)
    ratios.estimating(0, 2, steps=3, rows=500)
    (made, known), (told_made, told_known) = drawn
    assert made.std() < 0.5 < known.std()
    assert told_made.std().item() == pytest.approx(told_known.std().item(), rel=0.2)
    assert len(told_made) == len(told_known) == 500


def test_implicit_models_have_no_density_and_explicit_ones_have():
    assert ratios.shares(["gan"]) == 0.0
    assert ratios.shares(["gan", "gmm"]) == 0.5


def test_a_mixture_loses_at_most_the_logarithm_of_its_share():
    one, other = torch.tensor([-80.0, -90.0]).double(), torch.tensor([-300.0, -math.inf]).double()
    found = plausibility.mixed(0.01, one, other)
    assert (one - found).tolist() == pytest.approx([math.log(100)] * 2)
    even = torch.tensor([-181.0]).double()
    assert plausibility.mixed(0.3, even, even).item() == pytest.approx(-181.0)


def test_noise_and_training_pictures_have_probabilities_that_sum_to_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(plausibility, "LEVELS", 2)
    every = torch.cartesian_prod(*[torch.arange(2.0)] * 4).view(-1, 1, 2, 2)
    assert plausibility.noise_log_prob(every).exp().sum().item() == pytest.approx(1)
    seen = every[[3, 3, 5, 9]]
    found = plausibility.again_log_prob(every, seen).exp()
    assert found.sum().item() == pytest.approx(1)
    assert found[3].item() == 0.5
    assert found[0].item() == 0


def test_samples_of_a_mixture_come_in_its_shares():
    torch.manual_seed(0)
    found = plausibility.joined(0.1, torch.ones(20_000, 1, 1, 1), torch.zeros(20_000, 1, 1, 1))
    assert found.mean().item() == pytest.approx(0.1, abs=0.01)


def test_the_ascent_climbs_and_stays_between_black_and_white():
    class Plane:
        def log_posterior(self, batch: Batch) -> torch.Tensor:
            score = batch.x.flatten(1).sum(1)
            return torch.stack([score, -score], 1).log_softmax(1)

    start, label = torch.zeros(2, 1, 2, 2), torch.tensor([0, 1])
    found = ascending.climbed(Plane(), start, label, 200)
    assert (found[0] > 0.1).all()
    assert torch.allclose(found[0], -found[1])
    assert found.abs().max() <= 1


def test_digits_themselves_are_near_and_called_right():
    from simulacra.claims.classical import numerals

    pool = numerals()
    found = ascending.look(pool.x[:50], pool.given["label"][:50], pool[:50], pool[50:])
    assert found.far.max() == 0
    assert found.right.mean() > 0.85
    wrong = ascending.look(pool.x[:50], (pool.given["label"][:50] + 1) % 10, pool[:50], pool[50:])
    assert wrong.right.mean() < 0.1
