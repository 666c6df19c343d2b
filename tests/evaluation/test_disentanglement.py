"""The mutual information gap: codes that are the factors, turned ones, and codes that know nothing."""

import numpy as np
import pytest

from simulacra.errors import UserError
from simulacra.evaluation.disentanglement import mutual_information_gap

DRAW = np.random.default_rng(0)
FACTORS = np.column_stack([DRAW.uniform(size=(4000, 2)), DRAW.integers(4, size=4000)])


def test_codes_that_are_the_factors_have_the_whole_gap_however_ordered_and_stretched():
    assert mutual_information_gap(FACTORS, FACTORS).value == pytest.approx(1.0, abs=0.05)
    other = np.exp(3 * FACTORS[:, [2, 0, 1]])
    assert mutual_information_gap(-other, FACTORS).value == pytest.approx(1.0, abs=0.05)


def test_turned_and_doubled_codes_have_none():
    two = FACTORS[:, :2]
    turned = two @ np.array([[1, 1], [-1, 1]])
    assert abs(mutual_information_gap(turned, two).value) < 0.03
    assert mutual_information_gap(np.hstack([two, two]), two).value == 0.0


def test_codes_that_know_nothing_are_at_the_floor():
    found = mutual_information_gap(DRAW.normal(size=(4000, 3)), FACTORS)
    assert abs(found.above_floor) < 3.5
    assert found.value < 0.02


def test_noise_costs_what_gaussians_say():
    """Correlation r of Gaussians: I = -log(1 - r^2) / 2, in units of the entropy of 20 equally filled bins."""
    v = DRAW.normal(size=(20_000, 1))
    z = np.column_stack([v + DRAW.normal(size=v.shape), DRAW.normal(size=v.shape)])
    assert mutual_information_gap(z, v).value == pytest.approx(0.5 * np.log(2) / np.log(20), abs=0.01)


def test_the_error_is_the_spread_over_samples():
    found = []
    for seed in range(12):
        draw = np.random.default_rng(seed)
        v = draw.uniform(size=(1000, 2))
        found.append(mutual_information_gap(v + 0.3 * draw.normal(size=v.shape), v))
    spread = np.std([m.value for m in found], ddof=1)
    assert 0.4 * spread < np.mean([m.error for m in found]) < 2.5 * spread


@pytest.mark.parametrize(
    ("codes", "factors", "words"),
    [
        (FACTORS[:, :1], FACTORS, "D >= 2"),
        (FACTORS, FACTORS[:100], "reshape"),
        (FACTORS[:100], FACTORS[:100], "more events"),
        (FACTORS, np.zeros((4000, 1)), "never does"),
    ],
)
def test_what_cannot_be_measured_is_refused(codes, factors, words):
    with pytest.raises(UserError, match=words):
        mutual_information_gap(codes, factors)
