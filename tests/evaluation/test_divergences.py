"""Divergences: closed forms and limits, no bias where it is removed, and errors that hold."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from simulacra.errors import UserError
from simulacra.evaluation.distances import distances, kolmogorov_smirnov, separation, wasserstein
from simulacra.evaluation.divergences import chi_square, divergence, jensen_shannon, kullback_leibler, total_variation
from simulacra.evaluation.multiple import adjusted, holm, ks_many

EXACT = {"kl": kullback_leibler, "js": jensen_shannon, "total_variation": total_variation, "chi_square": chi_square}
SHIFT = 0.5


def shares(shift: float, count: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """N(0, 1) and N(shift, 1) in equally filled bins of the first."""
    edges = np.concatenate([[-np.inf], norm.ppf(np.arange(1, count) / count), [np.inf]])
    return np.diff(norm.cdf(edges)), np.diff(norm.cdf(edges - shift))


def test_two_bernoullis():
    p, q = 0.3, 0.6
    first, second = [p, 1 - p], [q, 1 - q]
    assert kullback_leibler(first, second) == pytest.approx(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))
    assert total_variation(first, second) == pytest.approx(abs(p - q))
    assert chi_square(first, second) == pytest.approx((p - q) ** 2 / (q * (1 - q)))
    middle = [(p + q) / 2, 1 - (p + q) / 2]
    halves = (kullback_leibler(first, middle) + kullback_leibler(second, middle)) / 2
    assert jensen_shannon(first, second) == pytest.approx(halves) == pytest.approx(jensen_shannon(second, first))


@pytest.mark.parametrize("exact", EXACT.values())
def test_equal_is_zero_and_merging_bins_never_separates_more(exact):
    draw = np.random.default_rng(0)
    for _ in range(20):
        p, q = draw.dirichlet(np.ones(6), size=2)
        assert exact(p, p) == pytest.approx(0, abs=1e-12)
        assert exact(p.reshape(3, 2).sum(1), q.reshape(3, 2).sum(1)) <= exact(p, q) + 1e-12


def test_point_masses_at_a_distance():
    """Parallel lines: only the Wasserstein distance knows how far they are apart."""
    for theta in (0.25, 2.0):
        a, b = np.zeros(200), np.full(200, theta)
        assert divergence(a, b, "kl").value == divergence(a, b, "chi_square").value == np.inf
        assert divergence(a, b, "js").value == pytest.approx(np.log(2))
        assert divergence(a, b, "total_variation").value == 1
        assert wasserstein(a, b, scale=1.0).value == pytest.approx(theta, rel=0.01)
    same = divergence(np.zeros(200), np.zeros(200), "js")
    assert (same.value, same.error) == (0, 0)


def test_fine_bins_of_gaussians_tend_to_the_integrals():
    p, q = shares(SHIFT, 2000)
    assert kullback_leibler(p, q) == pytest.approx(SHIFT**2 / 2, rel=1e-3)
    assert chi_square(p, q) == pytest.approx(np.exp(SHIFT**2) - 1, rel=5e-3)
    assert total_variation(p, q) == pytest.approx(2 * norm.cdf(SHIFT / 2) - 1, rel=1e-3)

    def integrand(x: float) -> float:
        f, g = norm.pdf(x), norm.pdf(x - SHIFT)
        return (f * np.log(2 * f / (f + g)) + g * np.log(2 * g / (f + g))) / 2

    assert jensen_shannon(p, q) == pytest.approx(quad(integrand, -8, 8)[0], rel=1e-3)


@pytest.mark.parametrize("kind", EXACT)
def test_pulls_at_a_shift_and_excess_at_none(kind):
    draw, truth = np.random.default_rng(1), EXACT[kind](*shares(SHIFT))
    shifted = [divergence(draw.normal(size=1000), draw.normal(size=1000) + SHIFT, kind) for _ in range(100)]
    pulls = np.array([(m.value - truth) / m.error for m in shifted])
    assert 0.8 < pulls.std() < 1.25
    assert abs(pulls.mean()) < (1.2 if kind == "total_variation" else 0.5)  # a sum of moduli lies high at any n
    equal = [divergence(draw.normal(size=1000), draw.normal(size=1000), kind) for _ in range(100)]
    assert np.mean([abs(m.excess) < 2.5 * m.error for m in equal]) >= 0.9
    assert np.mean([m.excess / m.floor_error for m in equal]) == pytest.approx(0, abs=0.4)
    assert 0.75 < np.std([m.excess / m.floor_error for m in equal]) < 1.35


def weighted(draw: np.random.Generator, n: int, centre: float) -> tuple[np.ndarray, np.ndarray]:
    """N(0.3, 1) with the weights that make it N(centre, 1)."""
    x = draw.normal(size=n) + 0.3
    return x, np.exp(((x - 0.3) ** 2 - (x - centre) ** 2) / 2)


def test_weights_undo_and_make_a_shift():
    draw = np.random.default_rng(2)
    a, (b, back), (c, away) = draw.normal(size=20_000), weighted(draw, 20_000, 0.0), weighted(draw, 20_000, 0.8)
    without = {**distances(a, b, permutations=19), "js": divergence(a, b)}
    undone = {**distances(a, b, weights=(None, back), permutations=19), "js": divergence(a, b, weights=(None, back))}
    assert all(m.above_floor > 5 for m in without.values())
    assert all(m.above_floor < 3 for m in undone.values())
    made = wasserstein(a, c, scale=1.0, weights=(None, away), permutations=19)
    assert made.value == pytest.approx(0.8, abs=4 * made.error)
    largest = kolmogorov_smirnov(a, c, weights=(None, away), permutations=19)
    assert largest.value == pytest.approx(2 * norm.cdf(0.4) - 1, abs=4 * largest.error)
    for kind, exact in EXACT.items():
        found = divergence(a, c, kind, weights=(None, away))
        assert found.value == pytest.approx(exact(*shares(0.8)), abs=4 * found.error)


def test_equal_weights_change_nothing_and_whole_ones_are_copies():
    draw = np.random.default_rng(3)
    a, b = draw.normal(size=300), draw.normal(size=300) + 0.2
    ones = (np.full(300, 7.0), np.full(300, 0.1))
    for measure in (separation, divergence, lambda *x, **k: distances(*x, **k)["wasserstein"], kolmogorov_smirnov):
        plain, same = measure(a, b), measure(a, b, weights=ones)
        assert (same.value, same.error, same.n) == pytest.approx((plain.value, plain.error, plain.n))
    times = draw.integers(0, 3, 300)
    copied = distances(a, np.repeat(b, times), permutations=9)
    weighed = distances(a, b, weights=(None, times), permutations=9)
    assert weighed["ks"].value == pytest.approx(copied["ks"].value)
    assert weighed["separation"].n < times.sum()  # copies are not events


def test_many_observables_are_corrected_for_their_number():
    draw = np.random.default_rng(4)
    a = {str(k): draw.normal(size=500) for k in range(40)}
    b = {str(k): draw.normal(size=500) + 0.5 * (k == 7) for k in range(40)}
    found = ks_many(a, b)
    assert [name for name, p in found.items() if p < 0.01] == ["7"]
    raw = {"a": 0.004, "b": 0.001, "c": 0.03, "d": 0.02}
    assert adjusted(raw) == pytest.approx({"b": 0.004, "a": 0.012, "d": 0.04, "c": 0.04})
    assert set(holm(raw, 0.012)) == {"a", "b"}
    assert holm({"a": 0.004, "b": 0.5, "c": 0.6}, 0.01) == []  # 0.004 of one test in three is not below 0.01 / 3
    assert holm({"a": 0.003, "b": 0.0049, "c": 0.6}, 0.01) == ["a", "b"]
    with pytest.raises(UserError, match="came 39 in one only"):
        ks_many(a, {k: v for k, v in b.items() if k != "39"})


def test_bad_words_and_shares_are_refused_in_one_line():
    x = np.arange(100.0)
    with pytest.raises(UserError, match="came 'jss'; did you mean 'js'"):
        divergence(x, x, "jss")
    with pytest.raises(UserError, match="divide counts by their sum"):
        jensen_shannon([3, 4], [0.5, 0.5])
    with pytest.raises(UserError, match="equally long"):
        total_variation([1.0], [0.5, 0.5])
    with pytest.raises(UserError, match="not negative"):
        separation(x, x, weights=(None, x - 1))
    with pytest.raises(UserError, match="100 weights of the reference, came the shape"):
        separation(x, x, weights=([1.0], None))
    with pytest.raises(UserError, match=r"put None for equal ones"):
        separation(x, x, weights=x)
