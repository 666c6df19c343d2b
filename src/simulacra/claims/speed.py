"""What a game costs until it is good: spectral normalisation with one turn each against WGAN-GP with five."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.runs import w1
from simulacra.domains.toys import TOYS
from simulacra.figures.rates import races
from simulacra.random import draws, reseed
from simulacra.recipes.sngan import sngan
from simulacra.recipes.wgan_gp import wgan_gp
from simulacra.testing import Rows, streams_for
from simulacra.training.game import Clock, Experiment
from simulacra.training.loop import train

Array = np.ndarray
PLANE = DataSpec("plane", "vector", Field((2,)))
LEVEL = 0.5
"""W1 in standard deviations of the data, at which a game is at its solution; one mode alone has 1.8."""


class Kind(NamedTuple):
    """A recipe, and the gradients that one round takes: one per turn, and one more where a penalty takes its own."""

    build: Callable[..., Experiment]
    gradients: int


KINDS: Mapping[str, Kind] = {
    "SN 1:1": Kind(partial(sngan, PLANE, width=64, batch=64), 2),
    "WGAN-GP 5:1": Kind(partial(wgan_gp, PLANE, n_critic=5, width=64, batch=64), 11),
    "SN 1:1, slope 1": Kind(partial(sngan, PLANE, slope=1.0, width=64, batch=64), 2),
}


def race(seed: int, gradients: int, looks: int) -> dict[str, Array]:
    """Games that take turns on one machine, as many gradients between two looks.

    Returns:
        `KIND/gradients`, `KIND/seconds` of the process, and `KIND/distance`, exact W1, at each look [looks].
    """
    ring = TOYS["ring8"]
    data, real = Batch(ring.sample(20_000, seed=seed)), ring.sample(500, seed=seed + 1).numpy()
    scale = float(real.std(0).mean())
    games: dict[str, Any] = {}
    for name, kind in KINDS.items():
        reseed(seed, "claims", "race")
        game = kind.build()
        rounds = max(gradients // looks // kind.gradients, 1)
        game.clock = Clock(0, rounds * looks)
        steps = train(game, streams_for(game, Rows(PLANE, data), seed), seed=seed)
        games[name] = game, steps, rounds
    seen: dict[str, list[float]] = {f"{name}/{key}": [] for name in KINDS for key in ("seconds", "distance")}
    for look in range(looks):
        for name, (game, steps, rounds) in games.items():
            start = time.process_time()
            for _ in range(rounds):
                next(steps)
            seen[f"{name}/seconds"].append(time.process_time() - start)
            with torch.no_grad(), draws(look):
                made = game.codec.decode(game.learners["game"].sample(500)).x.numpy().astype(float)
            seen[f"{name}/distance"].append(w1(made / scale, real / scale))
    out = {key: np.array(v) for key, v in seen.items()}
    for name, (_, _, rounds) in games.items():
        out[f"{name}/seconds"] = out[f"{name}/seconds"].cumsum()
        out[f"{name}/gradients"] = rounds * KINDS[name].gradients * (1.0 + np.arange(looks))
    return out


def cost(run: Mapping[str, Array], kind: str, unit: str) -> float:
    """What was spent at the first of two looks in a row within `LEVEL`; infinite where there are none."""
    near = run[f"{kind}/distance"] < LEVEL
    there = np.flatnonzero(near & np.append(near[1:], near[-1:]))
    return float(run[f"{kind}/{unit}"][there[0]]) if len(there) else math.inf


def ratio(one: float, other: float) -> float:
    """log2 of two costs, where one that is infinite counts as 16 times the other, and two as equal."""
    if math.isinf(one) or math.isinf(other):
        return 4.0 * (math.isinf(one) - math.isinf(other))
    return math.log2(one / other)


def cheaper(seed: int, gradients: int = 3300, looks: int = 30) -> Result:
    """Costs of SN over those of WGAN-GP, and where SN ends; the control has a critic whose slope is too small."""
    run = race(seed, gradients, looks)

    def measure(kind: str) -> dict[str, float]:
        found = {
            f"log2 of {unit} to the level, SN / WGAN-GP": ratio(cost(run, kind, unit), cost(run, "WGAN-GP 5:1", unit))
            for unit in ("gradients", "seconds")
        }
        return found | {"SN, W1 at the end": float(run[f"{kind}/distance"][-max(looks // 3, 1) :].mean())}

    return Result(measure("SN 1:1"), measure("SN 1:1, slope 1"), run)


def draw_cheaper(results: Sequence[Result]) -> Figure:
    return races([r.arrays for r in results], {"gradients": "gradients", "seconds": "seconds of the process"}, LEVEL)


CLAIMS = (
    Claim(
        name="spectral-norm-needs-one-turn",
        statement="The critic of WGAN-GP needs many iterations, which is slow; with spectral normalisation one "
        "discriminator step per generator step is enough.",
        lecture="B:431, B:491",
        paper="Miyato et al. 2018, arXiv 1802.05957; Gulrajani et al. 2017, arXiv 1704.00028",
        experiment=cheaper,
        bounds={
            "log2 of gradients to the level, SN / WGAN-GP": (-math.inf, 0.0),
            "log2 of seconds to the level, SN / WGAN-GP": (-math.inf, 0.0),
            "SN, W1 at the end": (-math.inf, LEVEL),
        },
        control="a normalised discriminator of slope 1, which is too flat for the ring's modes.",
        budget="3,300 gradients of each of three games on 64 events",
        figure=draw_cheaper,
        note="A turn takes a gradient, a penalty another. The level is a W1 of 0.5 standard deviations at two looks in "
        "a row; a game that never gets there counts as 16 times the other's cost. The games take turns on one "
        "processor; only the ratio of their times means something. One turn is enough, and ends nearer. But it is not "
        "sooner there: both take as many gradients, and with networks this small a power iteration per layer and a "
        "generator step per turn cost more than the penalty.",
    ),
)  # fmt: skip
