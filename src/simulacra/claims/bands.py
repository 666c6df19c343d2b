"""Which sides of a picture a GAN that grows learns when: large structure first, detail last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from simulacra.batch import Batch
from simulacra.claims.claim import Claim, Result
from simulacra.claims.growing import BATCH, LATER, PROGAN, SPEC, band_distances, small_pictures
from simulacra.domains.dataset import ArrayDataset
from simulacra.figures.curves import Curves, curves
from simulacra.random import draws, reseed
from simulacra.recipes.progan import progan
from simulacra.training.game import Clock
from simulacra.training.growing import Growth
from simulacra.training.loop import train
from simulacra.training.stream import DataStream

Array = np.ndarray
ROUNDS, LOOKS = 600, 20
LEAST = 0.02
"""Errors below it count as it, so that their logarithm is finite."""
SIDES = (4, 8, 16)
"""Of the bands: what 4 x 4 pixels show, what 8 x 8 add, what 16 x 16 add."""


def learnt(pictures: Tensor, held: Tensor, until: float, seed: int, rounds: int) -> tuple[Array, Array]:
    """The share of the run that is over at each look [LOOKS + 1], and the error of each band then, [3, LOOKS + 1].

    What real pictures have against others is taken off. The first look is at untrained networks.
    """
    reseed(seed, "claims", "bands")
    game = progan(SPEC, until=until, width=8, most=16, latent=32, ema=0.98)
    game.clock, game.batch_size = Clock(0, rounds), BATCH
    model: Any = game.model
    data = ArrayDataset(SPEC, Batch(pictures))
    stream = DataStream(data, torch.arange(len(data)), game.codec, seed=seed)
    growth = Growth(len(SIDES), until)
    model.generator.grow(*growth(game.clock))
    floor = band_distances(held, pictures[: len(held)])

    def look(k: int) -> Array:
        with draws(k):
            return band_distances(held, game.codec.decode(model.sample(len(held))).x) - floor

    times, found, steps = [0.0], [look(0)], train(game, {"data": stream}, seed=seed)
    every = max(rounds // LOOKS, 1)
    for k in range(1, rounds + 1):
        next(steps)
        if k % every == 0:
            times.append(k / rounds)
            found.append(look(k))
    return np.array(times), np.array(found).T


def falls(times: Array, error: Array, middle: float) -> tuple[float, float]:
    """log2 of an error [T] at the start over that at a time, and of that over the one at the end."""
    start, there, end = np.log2(np.maximum(np.interp([0.0, middle, 1.0], times, error), LEAST))
    return float(start - there), float(there - end)


LARGE, NO_MORE, DETAIL, APART = (
    "log2 of the 4 x 4 band's error at the start / when 16 x 16 joins",
    "log2 of the 4 x 4 band's error when 16 x 16 joins / at the end",
    "log2 of the 16 x 16 band's error when 16 x 16 joins / at the end",
    "fall of the 16 x 16 band - of the 4 x 4 band, after 16 x 16 joined",
)
JOINS = 0.75 * LATER
"""The share of the run at which 16 x 16 begins to fade in."""


def staging(seed: int, rounds: int = ROUNDS, pictures: Tensor | None = None, held: Tensor | None = None) -> Result:
    """A game that grows; the control is played at the full side from the start."""
    pictures = small_pictures(slice(0, 20_000)) if pictures is None else pictures
    held = small_pictures(slice(60_000, 61_000)) if held is None else held
    found, arrays = {}, {}
    for name, until in (("grown", LATER), ("direct", 0.0)):
        times, error = learnt(pictures, held, until, seed, rounds)
        early, late = falls(times, error[0], JOINS)
        detail = falls(times, error[2], JOINS)[1]
        found[name] = {LARGE: early, NO_MORE: late, DETAIL: detail, APART: detail - late}
        arrays |= {f"{name}/time": times, f"{name}/error": error}
    control = {name: found["direct"][name] for name in (DETAIL, APART)}
    return Result(found["grown"], control, arrays)


def draw_staging(results: Sequence[Result]) -> Figure:
    panels = []
    for name, title in (("grown", "growing"), ("direct", "at 16 x 16 from the start")):
        times, error = (np.mean([r.arrays[f"{name}/{key}"] for r in results], 0) for key in ("time", "error"))
        lines = {f"{side} x {side}": (times, line) for side, line in zip(SIDES, error, strict=True)}
        panels.append(Curves(title, "share of the run", "sliced W1 / sd, beyond real", lines))
    return curves(panels)


CLAIMS = (
    Claim(
        name="low-resolution-learns-the-large",
        statement="At low resolution a network that grows learns large structure, at high resolution fine detail.",
        lecture="B:513-516",
        paper=PROGAN,
        experiment=staging,
        bounds={
            LARGE: (1.0, math.inf),
            NO_MORE: (-math.inf, 0.25),
            DETAIL: (0.5, math.inf),
            APART: (0.5, math.inf),
        },
        control="the same networks at 16 x 16 from the start.",
        budget="600 rounds of ProGAN on 16 Fashion-MNIST pictures of 16 x 16, grown and not",
        figure=draw_staging,
        seeds=8,
        note="Sliced W1 of the bands of a Laplacian pyramid, in their standard deviations, beyond that of real "
        "pictures. Before 16 x 16 joins, at 45 % of the run, pixels are repeated, and the finest band is missing. "
        "The game that grows also learns large structure after 16 x 16 has joined, about as much as detail: two "
        "stages of a game this short are not one for each. The other game learns its detail late too.",
    ),
)  # fmt: skip
