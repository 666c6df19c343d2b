"""Every recipe with a density: after some training it integrates to one, in one dimension and in two."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from cases import CASES
from torch import Tensor

from simulacra import recipes, workflow
from simulacra.batch import Batch
from simulacra.domains import open_data
from simulacra.evaluation.likelihood import log_likelihood
from simulacra.protocols import Density
from simulacra.random import draws
from simulacra.training.loop import train
from simulacra.training.stream import DataStream, streams_of

DENSITIES = (
    *("realnvp", "nice", "planar_flow", "iaf", "ffjord", "maf", "nsf", "mdn", "edm", "flow_matching", "score_sde"),
    *("pca", "gmm", "kmeans", "qda", "lda", "naive_bayes", "kde"),
)
SOLVED_BY_STEPS = ("ffjord", "edm", "flow_matching", "score_sde")
"""Whose density takes hundreds of calls of a network for a point: fewer points, and more rounds for a smooth one."""
GRIDS = {"kde": (241, 4.0), **dict.fromkeys(SOLVED_BY_STEPS, (61, 30.0))}
"""Points along an axis and where it ends, in deviations of the data, where not as `GRID`; kernels are narrow."""
GRID = 201, 30.0
FASTER = {"lr": 1e-2, "decay": 0.5}
LARGER = {
    "edm": {"hidden": 32, "lr": 5e-3},
    "score_sde": {"hidden": 32, "batch_size": 64, "lr": 5e-3},
}
"""A score that has hardly learnt puts its tails a hundred deviations away; EDM begins as the normal, and stays near."""


def built(name: str, data: Any) -> Any:
    """The experiment of a case, at a rate at which a few rounds move it far."""
    case = CASES[name]
    chosen = recipes.find(case.recipe)
    more = {key: value for key, value in FASTER.items() if key in chosen.parameters()}
    spec = workflow.training_spec(data, torch.arange(len(data)))
    with draws(0):
        return chosen.build(spec, chosen.resolve({**case.arguments, **more, **LARGER.get(case.recipe, {})}))


def explicit() -> list[str]:
    """The cases of points without an adversary or a teacher."""
    mine = [name for name, case in CASES.items() if case.data == "toys:ring8" and "teacher" not in case.arguments]
    return [name for name in mine if recipes.table()[CASES[name].recipe]["family"] != "gan"]


def test_every_recipe_with_a_density_is_here():
    data = open_data("toys:ring8", rows=10)
    assert {CASES[n].recipe for n in explicit() if isinstance(built(n, data).model, Density)} == set(DENSITIES)


def axis(middle: float, deviation: float, points: int, reach: float) -> tuple[Tensor, Tensor]:
    """Places `m + s sinh(u)` for even u, dense in the middle, and the length that each stands for."""
    end = math.asinh(reach)
    u = torch.linspace(-end, end, points, dtype=torch.float64)
    return middle + deviation * u.sinh(), deviation * u.cosh() * (2 * end / (points - 1))


@pytest.mark.parametrize("toy", ["ring8", "mixture1d"])
@pytest.mark.parametrize("name", [name for name in explicit() if CASES[name].recipe in DENSITIES])
def test_a_trained_density_integrates_to_one(name: str, toy: str):
    """On a plane, and on a line with classes at one of them; by the trapezoidal rule."""
    case = CASES[name]
    told = toy == "mixture1d" and not case.arguments.get("energy") and not case.arguments.get("paired")
    data = open_data(f"toys:{toy}", rows=200, labels=told)
    experiment = built(name, data)
    experiment.clock = experiment.clock._replace(rounds=120 if case.recipe in SOLVED_BY_STEPS else 40)
    stream = DataStream(data, torch.arange(len(data)), experiment.codec)
    for _ in train(experiment, streams_of(experiment, stream)):
        pass
    experiment.learners.eval()
    points, reach = GRIDS.get(case.recipe, GRID)
    if toy == "mixture1d":
        points *= 5 if case.recipe in SOLVED_BY_STEPS else 25
    sides = [axis(float(x.mean()), float(x.std()), points, reach) for x in data[:].x.T]
    x = torch.cartesian_prod(*[places for places, _ in sides]).view(-1, len(sides)).float()
    size = torch.cartesian_prod(*[lengths for _, lengths in sides]).view(-1, len(sides)).prod(1)
    grid = Batch(x, {key: torch.ones(len(x), dtype=torch.long) for key in data.spec.given})
    found = log_likelihood(experiment.model, experiment.codec, grid, block=1 << 16).exp()
    assert float((found * size).sum()) == pytest.approx(1, abs=0.01)
    if recipes.table()[case.recipe]["family"] != "classical":  # it has learnt: it is not the normal that it began as
        z = experiment.codec.encode(grid).x.double()
        begun = (torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1) + experiment.codec.log_det(grid)).exp()
        assert float(((found - begun).abs() * size).sum()) > 0.05
