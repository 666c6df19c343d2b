"""Claims of where adversarial training stands: the distance they measure, and their experiments at a small size."""

import math

import numpy as np
import pytest

from simulacra.claims import standing


@pytest.fixture
def few(monkeypatch):
    """A tenth of the pictures."""
    monkeypatch.setattr(standing, "TRAIN", 2000)
    monkeypatch.setattr(standing, "HELD", 500)
    standing.garments.cache_clear()
    standing._judge.cache_clear()
    yield
    standing.garments.cache_clear()
    standing._judge.cache_clear()


@pytest.mark.usefixtures("few")
def test_learning_brings_samples_nearer():
    assert standing.distance("vae", 60, 0) < standing.distance("vae", 1, 0) / 2


@pytest.mark.usefixtures("few")
def test_experiments_have_what_is_promised():
    first = standing.ahead(0, share=0.005)
    assert set(first.values) == set(first.control) == {standing.AHEAD}
    assert len(first.arrays["FID"]) == len(standing.ROUNDS)
    second = standing.steady(0, share=0.01, starts=2)
    assert set(second.values) == set(standing.SPREADS.values())
    assert all(math.isfinite(v) for r in (first, second) for v in (*r.values.values(), *r.control.values()))
    spread = {name: np.std(second.arrays[f"{name}, ln FID"], ddof=1) for name in standing.SHORT}
    assert second.values[standing.SPREADS["vae"]] == pytest.approx(spread["dcgan"] / spread["vae"])
    for claim, result in zip(standing.CLAIMS, (first, second), strict=True):
        assert claim.figure([result, result]).axes
