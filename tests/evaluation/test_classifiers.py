"""Classifiers, responses and copies: known answers, and defects that must be seen."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from simulacra.errors import UserError
from simulacra.evaluation import classifiers, mlps
from simulacra.evaluation.classifiers import auc, jensen_shannon_bound, permutation_p, told_apart
from simulacra.evaluation.memorisation import identical, memorisation, sign_test
from simulacra.evaluation.moments import moments
from simulacra.evaluation.response import bias, resolution_ratio, response
from simulacra.evaluation.roc import area


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


def shifted_js(shift: float) -> float:
    """Jensen-Shannon divergence of N(0, 1) and N(shift, 1), in bits."""

    def integrand(x):
        p, q = norm.pdf(x), norm.pdf(x - shift)
        return 0.5 * (p * np.log2(2 * p / (p + q)) + q * np.log2(2 * q / (p + q)))

    return quad(integrand, -10, 10 + shift)[0]


@pytest.mark.parametrize("model", ["trees", "mlp"])
def test_calibrated_classifier_bounds_the_divergence_from_below(model):
    draw = np.random.default_rng(8)
    a, b = draw.normal(size=(2, 2000, 1))
    found = jensen_shannon_bound(a, b + 1.5, model=model, splits=1)
    truth = shifted_js(1.5)
    assert 0.75 * truth < found.value < truth + 3 * found.error
    assert abs(found.floor) < 0.03
    assert found.above_floor > 10


@pytest.mark.parametrize("model", ["trees", "mlp"])
def test_one_training_gives_area_and_bound(model, monkeypatch):
    draw = np.random.default_rng(13)
    a, b = draw.normal(size=(2, 200, 2))
    b = b + 0.7
    short = {"max_iter": 5} if model == "trees" else {"epochs": 3}
    options = {"model": model, "splits": 1, "weights": (None, draw.random(200)), **short}
    alone = auc(a, b, **options), jensen_shannon_bound(a, b, **options)
    trained = []
    kind, name = (classifiers, "_trees") if model == "trees" else (mlps, "scores")
    plain = getattr(kind, name)
    monkeypatch.setattr(kind, name, lambda *rest, **more: trained.append(1) or plain(*rest, **more))
    found = told_apart(a, b, **options)
    assert (found["auc"], found["js"]) == alone
    assert found["js"].unit == "bits"
    assert len(trained) == (8 if model == "trees" else 2)  # four folds, or all of them at once, and as often for floors


def test_bound_is_negative_where_there_is_nothing_to_know():
    """A classifier that believes in noise knows less than nothing, and it shows."""
    draw = np.random.default_rng(9)
    options = {"max_iter": 20}
    found = [jensen_shannon_bound(*draw.normal(size=(2, 100, 2)), splits=1, **options) for _ in range(12)]
    assert np.mean([m.value for m in found]) < 0
    assert all(m.above_floor < 3 for m in found)


def test_bound_weighs_both_samples_equally():
    draw = np.random.default_rng(10)
    a, b = draw.normal(size=(3000, 1)), draw.normal(size=(600, 1))
    assert abs(jensen_shannon_bound(a, b, splits=1, max_iter=20).value) < 0.05


def test_network_of_pictures_sees_what_pixels_one_by_one_do_not():
    """Every pixel has the same law in both samples; only neighbours are alike in the second, anywhere."""
    draw = np.random.default_rng(11)
    a, b = draw.normal(size=(2, 400, 1, 8, 9))
    b = (b[..., :-1] + b[..., 1:]) / np.sqrt(2)
    a = a[..., :-1]
    found = auc(a, b, model="cnn", splits=1, folds=2)
    assert found.value > 0.75
    assert found.above_floor > 5
    assert abs(found.floor - 0.5) < 0.1
    told = auc(a[:200], a[200:], np.zeros((200, 1)), np.ones((200, 1)), model="cnn", splits=1, folds=2)
    assert told.value > 0.9  # the condition is seen, too
    with pytest.raises(UserError, match="expected pictures"):
        auc(a.reshape(400, -1), b.reshape(400, -1), model="cnn")


def test_permutation_p_is_small_for_a_difference_and_uniform_without():
    draw = np.random.default_rng(12)
    options = {"permutations": 9, "folds": 2, "max_iter": 3}
    assert permutation_p(*(draw.normal(size=(2, 100, 1)) + [[[0.0]], [[2.0]]]), **options) == 0.1
    found = [permutation_p(*draw.normal(size=(2, 60, 1)), **options) for _ in range(12)]
    assert 0.25 < np.mean(found) < 0.85
    assert set(np.round(np.multiply(found, 10)).astype(int)) <= set(range(1, 11))


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
