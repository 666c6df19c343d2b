"""The claims on what codes are good for and what pixels know of each other: on a small budget, and their laws."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra.claims import dependencies, probes, representations, speckle
from simulacra.claims.claim import Result
from simulacra.random import reseed

TINY: dict[str, Callable[[int], Result]] = {
    "models-find-clusters-without-labels": lambda seed: representations.clustering(seed, rounds=1),
    "codes-find-what-is-alike": lambda seed: representations.finding(seed, rounds=1, classes=1),
    "constraints-make-codes-interesting": lambda seed: probes.constraining(seed, rounds=1),
    "codes-serve-other-tasks": lambda seed: probes.serving(seed, rounds=1),
    "codes-need-dependencies": lambda seed: dependencies.depending(seed, rounds=1),
    "denoisers-beat-filters": lambda seed: dependencies.cleaning(seed, rounds=1, rows=100, asked=10),
    "denoisers-remove-speckle": lambda seed: speckle.despeckling(seed, rounds=1, rows=100, asked=10),
}
CLAIMS = {claim.name: claim for room in (representations, probes, dependencies, speckle) for claim in room.CLAIMS}


def test_every_claim_is_here():
    assert set(CLAIMS) == set(TINY)


@pytest.mark.parametrize("name", CLAIMS)
def test_an_experiment_gives_the_quantities_of_its_bounds_and_a_picture(name: str):
    first = TINY[name](1)
    assert set(first.values) == set(CLAIMS[name].bounds) == set(first.control)
    assert np.isfinite([*first.values.values(), *first.control.values()]).all()
    assert isinstance(CLAIMS[name].figure([first, first]), Figure)


def test_codes_are_the_same_whatever_was_drawn_before():
    game = representations.network("VAE", 1, 1)
    x = representations.digits(1).x[:5]
    first = representations.coded(game, x)[0]
    torch.randn(7)
    assert (representations.coded(game, x)[0] == first).all()


def test_a_probe_reads_labels_where_they_are_and_guesses_where_they_are_not():
    label = representations.digits(0).label
    draw = np.random.default_rng(0)
    assert probes.probe(np.eye(10)[label] + 0.01 * draw.normal(size=(len(label), 10)), label, times=2) > 0.99
    assert probes.probe(draw.normal(size=(len(label), 10)), label, times=2) == pytest.approx(0.1, abs=0.06)


def test_columns_set_apart_keep_their_marginals_and_lose_their_correlations():
    reseed(0)
    x = torch.randn(2000, 1) + 0.1 * torch.randn(2000, 3)
    other = dependencies.apart(x)
    assert torch.equal(other.sort(0).values, x.sort(0).values)
    assert torch.corrcoef(x.T)[0, 1] > 0.95
    assert abs(torch.corrcoef(other.T)[0, 1]) < 0.1


def test_what_principal_components_and_kept_pixels_lose_of_independent_columns_is_known():
    reseed(0)
    x = torch.randn(1797, 32)
    error, line, kept = dependencies.lost(x, 0, 1)
    assert kept == pytest.approx(1 - 8 / 32, abs=0.04)  # the best 8 of those asked about
    assert kept - 0.05 < line < kept + 0.05
    assert error > kept  # one round


def test_the_best_linear_map_halves_what_is_twice_as_uncertain():
    reseed(0)
    clean = torch.randn(20_000, 1, 1)
    made = dependencies.linear(clean, clean + torch.randn_like(clean))
    assert made(torch.full((1, 1, 1), 2.0)).item() == pytest.approx(1.0, abs=0.05)


def test_speckle_leaves_black_black():
    black = torch.zeros(3, 4, 4)
    assert torch.equal(dependencies.NOISES["speckle"](black), black)
    assert dependencies.NOISES["Gaussian"](black).std() > 0.1
    assert dependencies.decibels(black, black + 0.1) == pytest.approx(20.0, abs=1e-3)
