"""The claims on divergences, gradients through draws and importance sampling: on a small budget, and their laws."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra.batch import Batch
from simulacra.claims import elbo, estimators
from simulacra.claims.claim import Result
from simulacra.distributions.priors import diagonal
from simulacra.random import reseed

TINY: dict[str, Callable[[int], Result]] = {
    "divergence-is-never-negative": lambda seed: estimators.comparing(seed, count=100),
    "draws-can-be-rewritten": lambda seed: estimators.rewriting(seed, n=2000, rounds=5),
    "an-encoder-makes-the-integral-tractable": lambda seed: estimators.asking(seed, rounds=5, times=50, rows=10),
}
CLAIMS = {claim.name: claim for claim in estimators.CLAIMS}


@pytest.mark.parametrize("name", CLAIMS)
def test_an_experiment_gives_the_quantities_of_its_bounds_twice_the_same_and_a_picture(name: str):
    first, second = TINY[name](1), TINY[name](1)
    assert dict(first.values) == dict(second.values)
    assert set(first.values) == set(CLAIMS[name].bounds) == set(first.control)
    assert isinstance(CLAIMS[name].figure([first, second]), Figure)


def test_the_total_variation_of_gaussians_a_distance_apart_is_that_of_the_textbook(monkeypatch: pytest.MonkeyPatch):
    apart, none, distance = estimators.pairs("Gaussians", 0, 300)
    draw = np.random.default_rng([0, len("Gaussians")])
    near = 10 ** draw.uniform(-3, 0, 300)
    mean, log_width = near * draw.normal(size=(2, 300))
    known = (np.exp(-2 * log_width) * (1 + 4 * mean**2) - 1) / 2 + log_width
    assert apart == pytest.approx(known, abs=1e-9)
    assert (none == 0).all()
    narrow = np.abs(log_width) < 1e-3
    shift = np.array([math.erf(abs(m) / math.sqrt(2)) for m in mean])  # of N(0, 1) and N(2 m, 1)
    assert distance[narrow] == pytest.approx(shift[narrow], abs=1e-3)


def test_both_gradients_have_the_derivatives_mean():
    reseed(0)
    for wave in (0.5, 1.0):
        path, score, exact = estimators.waving(wave, 100_000)
        for drawn in (path, score):
            assert abs(float(drawn.mean()) - exact) < 4.5 * float(drawn.std()) / 100_000**0.5
    through, score, exact = estimators.switching(0.3, 100_000)
    assert through == 0.0
    assert score == pytest.approx(exact, abs=0.01)


def test_gradients_by_a_code_agree_on_average():
    x = elbo.pixels()[:3].double()
    model = elbo.linear(x.float(), 2, 5, 0)
    reseed(1)
    path, score = estimators.of_codes(model, x, 4000)
    away = (path - score).mean(0) / ((path - score).std(0) / 4000**0.5)
    assert away.abs().max() < 4.5


def test_weights_of_the_posterior_are_all_the_evidence():
    x = elbo.pixels()[:4].double()
    model = elbo.linear(x.float(), 1, 20, 0)  # one code: the best independent Gaussian is the posterior
    weights = estimators.log_weights(model, x, elbo.best(model, x), 100)
    assert weights.shape == (100, 4)
    assert torch.allclose(weights, elbo.pieces(model, x).evidence.expand(100, 4), atol=1e-6)
    wide = model.encode(Batch(x))
    prior = diagonal(torch.zeros_like(wide.mean), torch.ones_like(wide.mean))
    assert estimators.log_weights(model, x, prior, 100).std(0).min() > 1e-3
