"""Machines of unknown constant: the experiments on a small budget, and the laws of what they measure."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra.batch import Batch
from simulacra.claims import energies
from simulacra.markov.boltzmann import ising
from simulacra.markov.rbm import RBM


@pytest.mark.parametrize(("which", "small"), [(0, {"rounds": 30, "chains": 50}), (1, {"rounds": 3, "rows": 300})])
def test_the_experiments_give_the_quantities_of_their_bounds_and_a_picture(which, small, monkeypatch):
    monkeypatch.setattr(energies, "STEPS", (1, 2))
    monkeypatch.setattr(energies, "TEMPERATURES", (1, 2))
    claim = energies.CLAIMS[which]
    result = claim.experiment(0, **small)
    assert set(result.values) == set(claim.bounds)
    assert result.control
    assert set(result.control) <= set(claim.bounds)
    assert isinstance(claim.figure([result]), Figure)


def test_a_machine_is_as_it_should_be_against_itself_and_not_against_a_hotter_one():
    truth = ising(4, 2.5)
    same, hot = energies.coupled(truth, truth), energies.coupled(ising(4, 5.0), truth)
    assert same[energies.COUPLING] == same[energies.MAGNET] == pytest.approx(1)
    assert same[energies.ENERGY] == pytest.approx(1)
    assert same[energies.OTHERS] == 0
    assert same[energies.APART] == pytest.approx(0, abs=1e-9)
    assert hot[energies.COUPLING] == pytest.approx(0.5)
    assert hot[energies.MAGNET] < 0.8
    assert hot[energies.ENERGY] < 0.8
    assert hot[energies.APART] > 0.1


def test_the_distributions_of_a_machine_sum_to_one_and_spins_are_symmetric():
    seen = energies.observed(ising(4, 2.5))
    assert all(values.sum() == pytest.approx(1) for values in seen.values())
    assert np.allclose(seen["magnetisation"], seen["magnetisation"][::-1], atol=1e-5)
    assert seen["energy"][1] == seen["energy"][15] == 0  # no configuration lies 4 J above the lowest, or below the top


def test_chains_of_independent_units_have_the_exact_gradient_after_one_step_and_others_do_not():
    torch.manual_seed(0)
    data = torch.bernoulli(torch.full((2000, 16), 0.2))
    model = RBM((1, 4, 4), 6)
    torch.nn.init.zeros_(model.weight)
    free = energies.contrasted(model, data, (1,), 20_000)
    torch.nn.init.normal_(model.weight, 0, 2)
    bound = energies.contrasted(model, data, (1,), 20_000)
    assert free[0] < 0.05 < bound[0]


def test_the_gradient_is_that_of_a_number_in_all_parameters():
    model = RBM((1, 2, 2), 3)
    found = energies.gradient(model, model.energy(Batch(torch.ones(5, 1, 2, 2))).sum())
    assert found.shape == (4 * 3 + 4 + 3,)
