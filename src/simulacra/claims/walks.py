"""A Markov chain that corrupts and restores, and where it comes to rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.claims.diffusing import CENTRES, WIDE
from simulacra.evaluation.transport import optimal_transport
from simulacra.figures.collapse import clouds
from simulacra.random import draws
from simulacra.recipes.gsn import gsn
from simulacra.training.game import Experiment

Array = np.ndarray
RESTS, ARRIVES = "W1 after a walk from the data / of real events", "W1 after a walk from noise / of real events"


def walk(game: Experiment, x: Tensor, steps: int, seed: int) -> Array:
    """Where the chain is after so many steps from encoded x [N, 2], in the data's units."""
    model: Any = game.model
    with draws(seed):
        for _ in range(steps):
            x = model.move(x)
    return game.codec.decode(Batch(x)).x.numpy()


def resting(seed: int, rounds: int = 4000, steps: int = 200, n: int = 2000) -> Result:
    """Walks of a chain that restores by a mixture of Gaussians; in the control by one Gaussian."""
    spec, data = DataSpec("ring", "vector", Field((2,))), Batch(WIDE.sample(20_000, seed=seed))
    real, other, start = (WIDE.sample(n, seed=seed + k) for k in (1, 2, 3))
    floor = optimal_transport(real.numpy(), other.numpy()).cost
    found, arrays = {}, {"data": real[:800].numpy()}
    for name, components in {"mixture": 8, "one Gaussian": 1}.items():
        game = learn(partial(gsn, components=components, width=64, rounds=rounds), spec, data, seed, "walks")
        with draws(seed):
            noise = torch.randn(n, 2)
        begun = {RESTS: game.codec.encode(Batch(start)).x, ARRIVES: noise}
        ends = {what: walk(game, x, steps, seed + k) for k, (what, x) in enumerate(begun.items())}
        found[name] = {what: optimal_transport(real.numpy(), x).cost / floor for what, x in ends.items()}
        arrays |= {name: ends[ARRIVES][:800], f"{name}, found": np.array(found[name][ARRIVES])}
    return Result(found["mixture"], found["one Gaussian"], arrays)


def draw_resting(results: Sequence[Result]) -> Figure:
    shown = {"data": results[0].arrays["data"]}
    for name in ("mixture", "one Gaussian"):
        far = np.mean([r.arrays[f"{name}, found"] for r in results])
        shown[f"{name}: W1 {far:.2f} of real"] = results[0].arrays[name]
    return clouds(shown, CENTRES)


CLAIMS = (
    Claim(
        name="a-denoising-chain-rests-at-the-data",
        statement="A Markov chain that corrupts and restores has the data as its stationary distribution.",
        lecture="D:104",
        paper="Bengio et al. 2014, arXiv 1306.1091",
        experiment=resting,
        bounds={RESTS: (-math.inf, 1.5), ARRIVES: (-math.inf, 1.5)},
        control="a restoration by one Gaussian, which cannot tell from where a corrupted event came.",
        seeds=8,
        budget="4,000 rounds on 256 events of eight wide Gaussians, two trainings; walks of 200 steps",
        figure=draw_resting,
        note="Corruption is Gaussian, half as wide as the data, and joins neighbouring modes. W1 is exact, between "
        "2,000 events and as many. GSNs stand beside GANs in the lecture's taxonomy.",
    ),
)
