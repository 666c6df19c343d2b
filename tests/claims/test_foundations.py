"""What the experiments of claims rest on: distances, divergences, play, and derivatives of the smallest GAN."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulacra.claims import distances, games, gradients, objectives, smallest_gan


def test_one_dimensional_distances_of_a_moved_block():
    p = distances.block(3)
    (q,) = distances.moved(p, np.array([2.0]))
    assert distances.w1(p, q) == pytest.approx(2)
    assert distances.js(p, q) == pytest.approx(math.log(2))
    assert distances.kl(p, q) == math.inf
    assert distances.kl(p, p) == 0


def test_the_dual_on_two_points_is_their_distance():
    cost = np.array([[0.0, 3.0], [3.0, 0.0]])
    value, potential = distances.dual(cost, np.ones(1), np.ones(1))
    assert value == pytest.approx(3)
    assert abs(potential[0] - potential[1]) == pytest.approx(3)


def test_gaussian_divergences_on_the_grid():
    kl, js = gradients.divergences(1.5, 0.8)
    assert kl == pytest.approx((0.8**2 + 1.5**2 - 1 - 2 * math.log(0.8)) / 2)
    assert 0 < js < math.log(2)
    nothing = objectives.normal()
    assert objectives.value(0 * nothing, nothing, nothing) == pytest.approx(-2 * math.log(2))


@pytest.mark.parametrize(
    ("rule", "matrix"),
    [("simultaneous", [[1, -0.1], [0.1, 1]]), ("alternating", [[1, -0.1], [0.1, 0.99]]),
     ("extragradient", [[0.99, -0.1], [0.1, 0.99]])],
)  # fmt: skip
def test_play_is_the_power_of_its_matrix(rule, matrix):
    start = np.array([0.3, -0.8])
    path = games.play(rule, start, 0.1, 50)
    assert path[-1] == pytest.approx(np.linalg.matrix_power(np.array(matrix), 50) @ start)


def test_historical_averaging_pulls_to_the_mean_of_the_past():
    path = games.play("historical", np.array([1.0, 0.5]), 0.1, 20)
    x, y = path[-2]
    mean = path[:-1].mean(0)
    assert path[-1] == pytest.approx([x - 0.1 * (y + x - mean[0]), y + 0.1 * (x - (y - mean[1]))])


def test_derivatives_of_the_smallest_gan_are_those_of_its_value():
    draw = np.random.default_rng(0)
    place, x, z = draw.normal(size=(3, 4)), draw.normal(5, 1, (3, 10)), draw.uniform(size=(3, 10))

    def fake(place):
        return place[:, 2, None] * z + place[:, 3, None]

    step = 1e-5 * np.eye(4)
    slope, curvature = np.empty((3, 4)), np.empty((3, 4, 4))
    for k in range(4):
        up, down = place + step[k], place - step[k]
        slope[:, k] = (smallest_gan.value(up, x, fake(up)) - smallest_gan.value(down, x, fake(down))) / 2e-5
        high, low = (smallest_gan.gradient(there, x, fake(there), z) for there in (up, down))
        curvature[:, k] = (high - low) / 2e-5
    assert smallest_gan.gradient(place, x, fake(place), z) == pytest.approx(slope, abs=1e-7)
    assert smallest_gan.hessian(place, x, fake(place), z) == pytest.approx(curvature, abs=1e-7)
