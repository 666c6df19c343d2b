"""Separation powers and the classifier of the CaloChallenge: closed forms, honest errors, planted differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from simulacra.errors import UserError
from simulacra.evaluation.challenge import Histogram, edges, mean, separation
from simulacra.evaluation.challenge_classifier import Network, classify, size_of

TINY = Network(16, 1e-2, 100, 12, True, 0)
BINS = np.linspace(-3.0, 3.0, 21)


def test_raw_is_the_published_formula():
    draw = np.random.default_rng(0)
    a, b = draw.normal(size=700), draw.normal(0.3, 1.1, size=400)
    p, q = (np.histogram(x, BINS)[0] / np.histogram(x, BINS)[0].sum() for x in (a, b))
    known = p + q > 0
    want = 0.5 * ((p - q)[known] ** 2 / (p + q)[known]).sum()
    found = separation(Histogram.of_values(a, BINS), Histogram.of_values(b, BINS))
    assert found.raw.value == pytest.approx(want)
    assert found.raw.n == 400


def test_equal_samples_have_none_and_disjoint_ones_have_all():
    x = np.linspace(-2.9, 2.9, 200)
    one = Histogram.of_values(x, BINS)
    assert separation(one, one).raw.value == 0
    apart = separation(Histogram.of_values(x[:100], BINS), Histogram.of_values(x[100:], BINS))
    assert apart.raw.value == pytest.approx(1)
    assert apart.unbiased.value == pytest.approx(1)
    away = separation(one, Histogram.of_values(x + 100, BINS))
    assert (away.raw.value, away.unbiased.value) == (1, 1)


def test_floor_of_single_entries_is_the_known_one():
    draw = np.random.default_rng(1)
    x = draw.random(5000)
    a, b = (Histogram.of_values(part, np.linspace(0, 1, 11)) for part in (x[:3000], x[3000:]))
    found = separation(a, b).raw
    assert found.floor == pytest.approx(9 / 4 * (1 / 3000 + 1 / 2000), rel=0.02)
    assert found.floor_error == pytest.approx(np.sqrt(9 / 8) * (1 / 3000 + 1 / 2000), rel=0.02)


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_unbiased_is_right_on_average_and_its_error_honest(shift):
    draw = np.random.default_rng(2)
    p, q = (np.diff(norm.cdf(np.r_[-np.inf, BINS, np.inf], at)) for at in (0.0, shift))
    truth = 0.5 * ((p - q) ** 2 / (p + q)).sum()
    pulls = []
    for _ in range(200):
        a, b = draw.normal(size=2000), draw.normal(shift, size=1500)
        found = separation(Histogram.of_values(a, BINS), Histogram.of_values(b, BINS)).unbiased
        pulls.append((found.value - truth) / found.error)
    assert abs(np.mean(pulls)) < 0.25
    assert 0.75 < np.std(pulls) < 1.2


def test_entries_of_one_event_stay_together():
    draw = np.random.default_rng(3)

    def showers(n: int) -> np.ndarray:  # each with its own steepness: far from independent entries
        steep = draw.gamma(2.0, size=(n, 1))
        return draw.poisson(30 * np.exp(-steep * np.arange(6)))

    pulls, raws, floors = [], [], []
    for _ in range(150):
        a, b = (Histogram.of_counts(showers(n), np.arange(5.0)) for n in (150, 120))
        found = separation(a, b)
        pulls.append(found.unbiased.value / found.unbiased.error)
        raws.append(found.raw.value)
        floors.append(found.raw.floor)
    assert abs(np.mean(pulls)) < 0.25
    assert np.std(pulls) < 1.4
    assert np.mean(raws) == pytest.approx(np.mean(floors), rel=0.25)


def test_one_entry_each_is_the_special_case():
    at = np.random.default_rng(4).integers(0, 5, 300)
    values, counts = at + 0.5, np.eye(7)[at + 1]
    one, many = Histogram.of_values(values, np.arange(6.0)), Histogram.of_counts(counts, np.arange(6.0))
    for found, want in zip(one.shares(), many.shares(), strict=True):
        assert np.allclose(found, want)
    p, cov = one.shares(inside=True)
    assert np.allclose(cov, (np.diag(p) - np.outer(p, p)) / 299)


def test_ranges():
    x = np.linspace(0.0, 10.0, 1001)
    assert edges(x, 0.0, 20.0, 4).round(6).tolist() == [0, 5, 10, 15, 20]
    assert edges(x, 0.0, 5.0, 2).round(6).tolist() == [0, 5, 10]  # half of the reference would be left out
    own = edges(x, 0.1, None, 2, log=True)
    assert own.round(6).tolist() == [0.1, 1, 10]
    assert Histogram.of_values(x, own).sums[-1] == 0  # the largest value is inside
    assert edges(np.zeros(5), 0.5, None, 3, log=True)[-1] > 0.5
    assert edges(np.ones(5), None, None, 2).round(6).tolist() == [0.5, 1, 1.5]


def test_mean_over_layers_keeps_a_safe_error():
    draw = np.random.default_rng(5)
    found = [separation(*(Histogram.of_values(draw.normal(size=300), BINS) for _ in range(2))) for _ in range(4)]
    all_four = mean(found)
    assert all_four.raw.value == pytest.approx(np.mean([s.raw.value for s in found]))
    assert all_four.raw.error <= max(s.raw.error for s in found)
    assert all_four.unbiased.n == 300


def test_other_bins_and_empty_histograms_are_refused():
    one = Histogram.of_values(np.zeros(5), BINS)
    with pytest.raises(UserError, match="same edges"):
        separation(one, Histogram.of_values(np.zeros(5), BINS + 1))
    with pytest.raises(UserError, match="empty"):
        separation(one, Histogram.of_counts(np.zeros((5, 22)), BINS))
    with pytest.raises(UserError, match="before and after"):
        Histogram.of_counts(np.zeros((5, 20)), BINS)


def test_the_classifier_finds_a_shift_as_far_as_it_can_be_found():
    draw = np.random.default_rng(6)
    a, b, c = (draw.normal(at, 1, (1500, 2)).astype(np.float32) for at in (0.0, 0.6, 0.0))
    found = classify(a, b, c, size=TINY)
    best = norm.cdf(0.6)  # shift of 0.6 sqrt(2) along the diagonal, over sqrt(2)
    assert abs(found["auc"].value - best) < 4 * found["auc"].error
    assert abs(found["auc"].floor - 0.5) < 4 * found["auc"].floor_error
    assert 0 < found["jsd"].value < 0.25
    assert found["jsd"].floor < 0.02
    assert found["auc"].n == 300
    again = classify(a, b, c, size=TINY)
    assert again == found


def test_the_classifier_finds_nothing_between_equal_samples():
    draw = np.random.default_rng(7)
    a, b = draw.normal(size=(2, 1000, 3)).astype(np.float32)
    found = classify(a, b, size=TINY)
    assert abs(found["auc"].value - 0.5) < 4 * found["auc"].floor_error
    assert found["jsd"].value < 0.02
    assert found["auc"].floor == 0.5


def test_the_published_network():
    full = size_of("full")
    assert (full.hidden, full.rate, full.batch, full.epochs, full.limit) == (2048, 2e-4, 1000, 50, 0)
    with pytest.raises(UserError, match="did you mean 'small'"):
        size_of("smal")
    with pytest.raises(UserError, match="at least 50"):
        classify(np.zeros((10, 1), np.float32), np.zeros((10, 1), np.float32))
