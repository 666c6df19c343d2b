"""Distances between features: closed forms, no bias, honest errors, and the definitions of published tables."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from simulacra.batch import Batch
from simulacra.domains import open_data
from simulacra.domains.dataset import ArrayDataset
from simulacra.errors import UserError
from simulacra.evaluation.frechet import fid, fid_infinity, fpd, fpd_bootstrap, frechet, scaled, unit_draws
from simulacra.evaluation.images import WEIGHTS, accuracy, probabilities, shipped, train_classifier
from simulacra.evaluation.inception import inception_score
from simulacra.evaluation.kernels import polynomial
from simulacra.evaluation.kid import kid, kpd, kpd_batches, unit_slope

SIZE, WIDTH, SHIFT = 400, 8, 0.3


@pytest.fixture(scope="module")
def pairs() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Two samples of one Gaussian and a shifted one, thirty times."""
    draw = np.random.default_rng(0)
    out = []
    for _ in range(30):
        x = draw.normal(size=(3, SIZE, WIDTH))
        out.append((x[0], x[1], x[2] + SHIFT))
    return out


def test_the_size_is_free_of_bias_and_its_error_is_the_spread(pairs):
    truth = WIDTH * SHIFT**2
    same = np.array([fid_infinity(a, b, permutations=6).value for a, b, _ in pairs])
    found = [fid_infinity(a, c, permutations=6) for a, _, c in pairs]
    values, errors = np.array([m.value for m in found]), np.array([m.error for m in found])
    plain = np.mean([fid(a, b, permutations=2).value for a, b, _ in pairs])
    assert abs(same.mean()) < 4 * same.std() / math.sqrt(len(same))
    assert plain > 3 * abs(same.mean()) + 0.05  # what the extrapolation removes
    assert values.mean() == pytest.approx(truth, abs=4 * values.std() / math.sqrt(len(values)))
    assert 0.7 < errors.mean() / values.std(ddof=1) < 1.5


def test_extrapolation_is_two_wholes_less_the_halves():
    draw = np.random.default_rng(1)
    a, b = draw.normal(size=(64, 1)), 2 * draw.normal(size=(64, 1)) + 1

    def distance(x, y):  # of two Gaussians on a line
        return (x.mean() - y.mean()) ** 2 + (x.std(ddof=1) - y.std(ddof=1)) ** 2

    order = np.random.default_rng(7)
    x, y = order.permutation(a), order.permutation(b)
    quarters = [np.split(v, 4) for v in (x, y)]
    halves = [[np.concatenate(q[k::2]) for k in (0, 1)] for q in quarters]
    want = 2 * distance(x, y) - np.mean([distance(p, q) for p in halves[0] for q in halves[1]])
    assert fid_infinity(a, b, blocks=4, permutations=2, seed=7).value == pytest.approx(want)


def test_fpd_does_not_depend_on_units(pairs):
    a, _, c = pairs[0]
    units = np.array([1e-6, 1.0, 1e3, -5.0, 1.0, 1.0, 1.0, 1e9])
    assert fpd(a * units, c * units, permutations=3).value == pytest.approx(fpd(a, c, permutations=3).value)
    assert kpd(a * units, c * units, permutations=3).value == pytest.approx(kpd(a, c, permutations=3).value)
    one, other = scaled(np.array([[2.0, 0.0], [-4.0, 0.0]]), np.array([[4.0, 3.0]]))
    assert one.tolist() == [[0.5, 0.0], [-1.0, 0.0]]
    assert other.tolist() == [[1.0, 3.0]]


def test_draws_of_units_spread_as_maxima_do():
    """The logarithm of the largest of n Pareto numbers of index 4 has the spread pi / (4 sqrt 6), at any n."""
    draw = np.random.default_rng(5)
    tail = np.exp(draw.exponential(size=(150, 1500)) / 4)  # Pareto: log of the maximum is Gumbel of scale 1/4
    x = np.stack([tail[:-1], tail[1:], tail[:-1] ** 2], axis=2)
    drawn = np.array([unit_draws(x[k], k) for k in range(len(x))])
    assert drawn.shape == (149, 4, 4, 3)
    assert drawn.mean(2) == pytest.approx(0, abs=1e-12)
    spread = np.sqrt(drawn.var(2, ddof=1).mean((0, 1)))
    truth = np.log(x.max(1)).std(0, ddof=1)
    assert spread == pytest.approx(np.array([1, 1, 2]) * math.pi / math.sqrt(6) / 4, rel=0.15)
    assert spread == pytest.approx(truth, rel=0.3)
    assert drawn[..., 2] == pytest.approx(2 * drawn[..., 0])  # the same events
    assert np.isfinite(unit_draws(np.eye(5), 0)).all()


def test_errors_of_physics_distances_are_the_spread_of_repetitions():
    """One feature with a tail, whose largest value is the unit: kept units say less than they know."""
    draw = np.random.default_rng(6)
    found, kept = [], []
    for _ in range(40):
        a, b = draw.normal(size=(2, 400, 3))
        for x in (a, b):
            x[:, 0] = draw.choice([-1, 1], size=400) * np.exp(draw.exponential(size=400) / 4)
        b = b + np.array([0.6, 0.4, 0.0])
        found.append([fpd(a, b, permutations=4), kpd(a, b, permutations=4)])
        kept.append([fid_infinity(*scaled(a, b), permutations=4), kid(*scaled(a, b), degree=4, permutations=4)])
    for k in (0, 1):
        values, errors, less = (np.array(v) for v in (
            [m[k].value for m in found], [m[k].error for m in found], [m[k].error for m in kept]))  # fmt: skip
        assert values == pytest.approx([m[k].value for m in kept])
        assert 0.7 < ((values - values.mean()) / errors).std(ddof=1) < 1.35
        assert (errors > less).all()
        assert ((values - values.mean()) / less).std(ddof=1) > 1.5


def test_slope_by_units_is_the_finite_difference():
    draw = np.random.default_rng(7)
    a, b = draw.normal(size=(30, 3)), draw.normal(size=(20, 3)) + 0.5
    step = 1e-5 * np.eye(3)
    up, down = ([kid(a * np.exp(s), b * np.exp(s), degree=4, permutations=2).value for s in t] for t in (-step, step))
    assert unit_slope(a, b) == pytest.approx(np.subtract(up, down) / 2e-5, rel=1e-6)


def test_bootstrap_leads_to_the_finite_samples_own_distance(pairs):
    """Drawing with replacement from n events and extrapolating gives F_n, not F."""
    a, b, _ = pairs[1]
    found = fpd_bootstrap(a, b, smallest=2000, largest=8000, repeats=10)
    x, y = scaled(a, b)
    own = frechet(x.mean(0), np.cov(x.T, bias=True), y.mean(0), np.cov(y.T, bias=True))
    assert found.value == pytest.approx(own, rel=0.15)
    assert found.value == pytest.approx(found.floor, abs=4 * found.floor_error)
    assert abs(fpd(a, b).value) < 0.5 * found.value


def test_kernel_distance_is_the_mean_over_pairs():
    draw = np.random.default_rng(2)
    a, b = draw.normal(size=(7, 3)), draw.normal(size=(5, 3)) + 1

    def k(x, y):
        return (x @ y / 3 + 1) ** 3

    own = np.mean([k(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j])
    rest = np.mean([k(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j])
    across = np.mean([k(x, y) for x in a for y in b])
    assert kid(a, b).value == pytest.approx(own + rest - 2 * across)
    assert np.allclose(polynomial(4)(a, b), (a @ b.T / 3 + 1) ** 4)


def test_kernel_distance_of_a_linear_kernel_is_the_distance_of_means(pairs):
    """E k(a, a') + E k(b, b') - 2 E k(a, b) = |m_a - m_b|^2 / D for degree 1: unbiased, with the error that repeats."""
    found = [kid(a, c, degree=1, permutations=30) for a, _, c in pairs]
    values = np.array([m.value for m in found])
    assert values.mean() == pytest.approx(SHIFT**2, abs=4 * values.std() / math.sqrt(len(values)))
    assert 0.7 < np.mean([m.error for m in found]) / values.std(ddof=1) < 1.4


def test_kernel_distance_of_equal_samples_is_zero_with_the_floors_spread(pairs):
    found = [kid(a, b, permutations=30) for a, b, _ in pairs]
    values = np.array([m.value for m in found])
    assert abs(values.mean()) < 4 * values.std() / math.sqrt(len(values))
    assert 0.7 < np.mean([m.floor_error for m in found]) / values.std(ddof=1) < 1.4
    assert np.mean([abs(m.above_floor) > 3 for m in found]) == 0
    assert all(kid(a, c, permutations=30).above_floor > 3 for a, _, c in pairs[:5])


def test_median_of_batches_counts_an_event_that_meets_itself():
    """(E k(x, x) - E k(x, y)) (1/n + 1/m) is what drawing with replacement adds."""
    draw = np.random.default_rng(3)
    a, b = draw.normal(size=(2, 100, 4))
    found = kpd_batches(a, b, batches=40, size=1000)
    x, y = scaled(a, b)
    kernels = [polynomial(4)(v, v) for v in (x, y)]
    biased = sum(k.mean() for k in kernels) - 2 * polynomial(4)(x, y).mean()
    assert found.value == pytest.approx(biased, abs=4 * found.error / math.sqrt(40) * 1.25)
    assert biased > kpd(a, b, permutations=2).value


def test_inception_score_of_sure_and_equal_classes_is_their_number():
    perfect = inception_score(np.eye(10).repeat(50, 0))
    assert perfect.value == pytest.approx(10)
    assert inception_score(np.full((100, 5), 0.2)).value == pytest.approx(1)
    assert inception_score(np.eye(5)[np.zeros(100, dtype=int)]).value == pytest.approx(1)  # one mode only
    half = np.array([[0.9, 0.1], [0.1, 0.9]]).repeat(50, 0)
    entropy = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    assert inception_score(half).value == pytest.approx(2 * math.exp(-entropy))
    parts = inception_score(np.random.default_rng(0).permutation(np.eye(4).repeat(500, 0)), splits=10)
    assert parts.value == pytest.approx(4, abs=0.1)
    assert parts.error > 0


def test_errors_of_the_inception_score_are_the_spread_of_repetitions():
    draw = np.random.default_rng(4)
    for truth in (np.full(5, 0.2), np.array([0.5, 0.3, 0.1, 0.05, 0.05])):
        found = [inception_score(np.eye(5)[draw.choice(5, size=200, p=truth)]) for _ in range(200)]
        values = np.array([m.value for m in found])
        assert np.mean([m.error for m in found]) == pytest.approx(values.std(ddof=1), rel=0.25)
    real = np.eye(5)[draw.integers(5, size=400)]
    lost = inception_score(np.eye(5)[draw.integers(4, size=400)], real)
    assert lost.above_floor < -5  # a class that is never made
    assert lost.floor == pytest.approx(5, abs=0.2)


def test_refusals_say_what_to_do():
    x = np.zeros((20, 3))
    with pytest.raises(UserError, match="two tables of the same features"):
        fid(x, np.zeros((20, 2)))
    with pytest.raises(UserError, match="at least 12 events"):
        fpd(x[:11], x)
    with pytest.raises(UserError, match="at least 2 events"):
        kid(x[:1], x)
    with pytest.raises(UserError, match="a whole degree from 1"):
        kid(x, x, degree=0)
    with pytest.raises(UserError, match="rows that sum to 1"):
        inception_score(np.ones((4, 2)))
    with pytest.raises(UserError, match="at least 20 rows"):
        inception_score(np.full((10, 2), 0.5), splits=10)
    with pytest.raises(UserError, match="finite numbers"):
        kpd(x, np.full((20, 3), np.nan))


def test_weights_in_the_package_are_small_and_described():
    table = json.loads((WEIGHTS / "classifiers.json").read_text())
    files = list(WEIGHTS.glob("*.safetensors"))
    assert {path.stem for path in files} == set(table)
    assert sum(path.stat().st_size for path in files) < 1.5e6
    for path in files:
        entry = table[path.stem]
        assert all(v.dtype == torch.float16 and v.isfinite().all() for v in load_file(path).values())
        assert entry["error"] == pytest.approx(math.sqrt(entry["accuracy"] * (1 - entry["accuracy"]) / entry["tested"]))


@pytest.mark.parametrize(("name", "least"), [("fashion-mnist", 0.92), ("mnist", 0.99)])
def test_the_classifier_of_the_package_is_as_good_as_it_says(name, least):
    try:
        data = open_data(name)
    except UserError:
        pytest.skip(f"{name} is not here")
    assert isinstance(data, ArrayDataset)
    assert data.parts is not None
    entry = json.loads((WEIGHTS / "classifiers.json").read_text())[name]
    model = shipped(data.spec)
    assert model is not None
    assert entry["accuracy"] > least
    test = data[data.parts["test"][::5]]
    spread = math.sqrt(entry["accuracy"] * (1 - entry["accuracy"]) / len(test))
    assert accuracy(model, test.x, test.given["label"]) == pytest.approx(entry["accuracy"], abs=4 * spread)
    assert probabilities(model, test.x[:100]).sum(1) == pytest.approx(np.ones(100))
    same = train_classifier(data[data.parts["train"][:64]], spec=data.spec)
    assert torch.equal(same.first.weight, model.first.weight)


def test_other_data_have_no_classifier_in_the_package():
    data = open_data("toys:ring8", rows=100)
    assert shipped(data.spec) is None
    pictures = Batch(torch.rand(100, 1, 8, 8), {"label": torch.arange(100) % 2})
    alone = train_classifier(pictures, epochs=1)
    assert torch.equal(train_classifier(pictures, spec=data.spec, epochs=1).first.weight, alone.first.weight)
