"""Optimal transport: primal and dual, limits of entropy, slices of a shift, floors and errors."""

import numpy as np
import ot
import pytest
from scipy.optimize import linprog
from scipy.spatial.distance import cdist
from scipy.special import gamma
from scipy.stats import wasserstein_distance

from simulacra.errors import UserError
from simulacra.evaluation.kernels import median_distance
from simulacra.evaluation.transport import directions, optimal_transport, sinkhorn, sliced_wasserstein


def samples(seed: int, n: int, m: int, dimension: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    return draw.normal(size=(n, dimension)), draw.normal(size=(m, dimension)) + shift


@pytest.mark.parametrize("equal", [True, False])
def test_primal_is_dual_and_the_plan_keeps_its_marginals(equal):
    a, b = samples(0, 40, 55, 3, 0.5)
    draw = np.random.default_rng(1)
    weights = None if equal else (draw.random(40), draw.random(55))
    of_a, of_b = (np.full(40, 1 / 40), np.full(55, 1 / 55)) if equal else (w / w.sum() for w in weights)
    found, costs = optimal_transport(a, b, weights=weights), cdist(a, b)
    assert found.plan.sum(1) == pytest.approx(of_a, abs=1e-9)
    assert found.plan.sum(0) == pytest.approx(of_b, abs=1e-9)
    assert found.plan.min() >= 0
    assert (found.plan * costs).sum() == pytest.approx(found.cost, abs=1e-9)
    assert of_a @ found.f + of_b @ found.g == pytest.approx(found.cost, abs=1e-6)
    slack = costs - found.f[:, None] - found.g
    assert slack.min() > -1e-9
    assert (slack * found.plan).max() < 1e-9  # tight wherever mass is carried


def test_the_cost_is_that_of_a_general_solver():
    a, b = samples(2, 8, 6, 2)
    rows = np.kron(np.eye(8), np.ones(6)), np.kron(np.ones(8), np.eye(6))
    sides = np.concatenate([np.full(8, 1 / 8), np.full(6, 1 / 6)])
    general = linprog(cdist(a, b).ravel(), A_eq=np.concatenate(rows), b_eq=sides)
    assert optimal_transport(a, b).cost == pytest.approx(general.fun, abs=1e-6)


def test_one_dimension_is_sorting_and_parallel_lines_are_their_distance():
    a, b = samples(3, 70, 50, 1, 0.3)
    assert optimal_transport(a, b).cost == pytest.approx(wasserstein_distance(a[:, 0], b[:, 0]), abs=1e-9)
    height = np.linspace(0, 1, 30)
    for theta in (0.0, 0.5, 3.0):
        left, right = np.column_stack([np.zeros(30), height]), np.column_stack([np.full(30, theta), height])
        assert optimal_transport(left, right).cost == pytest.approx(theta, abs=1e-9)


def test_a_shift_of_one_sample_costs_its_length_and_distances_obey_the_triangle():
    a, b = samples(4, 60, 60, 3)
    shift = np.array([1.0, 2.0, 2.0])
    assert optimal_transport(a, a + shift).cost == pytest.approx(3.0)
    c = samples(5, 60, 60, 3)[0]
    assert optimal_transport(a, c).cost <= optimal_transport(a, b).cost + optimal_transport(b, c).cost


def test_sinkhorn_tends_to_the_programme_for_no_entropy_and_to_independence_for_much():
    a, b = samples(6, 60, 50, 2, 0.5)
    exact = optimal_transport(a, b).cost
    scales = np.array([100.0, 0.5, 0.1, 0.05, 0.02])
    found = np.array([sinkhorn(a, b, epsilon, permutations=2).value for epsilon in scales])
    assert found[0] == pytest.approx(cdist(a, b).mean(), rel=1e-3)
    assert (np.diff(found) < 0).all()
    assert (found > exact).all()
    assert (found < exact + scales * median_distance(a, b) * np.log(50)).all()  # a plan's information is ln n at most


def test_slices_of_a_shift():
    a = samples(7, 400, 1, 3)[0]
    shift = np.array([0.0, 3.0, 4.0])
    found = sliced_wasserstein(a, a + shift, 100, permutations=9)
    assert found.value == pytest.approx(np.abs(directions(3, 100) @ shift).mean())  # exact along each direction
    law = 5.0 * gamma(1.5) / (np.sqrt(np.pi) * gamma(2))
    assert np.abs(directions(3, 20_000) @ shift).mean() == pytest.approx(law, rel=0.02)
    assert found.above_floor > 10


def test_slices_are_those_of_pot_with_weights_too():
    a, b = samples(8, 80, 60, 4, 0.2)
    draw = np.random.default_rng(9)
    weights = (draw.random(80), draw.random(60))
    for chosen in (None, weights):
        of_a, of_b = (None, None) if chosen is None else (w / w.sum() for w in weights)
        theirs = ot.sliced_wasserstein_distance(a, b, of_a, of_b, p=1, projections=directions(4, 30).T)
        ours = sliced_wasserstein(a, b, 30, weights=chosen, permutations=9)
        assert ours.value == pytest.approx(float(theirs))


MEASURES = {
    "sliced": (lambda a, b, k: sliced_wasserstein(a, b, 8, permutations=19, seed=0), 400, 60),
    "sinkhorn": (lambda a, b, k: sinkhorn(a, b, 0.1, permutations=4, seed=k), 100, 50),
}


@pytest.mark.parametrize("name", MEASURES)
def test_pulls_at_a_shift_and_excess_at_none(name):
    measure, n, repetitions = MEASURES[name]
    shifted = [measure(*samples(100 + k, n, n, 2, 0.5), k) for k in range(repetitions)]
    pulls = np.array([m.value for m in shifted])
    pulls = (pulls - pulls.mean()) / [m.error for m in shifted]  # the distance of finite samples lies high
    assert 0.75 < pulls.std() < 1.3
    equal = [measure(*samples(300 + k, n, n, 2), k) for k in range(repetitions)]
    assert np.mean([abs(m.excess) < 2.5 * m.error for m in equal]) >= 0.9
    assert abs(np.mean([m.excess / m.floor_error for m in equal])) < 0.5
    assert np.mean([m.above_floor for m in shifted]) > 2


def test_weights_undo_a_shift():
    a, b = samples(10, 800, 800, 2)
    b[:, 0] += 0.5
    weights = (None, np.exp((0.25 - b[:, 0]) / 2))
    assert sliced_wasserstein(a, b, 20, permutations=19).above_floor > 4
    undone = sliced_wasserstein(a, b, 20, weights=weights, permutations=19)
    assert abs(undone.above_floor) < 3
    assert 500 < undone.n < 800
    assert sinkhorn(a[:200], b[:200], 0.1, permutations=5).above_floor > 2
    assert abs(sinkhorn(a[:200], b[:200], 0.1, weights=(None, weights[1][:200]), permutations=5).above_floor) < 2.5


def test_what_is_refused():
    a, b = samples(11, 30, 30, 2)
    with pytest.raises(UserError, match="use optimal_transport for epsilon 0"):
        sinkhorn(a, b, 0.0)
    with pytest.raises(UserError, match="came no end"):
        sinkhorn(a, b, 1e-4)
    with pytest.raises(UserError, match="at most 4000000 pairs of events, came 3000 x 3000"):
        optimal_transport(np.zeros((3000, 1)), np.zeros((3000, 1)))
    with pytest.raises(UserError, match="events of one shape"):
        sliced_wasserstein(a, b[:, :1])
