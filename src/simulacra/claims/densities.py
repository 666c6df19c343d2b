"""Densities that can be asked for anywhere: flows, fully visible models, and two misprints that undo them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import avg_pool2d

from simulacra.autoregressive.binary import Binary
from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.claims.shortcuts import digits
from simulacra.domains.toys import TOYS
from simulacra.figures.planes import Plane, mesh, planes
from simulacra.flows import Flow
from simulacra.markov.rbm import states
from simulacra.networks import MADE
from simulacra.random import draws
from simulacra.recipes.made import made
from simulacra.recipes.realnvp import realnvp
from simulacra.training.game import Experiment, Loss

Array = np.ndarray
LogProb = Callable[[Tensor], Tensor]
REACH, SHOWN = 6.0, 3.0
"""Half the sides of the plane that is asked and of what the figure shows, in units of the data's spread."""
INTEGRAL, ENTROPY, HALF = (
    "|log of the integral of p over the plane|",
    "mean of -log p over samples, minus that over the plane",
    "share of samples where p is largest, on the area that holds half of p",
)
TOTAL, UPPER, SURPRISE = (
    "sum of P over all 65,536 pictures",
    "Jacobian: largest entry on or above the diagonal, over the largest",
    "mean of -log P over samples, minus that over all pictures",
)


def as_printed(flow: Flow, x: Tensor) -> Tensor:
    """log p(x) [B] of a RealNVP of two numbers with the determinant f(z_2) of the lecture, in place of f(z_1)."""
    total = torch.zeros(len(x))
    for step in flow.bijection.steps:  # type: ignore[union-attr]
        x, _ = step.to_latent(x)
        moved = x[:, step.move]
        total = total + step.transform.forward(moved, step.network(moved)[:, None])[1].sum(1)
    return flow.base.log_prob(x) + total


def on_the_plane(log_prob: LogProb, size: int = 800) -> Array:
    """p [size, size] at the middles of the cells of the plane."""
    edge = REACH * (1 - 1 / size)
    places = torch.from_numpy(mesh((-edge, edge, -edge, edge), size)).float()
    with torch.no_grad():
        parts = [log_prob(part).double().exp() for part in places.view(-1, 2).split(20_000)]
    return torch.cat(parts).view(size, size).numpy()


def asked(log_prob: LogProb, samples: Tensor, size: int) -> tuple[dict[str, float], Array]:
    """The quantities of a density that claims to be that of the samples [N, 2], and the density on the plane."""
    p, area = on_the_plane(log_prob, size), (2 * REACH / size) ** 2
    with torch.no_grad():
        found = log_prob(samples).double().numpy()
    falling = np.sort(p, axis=None)[::-1]
    level = falling[np.searchsorted(np.cumsum(falling), falling.sum() / 2)]
    entropy = -float((p * np.log(np.maximum(p, 1e-300))).sum() / p.sum())
    values = {
        INTEGRAL: abs(math.log(p.sum() * area)),
        ENTROPY: -float(found.mean()) - entropy,
        HALF: float((found > math.log(level)).mean()),
    }
    return values, p


def evaluating(seed: int, rounds: int = 2000, size: int = 800, samples: int = 50_000) -> Result:
    """A RealNVP of the two moons; in the control its determinant is the lecture's."""
    spec, data = DataSpec("moons", "vector", Field((2,))), Batch(TOYS["moons"].sample(20_000, seed=seed))

    build = partial(realnvp, layers=6, hidden=(64, 64), lr=2e-3, decay=0.99, batch_size=256, rounds=rounds)

    def misled(told: DataSpec) -> Experiment:
        game = build(told)
        player: Any = game.players[0]
        wrong = replace(player, loss=lambda batch: Loss({"nll": -batch.mean(as_printed(player.trains, batch.x))}))
        return replace(game, players=[wrong])

    flow: Any = learn(build, spec, data, seed, "densities").model
    other: Any = learn(misled, spec, data, seed, "densities").model
    with draws(seed):
        x, y = flow.sample(samples).x, other.sample(samples).x
    values, p = asked(lambda at: flow.log_prob(Batch(at)), x, size)
    control, learnt = asked(lambda at: as_printed(other, at), y, size)
    printed = on_the_plane(lambda at: as_printed(flow, at), size)
    cut = round(size * (1 - SHOWN / REACH) / 2)
    keep = slice(cut, size - cut, max(size // 400, 1))
    area = (2 * REACH / size) ** 2
    shown = {"flow": p, "asked as printed": printed, "learnt as printed": learnt}
    arrays = {f"{name}, p": values[keep, keep].astype(np.float32) for name, values in shown.items()}
    arrays |= {f"{name}, integral": np.array(values.sum() * area) for name, values in shown.items()}
    del control[ENTROPY]  # both means are of exponentially large numbers, and their difference may be anything
    return Result(values, control, arrays | {"samples": x[:2000].numpy()})


def draw_evaluating(results: Sequence[Result]) -> Figure:
    shown = results[0].arrays
    top, what = float(np.quantile(shown["flow, p"], 0.999)), "{}: integral {:.3g}"
    panels = [
        Plane(what.format(name, shown[f"{name}, integral"]), shown[f"{name}, p"], (0, top))
        for name in ("flow", "asked as printed", "learnt as printed")
    ]
    samples = Plane("samples of the flow", clouds={"samples": shown["samples"]})
    return planes([samples, *panels], (-SHOWN, SHOWN, -SHOWN, SHOWN), columns=2)


def loosen(net: MADE) -> None:
    """Lets outputs see hidden units of their own degree, `>=` in place of `>`, and so every number itself."""
    last = net.last
    below = net.inputs - last.mask.sum(0)  # a hidden unit of degree m is seen by the D - m outputs above m
    last.mask.copy_((net.order + 1).repeat_interleave(net.outputs)[:, None] >= below)


def multiplying(seed: int, rounds: int = 1000) -> Result:
    """MADE of digits of 4 x 4 black and white pixels, all 65,536 pictures asked; in the control the mask is `>=`."""
    pixels = avg_pool2d(digits(), 2)
    spec = DataSpec("digits", "image", Field((1, 4, 4), range=(0.0, 1.0)), rows=len(pixels))
    every = Batch(states(16).view(-1, 1, 4, 4))
    found: dict[str, dict[str, float]] = {}
    arrays: dict[str, Array] = {}

    strict = partial(made, hidden=(128,), binarise="stochastic", rounds=rounds)

    def loose(told: DataSpec) -> Experiment:
        game = strict(told)
        loosen(game.model.net.net)  # type: ignore[union-attr, arg-type]
        return game

    for mask, build in ((">", strict), (">=", loose)):
        model: Any = learn(build, spec, Batch(pixels), seed, "densities").model
        with torch.no_grad(), draws(seed):
            each = model.log_prob(every).double()
            surprise = -model.log_prob(model.sample(20_000)).double().mean()
        slopes = jacobian(model, every.x[:: 65536 // 64].flatten(1))
        found[mask] = {
            TOTAL: float(each.exp().sum()),
            UPPER: float(np.triu(slopes).max() / slopes.max()),
            SURPRISE: float(surprise + (each.exp() * each).sum() / each.exp().sum()),
        }
        arrays[f"Jacobian, {mask}"] = slopes
    return Result(found[">"], found[">="], arrays)


def jacobian(model: Binary, x: Tensor) -> Array:
    """Mean |d logit_d / d x_e| over events [B, D], [D, D]."""
    x = x.clone().requires_grad_()
    logits = model.logits(Batch(x))
    rows = [torch.autograd.grad(logits[:, d].sum(), x, retain_graph=True)[0] for d in range(x.shape[1])]
    return torch.stack(rows, 1).abs().mean(0).numpy()


def draw_multiplying(results: Sequence[Result]) -> Figure:
    shown = results[0]
    top = float(shown.arrays["Jacobian, >"].max())
    return planes(
        [
            Plane(f"mask >: P sums to {shown.values[TOTAL]:.4f}", shown.arrays["Jacobian, >"], (0, top)),
            Plane(f"mask >=: to {shown.control[TOTAL]:,.0f}", shown.arrays["Jacobian, >="], (0, top)),
        ],
        (0.5, 16.5, 0.5, 16.5),
        names=("pixel that is seen", "pixel that is guessed"),
    )


CLAIMS = (
    Claim(
        name="a-flow-evaluates-and-samples",
        statement="Once trained, a flow evaluates p(x) for any point and generates new ones.",
        lecture="C:491-494, C:511",
        paper="Dinh et al. 2017, arXiv 1605.08803",
        experiment=evaluating,
        bounds={INTEGRAL: (-math.inf, 0.01), ENTROPY: (-0.02, 0.02), HALF: (0.49, 0.51)},
        control="a flow that is learnt, and asked, with the determinant f(z_2) that the lecture prints.",
        budget="2,000 rounds of 6 couplings on 256 points of the moons, two trainings; 640,000 points of the plane",
        figure=draw_evaluating,
        note="The determinant is f(z_1), of the half that stays. With f(z_2) the density of the same map does not "
        "integrate to 1; a flow that is trained on it raises the integral instead of fitting the data.",
    ),
    Claim(
        name="conditionals-multiply-to-a-probability",
        statement="A fully visible model gives exact probabilities, which sum to one.",
        lecture="D:102-104",
        paper="Germain et al. 2015, arXiv 1502.03509",
        experiment=multiplying,
        bounds={TOTAL: (0.9999, 1.0001), UPPER: (-math.inf, 1e-6), SURPRISE: (-0.1, 0.1)},
        control="outputs that see hidden units of their own degree, >= in place of >.",
        budget="1,000 rounds on 100 digits of 4 x 4, two trainings",
        figure=draw_multiplying,
        fast=True,
        note="The Jacobian of the log odds is strictly triangular: no pixel sees itself. With >= each does, and is "
        "sure of everything it is shown.",
    ),
)
