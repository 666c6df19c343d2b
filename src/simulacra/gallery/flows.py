"""Normalising flows: volume, layers, density."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure

from simulacra.batch import Batch
from simulacra.figures.planes import Frame, Plane, mesh, planes
from simulacra.figures.stretching import deformed_grid
from simulacra.gallery._play import Game, numbers, play

ROUNDS = 2500
FRAME: Frame = (-1.8, 2.8, -1.3, 1.8)


def _moons(seed: int, layers: int = 8) -> Game:
    return play("realnvp", "toys:moons", seed, ROUNDS, layers=layers, hidden=(64, 64), lr=2e-3, decay=0.99)


def change_of_variables(seed: int = 0) -> Figure:
    """A map bends a grid; a small square becomes a parallelogram, its area |det| of the Jacobian times as large.

    Lectures: C:421-452

    The map is smooth and invertible: x1 = z1 + 0.35 sin 2 z2, x2 = z2 exp(0.45 sin 1.5 x1): two couplings.
    """
    before = mesh((-2, 2, -2, 2), 65)
    after, factor = _bend(before)
    middle, edges = np.array([-0.6, 0.9]), 0.5 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    jacobian = _jacobian(middle)
    return deformed_grid(before, after, (middle + edges, _bend(middle)[0] + edges @ jacobian.T), factor)


def _jacobian(z: np.ndarray) -> np.ndarray:
    """d x / d z of `_bend` at one point, [2, 2]."""
    x, stretch = _bend(z)
    first = np.array([1.0, 0.7 * np.cos(2 * z[1])])
    return np.stack([first, z[1] * stretch * 0.675 * np.cos(1.5 * x[0]) * first + [0.0, stretch]])


def _bend(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The map [..., 2] -> [..., 2] and the determinant of its Jacobian [...]."""
    first = z[..., 0] + 0.35 * np.sin(2 * z[..., 1])
    stretch = np.exp(0.45 * np.sin(1.5 * first))
    return np.stack([first, z[..., 1] * stretch], -1), stretch


def realnvp_layers(seed: int = 0) -> Figure:
    """From noise to the two moons, one affine coupling after another, each moving one coordinate only.

    Lectures: C:496-515

    RealNVP with six couplings, 2,500 rounds; the colour of a point is the side of the noise that it comes from.

    Source: Dinh, Sohl-Dickstein and Bengio (2017, arXiv:1605.08803).
    """
    game = _moons(seed, 6)
    model = game.experiment.model
    steps = list(model.bijection.steps)[::-1]  # type: ignore[union-attr, operator]
    x = game.noise(2000)["z"]
    side = numbers(x)[:, 0] > 0
    panels = [_halves("noise z", x, side)]
    with torch.no_grad():
        for k, step in enumerate(steps):
            x, _ = step.to_data(x)
            panels.append(_halves(f"after coupling {k + 1}: {'xy'[int(step.move[0])]} moves", x, side))
        panels.append(_halves("decoded: the moons", game.experiment.codec.decode(Batch(x)).x, side))
    return planes(panels, (-3.8, 3.8, -3.8, 3.8), columns=4, size=1.75)


def _halves(title: str, x: torch.Tensor, side: np.ndarray) -> Plane:
    points = numbers(x)
    return Plane(title, clouds={"from z1 < 0": points[~side], "from z1 > 0": points[side]})


def density(seed: int = 0) -> Figure:
    """The density that a flow has learned beside the true one, and where they differ.

    Lectures: C:488-494

    RealNVP on the two moons, 2,500 rounds; the title has its Kullback-Leibler divergence from the truth on 20,000 new
    points.
    """
    from simulacra.domains.toys import TOYS

    game = _moons(seed)
    toy = TOYS["moons"]
    places = torch.from_numpy(mesh(FRAME).reshape(-1, 2)).float()
    truth, learned = (numbers(f(places).exp()).reshape(120, 120) for f in (toy.log_prob, lambda x: log_prob(game, x)))
    new = toy.sample(20_000, seed + 1)
    gap = numbers(toy.log_prob(new) - log_prob(game, new))
    error = gap.std() / np.sqrt(len(gap))
    top, reach = float(truth.max()), float(np.abs(learned - truth).max())
    return planes(
        [
            Plane("true p(x)", truth, (0, top)),
            Plane(f"flow, KL(p, q) = {gap.mean():.3f} ± {error:.3f}", learned, (0, top)),
            Plane("flow - truth", learned - truth, (-reach, reach), "RdBu_r"),
        ],
        FRAME,
    )


def log_prob(game: Game, x: torch.Tensor) -> torch.Tensor:
    """Log density in physical units: that of the encoded events, and how the codec stretches; [B]."""
    codec = game.experiment.codec
    with torch.no_grad():
        encoded = codec.encode(Batch(x))
        return game.experiment.model.log_prob(encoded).double() + codec.log_det(Batch(x))  # type: ignore[operator]
