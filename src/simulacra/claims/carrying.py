"""Noise carried to data by a learnt field: modes, and the density of the way."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.claims.densities import INTEGRAL, REACH, SHOWN, on_the_plane
from simulacra.claims.diffusing import CENTRES, COVERED, QUALITY, RING, WIDE
from simulacra.claims.samplers import LECTURE
from simulacra.diffusion.samplers import solve
from simulacra.evaluation.modes import modes
from simulacra.figures.collapse import clouds
from simulacra.figures.planes import Plane, planes
from simulacra.random import draws
from simulacra.recipes.flow_matching import flow_matching
from simulacra.recipes.latent_diffusion import latent_diffusion
from simulacra.recipes.score_sde import score_sde
from simulacra.training.game import Experiment

Array = np.ndarray
CARRIERS: Mapping[str, partial[Experiment]] = {
    "score_sde": partial(score_sde, rounds=3000),
    "flow_matching": partial(flow_matching, rounds=3000),
    "latent_diffusion": partial(latent_diffusion, rounds=5000),
}
STEPS = {"": None, ", one step": 1}


def generating(seed: int, share: float = 1.0, n: int = 10_000) -> Result:
    """The ring of eight Gaussians by each, after a `share` of its rounds; in the control in a single step."""
    spec, data = DataSpec("ring8", "vector", Field((2,))), Batch(RING.sample(50_000, seed=seed))
    real = RING.sample(n, seed=seed + 1).numpy()
    found: dict[str, dict[str, float]] = {suffix: {} for suffix in STEPS}
    arrays: dict[str, Array] = {}
    for name, build in CARRIERS.items():
        rounds = max(10, round(share * build.keywords["rounds"]))
        game = learn(partial(build.func, rounds=rounds), spec, data, seed, "carrying")
        model: Any = game.model
        diffusion = model.diffusion if name == "latent_diffusion" else model
        for suffix, steps in STEPS.items():
            if steps:
                diffusion.sampler = replace(diffusion.sampler, steps=steps)
            with draws(seed):
                x = game.codec.decode(model.sample(n)).x.numpy()
            seen = modes(real, x, CENTRES, 0.02)
            numbers = seen["modes/covered"].value, seen["modes/high_quality"].value
            found[suffix] |= {f"{name}: {COVERED}": numbers[0], f"{name}: {QUALITY}": numbers[1]}
            arrays |= {f"{name}{suffix}": x[:1000], f"{name}{suffix}, found": np.array(numbers)}
    return Result(found[""], found[", one step"], arrays)


def draw_generating(results: Sequence[Result]) -> Figure:
    def title(name: str) -> str:
        covered, good = np.mean([r.arrays[f"{name}, found"] for r in results], 0)
        return f"{name.replace('one', '1')}: {covered:.0f}, {100 * good:.0f} %"

    names = [name + suffix for suffix in STEPS for name in CARRIERS]
    return clouds({title(name): results[0].arrays[name] for name in names}, CENTRES)


ABOVE = "true log p - the model's / nats"


def solved(model: Any, steps: int, x: Tensor) -> Tensor:
    """log p(x) of a probability flow, solved in so many steps, [B]."""
    return model.log_prob(Batch(x), steps)


def lone(model: Any, steps: int, x: Tensor) -> Tensor:
    """The normal log density of the noise that x is carried to, [B]: log p(x) without the divergence met on the way."""
    start = model.path.start
    z = solve(lambda at, t: model.velocity(at, torch.full_like(at[:, 0], t)), x, model.path.grid(steps)[::-1], "rk4")
    sigma = model.path.at(x.new_full((1,), start)).sigma
    return -0.5 * (z / sigma).square().sum(1) - 2 * (0.5 * math.log(2 * math.pi) + sigma.log())


def measuring(seed: int, share: float = 1.0, size: int = 120, rows: int = 2000, steps: int = 32) -> Result:
    """The densities of two probability flows on a ring of wide Gaussians; in the control without the divergence."""
    spec, data = DataSpec("ring", "vector", Field((2,))), Batch(WIDE.sample(20_000, seed=seed))
    test = WIDE.sample(rows, seed=seed + 1)
    found: dict[str, dict[str, float]] = {"": {}, ", no divergence": {}}
    arrays: dict[str, Array] = {}
    cut = round(size * (1 - SHOWN / REACH) / 2)
    for name in ("score_sde", "flow_matching"):
        build = CARRIERS[name]
        rounds = max(10, round(share * build.keywords["rounds"]))
        game = learn(partial(build.func, rounds=rounds), spec, data, seed, "carrying")
        model: Any = game.model
        code, stretch = game.codec.encode(Batch(test)), game.codec.log_det(Batch(test)).double()
        for (suffix, into), way in zip(found.items(), (solved, lone), strict=True):
            p = on_the_plane(partial(way, model, steps), size)
            with torch.no_grad():
                known = way(model, steps, code.x).double() + stretch
            into[f"{name}: {INTEGRAL}"] = abs(math.log(p.sum() * (2 * REACH / size) ** 2))
            into[f"{name}: {ABOVE}"] = float((WIDE.log_prob(test) - known).mean())
            arrays[name + suffix] = p[cut : size - cut, cut : size - cut].astype(np.float32)
    return Result(found[""], found[", no divergence"], arrays)


def draw_measuring(results: Sequence[Result]) -> Figure:
    top = float(np.quantile(results[0].arrays["score_sde"], 0.999))

    def title(name: str) -> str:
        recipe, _, without = name.partition(", ")
        away = np.mean([(r.control if without else r.values)[f"{recipe}: {INTEGRAL}"] for r in results])
        return f"{name}: |log integral| {away:.4f}"

    panels = [Plane(title(name), p, (0, top)) for name, p in results[0].arrays.items()]
    return planes(panels, (-SHOWN, SHOWN, -SHOWN, SHOWN), columns=2)


CLAIMS = (
    Claim(
        name="learnt-fields-find-the-modes",
        statement="A model that learns to denoise step by step finds the data: by scores, by velocities, of codes.",
        lecture=LECTURE,
        paper="Song et al. 2021, arXiv 2011.13456; Lipman et al. 2023, arXiv 2210.02747; Rombach et al. 2022, "
        "arXiv 2112.10752",
        experiment=generating,
        bounds={
            f"{name}: {what}": (low, math.inf) for name in CARRIERS for what, low in ((COVERED, 7.5), (QUALITY, 0.5))
        },
        control="the same models, sampled in one step.",
        budget="3,000 rounds of score_sde and flow_matching, 5,000 of latent_diffusion",
        figure=draw_generating,
        note="The ring of eight Gaussians of width 0.02 at a radius of 2, by each recipe's own solver and steps.",
    ),
    Claim(
        name="a-probability-flow-has-a-density",
        statement="The probability flow of a diffusion model evaluates p(x).",
        lecture=LECTURE,
        paper="Song et al. 2021, arXiv 2011.13456; Lipman et al. 2023, arXiv 2210.02747",
        experiment=measuring,
        bounds={
            f"{name}: {what}": bound
            for name in ("score_sde", "flow_matching")
            for what, bound in ((INTEGRAL, (-math.inf, 0.01)), (ABOVE, (-0.02, 0.1)))
        },
        control="the density of the noise that a point is carried to, without the divergence met on the way.",
        budget="3,000 rounds of each on a ring of wide Gaussians; 14,400 points of the plane",
        figure=draw_measuring,
        note="The difference to the true log density, averaged over 2,000 events, estimates the divergence from the "
        "data to the model, and is never negative but for their fluctuation.",
    ),
)
