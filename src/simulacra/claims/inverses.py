"""An inverse problem of several answers: a network of the parameters of a density, and one that has a single answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import wasserstein_distance
from torch import Tensor

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.evaluation.likelihood import log_likelihood
from simulacra.figures.curves import Curves, curves
from simulacra.random import draws
from simulacra.recipes.mdn import mdn

Array = np.ndarray
WIDTH, MIDDLE = 0.05, 0.5
"""The noise of the forward problem, and where it has three inverses."""
GRID = torch.linspace(0, 1, 2001)


def forward(y: Tensor) -> Tensor:
    """Bishop's `y + 0.3 sin(2 pi y)`, which rises, falls and rises between 0 and 1."""
    return y + 0.3 * torch.sin(2 * math.pi * y)


def log_truth(y: Tensor, x: Tensor) -> Tensor:
    """log p(y | x) where y is even on (0, 1), [B]: by quadrature over y."""

    def joint(at: Tensor) -> Tensor:
        return -0.5 * ((x[:, None] - forward(at)) / WIDTH).square()

    whole = joint(GRID[None]).double().logsumexp(1) - math.log(len(GRID) - 1)
    return joint(y[:, None])[:, 0].double() - whole


def exact(n: int) -> Array:
    """Quantiles of p(y | x = MIDDLE), [n]."""
    p = log_truth(GRID, torch.full_like(GRID, MIDDLE)).exp().numpy()
    sums = np.cumsum(p) / p.sum()
    return np.interp((np.arange(n) + 0.5) / n, sums, GRID.numpy())


ABOVE, FAR = "true log p(y | x) - the network's / nats", f"W1 of y at x = {MIDDLE:g} to the truth"


def inverting(seed: int, rounds: int = 3000, rows: int = 20_000, asked: int = 5000) -> Result:
    """y given x = y + 0.3 sin(2 pi y) + noise by a mixture density network; in the control by a single Gaussian."""
    with draws(seed):
        y = torch.rand(rows + asked, 1)
        x = forward(y) + WIDTH * torch.randn_like(y)
    low, high = float(x.min()), float(x.max())
    spec = DataSpec("inverse", "vector", Field((1,)), {"x": Field((1,), "real", range=(low, high))}, rows=rows)
    seen, held = Batch(y[:rows], {"x": x[:rows]}), Batch(y[rows:], {"x": x[rows:]})
    truth = log_truth(held.x[:, 0], held.given["x"][:, 0])
    found, arrays = {}, {"truth": exact(2000)}
    for name, components in {"mixture": 10, "one Gaussian": 1}.items():
        build = partial(mdn, components=components, hidden=(64, 64), batch_size=256, rounds=rounds)
        game = learn(build, spec, seen, seed, "inverses")
        model: Any = game.model
        given = game.codec.encode_given({"x": torch.full((2000, 1), MIDDLE)})
        with draws(seed):
            made = game.codec.decode(model.sample(2000, given)).x[:, 0].numpy()
        found[name] = {
            ABOVE: float((truth - log_likelihood(model, game.codec, held)).mean()),
            FAR: float(wasserstein_distance(made, arrays["truth"])),
        }
        arrays[name] = made
    return Result(found["mixture"], found["one Gaussian"], arrays)


def draw_inverting(results: Sequence[Result]) -> Figure:
    edges = np.linspace(-0.3, 1.3, 65)
    y = torch.linspace(-0.3, 1.3, 641)
    p = np.where((y > 0) & (y < 1), log_truth(y, torch.full_like(y, MIDDLE)).exp().numpy(), 0)
    panels = []
    for name in ("mixture", "one Gaussian"):
        heights = np.histogram(results[0].arrays[name], edges, density=True)[0]
        shown, label = {"network": (edges, heights)}, f"density at x = {MIDDLE:g}"
        panels.append(Curves(name, "y", label, {"truth": (y.numpy(), p)}, steps=shown))
    return curves(panels)


CLAIMS = (
    Claim(
        name="a-network-of-densities-has-several-answers",
        statement="A network of the parameters of a density models p(a | b) where a regression makes one prediction.",
        lecture="C:174-177",
        paper="Bishop 1994",
        experiment=inverting,
        bounds={ABOVE: (-0.02, 0.1), FAR: (-math.inf, 0.02)},
        control="the same network with the normal density that the lecture assumes, of one mean and one width.",
        budget="3,000 rounds on 256 of 20,000 pairs, two trainings",
        figure=draw_inverting,
        fast=True,
        note="Bishop's inverse problem: x = y + 0.3 sin(2 pi y) and noise of 0.05, which has three inverses in the "
        "middle. The single Gaussian, with mean and width of their own at each x, lies between them.",
    ),
)
