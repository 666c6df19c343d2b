"""Claims on penalties, on critics that follow a generator, and on players of the line: measures with known answers."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from scipy.integrate import trapezoid
from scipy.stats import energy_distance, wasserstein_distance
from torch.optim import SGD

from simulacra.batch import Batch
from simulacra.claims import critics, feedback, line, penalising, players
from simulacra.gan import GAN, GradientPenalty, Wasserstein
from simulacra.networks import critic_for
from simulacra.networks.heads import Verdict

SIDES, LINES = penalising.CLAIMS
TURNS, LOSSES = feedback.CLAIMS
(ONE,) = players.CLAIMS


@pytest.mark.parametrize(
    ("claim", "play"),
    [
        (SIDES, lambda: penalising.on_both_sides(1, steps=2)),
        (LINES, lambda: penalising.along_lines(1, steps=2, rows=20)),
        (TURNS, lambda: feedback.converging(1, rounds=3, approach=1, steps=2)),
        (LOSSES, lambda: feedback.steadying(1, rounds=3)),
        (ONE, lambda: players.falling(1, steps=20, looks=20)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_experiments_give_the_quantities_of_their_bounds_twice_the_same_and_a_picture(claim, play):
    result, again = play(), play()
    assert set(result.values) == set(claim.bounds) >= set(result.control) > set()
    assert result.values == again.values
    assert result.control == again.control
    assert all(np.isfinite(value) for value in (*result.values.values(), *result.control.values()))
    assert isinstance(claim.figure([result, again]), Figure)


@pytest.mark.parametrize("weight", [1.0, 10.0])
def test_the_best_critic_is_the_one_on_paper_on_either_side(weight):
    gaps, density = penalising.gap(1.0), penalising.lines(1.0)
    kinds = (
        GradientPenalty(weight),
        GradientPenalty(weight, one_sided=True),
        GradientPenalty(weight, target=3.0),
    )
    both, above, three = (penalising.best(gaps, density, kind) for kind in kinds)
    value = trapezoid(both * gaps, penalising.X)
    assert trapezoid(np.abs(gaps), penalising.X) == pytest.approx(1.0, abs=1e-6)
    assert trapezoid(density, penalising.X) == pytest.approx(1.0, abs=1e-3)
    assert value == pytest.approx(critics.soft(1.0, weight), rel=5e-3)
    assert trapezoid(above * gaps, penalising.X) == pytest.approx(value)
    assert trapezoid(three * gaps, penalising.X) == pytest.approx(value + 2, rel=1e-2)


def test_a_best_critic_has_the_sign_of_the_gap_and_no_slope_where_only_steep_ones_cost():
    gaps, density = np.array([-1e-3, 1e-3]), np.ones(2)
    assert penalising.best(gaps, density, GradientPenalty(10.0)) == pytest.approx([-1, 1], abs=1e-6)
    assert abs(penalising.best(np.zeros(1), np.ones(1), GradientPenalty(10.0)))[0] == pytest.approx(1)
    assert abs(penalising.best(np.zeros(1), np.ones(1), GradientPenalty(10.0, one_sided=True)))[0] <= 1


def test_distances_of_the_line_are_those_of_the_books():
    made, real = torch.randn(500, 1) - 1, line.data(500)
    assert float(line.distance(made, real)) == pytest.approx(wasserstein_distance(made[:, 0], real[:, 0]), rel=1e-4)
    apart = made.repeat(40, 1), real.repeat(40, 1)
    squared = energy_distance(made[:, 0], real[:, 0]) ** 2
    assert float(line.energy(*(x[:4000] for x in apart))) == pytest.approx(squared, abs=3e-3)
    assert float(line.distance(line.quantiles(1000), line.quantiles(1000) + 2)) == pytest.approx(2, rel=1e-4)


def test_quantiles_have_the_moments_and_the_order_of_the_data():
    exact, drawn = line.quantiles(2000), line.data(20_000)
    assert float(exact.std()) == pytest.approx(line.SPREAD, rel=1e-2)
    assert float(drawn.std()) == pytest.approx(line.SPREAD, rel=2e-2)
    assert (exact.diff(dim=0) > 0).all()
    assert line.ordered(exact, torch.tensor([[-9.0], [0.0], [9.0]])) == pytest.approx([0, 0.5, 1], abs=1e-3)
    assert float(line.inputs(2000).std()) == pytest.approx(1, rel=1e-2)


def test_steps_down_the_exact_distance_go_down():
    torch.manual_seed(0)
    generator = line.fresh()
    seen = list(feedback.down(generator, 30, 1e-3))
    assert all(after < before for before, after in pairwise(seen))
    assert line.far(generator) < seen[-1]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_critic_that_rises_towards_the_data_points_where_the_distance_does(sign):
    generator: Any = line.fresh()
    critic: Any = lambda x, given: Verdict(sign * x[:, 0], x)  # noqa: E731
    with torch.no_grad():
        generator.net.layers[-1].bias.fill_(-9.0)
    found, norm = feedback.told(generator, critic, Wasserstein())
    made = generator({"z": line.inputs(feedback.ROWS)})
    exact = line.flat(line.distance(made, line.quantiles(feedback.ROWS)), generator)
    assert found == pytest.approx(sign)
    assert norm == pytest.approx(float(exact.norm()), rel=1e-4)


def test_the_cosine_knows_which_event_goes_where_and_not_how_far():
    real, order = line.quantiles(100), torch.randperm(100)
    made = (real + torch.linspace(-1, 1, 100)[:, None].sign())[order]
    way = (made.argsort(0).argsort(0) >= 50).float() * 2 - 1
    assert feedback.cosine(made, 7 * way, real) == pytest.approx(1)
    assert feedback.cosine(made, -way, real) == pytest.approx(-1)
    assert feedback.cosine(made, torch.ones(100, 1), real) == pytest.approx(0, abs=1e-6)


def test_shuffled_labels_leave_nothing_to_tell():
    critic, far = critic_for(line.LINE, offset=False, hidden=(8,)), torch.full((4000, 1), 5.0)
    plain, mixed = (feedback.Kind(1, penalty=None, shuffled=s).loss(critic, far, -far).item() for s in (False, True))
    assert abs(mixed) < 0.1 * abs(plain)


def test_the_share_of_a_way_that_goes_up():
    assert players.uphill(np.linspace(3, 1, 50)) == 0
    assert players.uphill(np.linspace(1, 3, 50)) == 1
    assert players.uphill(np.cos(np.linspace(0, 8 * np.pi, 400)), blocks=400) == pytest.approx(0.5)
    assert players.end(np.array([9.0] * 8 + [1.0, 3.0])) == 2


def test_both_players_move_and_a_step_leaves_the_other_without_a_gradient():
    game = GAN(line.fresh(), critic_for(line.LINE, offset=False, hidden=(4,)), Wasserstein(), players.NOISE)
    critic, generator = (SGD(network.parameters(), 0.1) for network in (game.critic, game.generator))
    before = deepcopy(game.state_dict())
    line.step(critic, game.critic, game.critic_loss(Batch(line.data(8))))
    assert all(p.grad is None for p in game.generator.parameters())
    assert all(v.equal(before[name]) for name, v in game.state_dict().items() if name.startswith("generator"))
    before = deepcopy(game.state_dict())
    players.against(game, critic, generator)()
    changed = {name for name, v in game.state_dict().items() if not v.equal(before[name])}
    assert {name.split(".")[0] for name in changed} == {"critic", "generator"}


def test_one_player_gets_nearer():
    torch.manual_seed(1)
    generator = line.fresh()
    curve = players.watched(generator, players.alone(generator, line.energy, players.adam(generator, 5e-3)), 60, 6)
    assert len(curve) == 7
    assert curve[-1] < 0.5 * curve[0]
