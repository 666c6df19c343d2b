"""Claims on classical models, at a fraction of the budget."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra.claims import asking, classical
from simulacra.claims.claim import Claim, Result

TINY: dict[str, Callable[[int], Result]] = {
    "naive-bayes-first-logistic-regression-later": lambda seed: classical.growing(seed, (2, 5), repeats=1),
    "p-of-x-rejects-what-confidence-lets-pass": lambda seed: classical.rejecting(seed, rows=100),
    "a-classifier-makes-a-generator": lambda seed: asking.asking(seed, rounds=2, n=6),
}


@pytest.mark.parametrize("claim", [*classical.CLAIMS, *asking.CLAIMS], ids=lambda claim: claim.name)
def test_an_experiment_gives_the_quantities_of_its_bounds_twice_the_same_and_a_picture(claim: Claim):
    first, second, other = TINY[claim.name](1), TINY[claim.name](1), TINY[claim.name](2)
    assert first.values == second.values
    assert first.values != other.values
    assert set(first.values) == set(claim.bounds)
    assert first.control
    assert set(first.control) <= set(claim.bounds)
    assert all(np.isfinite(v) for v in [*first.values.values(), *first.control.values()])
    assert isinstance(claim.figure([first, second]), Figure)


def test_dealt_pixels_keep_their_frequencies_in_each_class_and_forget_each_other():
    torch.manual_seed(0)
    pictures = classical.numerals()
    dealt = classical.dealt(pictures)
    label = pictures.given["label"]
    for y in range(10):
        ours, theirs = dealt.x[label == y], pictures.x[label == y]
        assert torch.equal(ours.sort(0).values, theirs.sort(0).values)
    hang_together = []
    for x in (pictures.x, dealt.x):
        inner = x[label == 0].flatten(1)
        inner = inner[:, inner.std(0) > 0.1]
        hang_together.append(float(inner.T.corrcoef().fill_diagonal_(0).square().mean().sqrt()))
    assert hang_together[0] > 2 * hang_together[1]


def test_pictures_of_both_kinds_have_one_range():
    for pictures in (classical.numerals(), classical.garments()):
        classical.SPEC.check(pictures)
        assert pictures.x.min() >= 0
        assert 0.9 < float(pictures.x.max()) <= 1
