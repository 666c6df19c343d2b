"""Where the minimax game of the first paper ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import norm, wasserstein_distance
from torch.nn.functional import logsigmoid

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.figures.curves import Curves, curves
from simulacra.random import draws, reseed
from simulacra.recipes.minimax_gan import minimax_gan
from simulacra.training.game import Experiment

Array = np.ndarray
LINE = DataSpec("a Gaussian on the line", "vector", Field((1,)), rows=20_000)
MEAN, SIGMA, EVENTS = 3.0, 2.0, 20_000
VALUE, HALF, FAR = "V + 2 log 2", "mean |D - 1/2|", "W1, in standard deviations"


def value(real: torch.Tensor, fake: torch.Tensor) -> float:
    """`E log D(x) + E log(1 - D(g(z)))` of scores, D = sigmoid(score)."""
    return float(logsigmoid(real).mean() + logsigmoid(-fake).mean())


def played(seed: int, rounds: int, *, still: bool = False) -> tuple[dict[str, float], dict[str, Array]]:
    """The quantities of a game on a Gaussian, and samples beside D; the generator never steps where `still`."""

    def build(spec: DataSpec) -> Experiment:
        game = minimax_gan(spec, width=32, rounds=rounds)
        if still:
            game.players = [player for player in game.players if player.name == "critic"]
        return game

    reseed(seed, "claims", "best case")
    data = Batch(MEAN + SIGMA * torch.randn(EVENTS, 1))
    game = learn(build, LINE, data, seed, "best case")
    roots: Any = game.learners
    model: Any = game.model
    with torch.no_grad(), draws(seed):
        duel = roots["game"].eval().duel(game.codec.encode(data))
        real, fake = duel.on_real.score, duel.on_fake.score
        made = game.codec.decode(model.sample(EVENTS)).x[:, 0].double().numpy()
        x = torch.linspace(MEAN - 3 * SIGMA, MEAN + 3 * SIGMA, 101)
        score = roots["game"].judge(game.codec.encode(Batch(x[:, None]))).score.flatten()
    exact = norm.ppf((np.arange(EVENTS) + 0.5) / EVENTS, MEAN, SIGMA)
    values = {
        VALUE: value(real, fake) + 2 * math.log(2),
        HALF: float((torch.cat([real, fake]).sigmoid() - 0.5).abs().mean()),
        FAR: wasserstein_distance(made, exact) / SIGMA,
    }
    return values, {"x": x.numpy(), "D": score.sigmoid().numpy(), "made": made[:5000]}


def ending(seed: int, rounds: int = 1500) -> Result:
    """D, the value and W1 at the end; in the control the generator stands still."""
    (values, arrays), (control, others) = played(seed, rounds), played(seed, rounds, still=True)
    return Result(values, control, arrays | {"D, control": others["D"]})


def draw_ending(results: Sequence[Result]) -> Figure:
    panels = []
    for seed, arrays in enumerate(r.arrays for r in results):
        heights, edges = np.histogram(arrays["made"], 40, density=True)
        lines = {
            "data": (arrays["x"], norm.pdf(arrays["x"], MEAN, SIGMA)),
            "D": (arrays["x"], arrays["D"]),
            "D, generator still": (arrays["x"], arrays["D, control"]),
        }
        steps = {"made": (edges, heights)}
        panels.append(Curves(f"seed {seed}", "x", "density, D", lines, steps=steps, at={"1/2": 0.5}, limits=(0.0, 1.3)))
    return curves(panels, columns=3)


CLAIMS = (
    Claim(
        name="the-minimax-game-ends-at-one-half",
        statement="In the best case D is 1/2 everywhere: the generator has the data's distribution.",
        lecture="A:351, C:649",
        paper="Goodfellow et al. 2014, arXiv 1406.2661",
        experiment=ending,
        bounds={VALUE: (-0.03, 0.03), HALF: (-math.inf, 0.05), FAR: (-math.inf, 0.1)},
        control="the same discriminator, against a generator that never steps.",
        seeds=8,
        budget="1,500 rounds on 256 points of a Gaussian, two games",
        figure=draw_ending,
        note="The saturating loss, one turn each, no help. V is the value at the last discriminator, "
        "which is looked at on data and fakes; samples are of averaged weights, against quantiles of the Gaussian.",
    ),
)  # fmt: skip
