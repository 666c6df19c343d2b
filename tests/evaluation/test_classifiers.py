"""Classifiers, responses and copies: known answers, and defects that must be seen."""

import numpy as np
import pytest
from scipy.stats import norm

from simulacra.errors import UserError
from simulacra.evaluation.classifiers import area, auc
from simulacra.evaluation.memorisation import identical, memorisation, sign_test
from simulacra.evaluation.moments import moments
from simulacra.evaluation.response import bias, resolution_ratio, response


def test_area_is_the_chance_of_right_order():
    draw = np.random.default_rng(0)
    a, b = draw.normal(size=300), draw.normal(size=200) + 1
    b[:50] = a[:50]
    value, variance = area(a, b)
    assert value == pytest.approx(((b[:, None] > a) + 0.5 * (b[:, None] == a)).mean())
    assert variance > 0


def test_delong_error_is_the_spread():
    draw = np.random.default_rng(1)
    found = np.array([area(draw.normal(size=200), draw.normal(size=200) + 0.5) for _ in range(200)])
    pulls = (found[:, 0] - norm.cdf(0.5 / np.sqrt(2))) / np.sqrt(found[:, 1])
    assert 0.8 < pulls.std() < 1.25


@pytest.mark.parametrize("model", ["trees", "mlp"])
def test_shifted_gaussians_have_the_known_auc(model):
    draw = np.random.default_rng(2)
    condition = draw.normal(size=(2000, 1))
    a, b, c = (condition + draw.normal(size=(2000, 3)) for _ in range(3))
    b[:, 0] += 1
    found = auc(a, b, condition, model=model, splits=2, floor_sample=(c, condition))
    best = norm.cdf(1 / np.sqrt(2))
    assert found.value == pytest.approx(best, abs=0.04 if model == "trees" else 0.02)
    assert found.value < best + 3 * found.error
    assert found.floor == pytest.approx(0.5, abs=3 * found.floor_error)


@pytest.mark.parametrize("model", ["trees", "mlp"])
def test_equal_samples_cannot_be_told_apart(model):
    draw = np.random.default_rng(3)
    found = auc(draw.normal(size=(1000, 4)), draw.normal(size=(1000, 4)), model=model, splits=2)
    assert found.value == pytest.approx(0.5, abs=3 * found.error)
    assert 0.01 < found.error < 0.03
    assert abs(found.above_floor) < 3


def test_classifiers_see_the_condition():
    """Right distributions, but not at the condition asked for."""
    draw = np.random.default_rng(4)
    condition = draw.normal(size=(1000, 1))
    a, b = (
        condition + 0.1 * draw.normal(size=(1000, 1)),
        draw.permutation(condition) + 0.1 * draw.normal(size=(1000, 1)),
    )
    assert auc(a, b, splits=2).value < 0.55
    assert auc(a, b, condition, splits=2).value > 0.8


def test_classifier_refuses_what_does_not_fit():
    x = np.zeros((100, 2))
    with pytest.raises(UserError, match="did you mean 'trees'"):
        auc(x, x, model="treez")
    with pytest.raises(UserError, match="expected 2 columns"):
        auc(x, np.zeros((100, 3)))
    with pytest.raises(UserError, match="at least 80 events"):
        auc(x[:50], x[:50])
    with pytest.raises(UserError, match="one condition per row"):
        auc(x, x, np.zeros((99, 1)))


def test_response_pulls_and_planted_defects():
    draw = np.random.default_rng(5)
    pulls = []
    for _ in range(100):
        a, b = draw.normal(1, 0.1, 500), 1.02 * draw.normal(1, 0.1, 500)
        rest = 1.3 * draw.standard_t(8, 500), draw.standard_t(8, 500)
        d, r = bias(a, b), resolution_ratio(*rest)
        pulls.append([(d.value - 0.02) / d.error, (r.value - 1 / 1.3) / r.error])
    assert np.std(pulls, axis=0) == pytest.approx(1, abs=0.25)
    energy = draw.uniform(1, 50, 20_000)
    sample = 0.2 * (1 + 0.1 / np.sqrt(energy) * draw.normal(size=(3, 20_000)))
    sample[1][energy > 40] *= 0.99
    found = response((sample[0], energy), (sample[1], energy), (sample[2], energy))
    assert found["response/bias/45-50GeV"].value == pytest.approx(-0.01, abs=0.002)
    assert found["response/bias/5-10GeV"].above_floor == pytest.approx(0, abs=3.5)
    assert found["resolution/ratio/5-10GeV"].value == pytest.approx(1, abs=0.06)
    wide = response((sample[0], energy), (0.2 + 1.2 * (sample[2] - 0.2), energy))
    assert wide["resolution/ratio"].value == pytest.approx(1.2, abs=4 * wide["resolution/ratio"].error)
    assert wide["resolution/ratio"].floor == 1


def test_moments_find_a_shift_and_where_it_is():
    draw = np.random.default_rng(6)
    energy = draw.uniform(1, 50, 4000)
    a, b = (energy * (1 + 0.1 * draw.normal(size=4000)) for _ in range(2))
    assert abs(moments("width", a, b, (energy, energy))["mean/width"].above_floor) < 3
    found = moments("width", a, np.where(energy > 40, 1.05 * b, b), (energy, energy), "mm", "GeV")
    last = [m for name, m in found.items() if name.startswith("mean/width/")]
    assert len(last) == 5
    assert last[-1].above_floor > 5
    assert abs(last[0].above_floor) < 3


def test_copies_are_flagged_and_honest_events_are_not():
    draw = np.random.default_rng(7)
    train, held, honest = (draw.normal(size=(n, 20)) for n in (1200, 500, 500))
    found = memorisation(honest, held, train)
    assert found["memorisation/p"].value > 0.01
    assert found["memorisation/ratio"].value == pytest.approx(1, abs=4 * found["memorisation/ratio"].error)
    assert found["memorisation/identical"].value == 0
    blurred, exact = honest.copy(), honest.copy()
    blurred[:25] = train[:25] + 0.05 * draw.normal(size=(25, 20))
    exact[:25] = train[100:125]
    assert memorisation(blurred, held, train)["memorisation/p"].value < 1e-3
    assert memorisation(blurred, held, train)["memorisation/ratio/1%"].value < 0.5
    assert memorisation(exact, held, train)["memorisation/identical"].value == 25
    everything = memorisation(train[:500] * 1.001, held, train)
    assert everything["memorisation/ratio"].value < 0.1


def test_identical_rows_and_the_sign_test():
    assert identical(np.array([[1.0, -0.0]]), np.array([[1.0, 0.0]])) == 1
    assert sign_test(95, 0) == pytest.approx(2.0**-95)
    assert sign_test(0, 0) == 1
