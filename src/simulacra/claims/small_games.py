"""Games of small Fashion-MNIST pictures, and how far what they make is from held-out ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from simulacra.batch import Batch
from simulacra.claims.following import follow
from simulacra.claims.growing import SPEC, band_distance, small_pictures
from simulacra.random import reseed
from simulacra.testing import Rows, streams_for
from simulacra.training.game import Experiment
from simulacra.training.loop import train

Array = np.ndarray
Build = Callable[[], Experiment]
LOST = 1e3
"""The value of pixels that are not finite."""


class Pictures(NamedTuple):
    """Pictures to train on, and held-out ones, [N, 1, 16, 16] from 0 to 1."""

    seen: Tensor
    held: Tensor

    def floor(self) -> float:
        """The distance of real pictures to others."""
        return band_distance(self.held, self.seen[: len(self.held)])


def fashion() -> Pictures:
    return Pictures(small_pictures(slice(0, 20_000)), small_pictures(slice(60_000, 61_000)))


def path(build: Build, data: Pictures, seed: int, rounds: int, looks: int, *, averaged: bool = False) -> Array:
    """Distances of a game's pictures to the held-out ones, [looks]: sliced W1 of the bands of a pyramid."""
    looks, count = min(looks, rounds), len(data.held)
    made = follow(
        build, SPEC, Batch(data.seen), seed, rounds=rounds, looks=looks, count=count, averaged=averaged
    )  # fmt: skip
    return np.array([band_distance(data.held, torch.from_numpy(x)) for x in np.nan_to_num(made, nan=LOST)])


def end(distances: Array) -> float:
    """The mean over the last third of the looks."""
    return float(distances[-max(len(distances) // 3, 1) :].mean())


def swing(distances: Array) -> float:
    """The standard deviation of log2 of the distance over the second half of the looks, less a straight line."""
    late = np.log2(distances[len(distances) // 2 :])
    time = np.arange(len(late))
    return float(np.std(late - np.polyval(np.polyfit(time, late, 1), time))) if len(late) > 2 else 0.0


def operations(build: Build, data: Pictures, rounds: int = 4) -> float:
    """Multiplications and additions in a round of all players, as torch counts them, the mean of the first few."""
    reseed(0, "claims", "operations")
    game: Any = build()
    steps = train(game, streams_for(game, Rows(SPEC, Batch(data.seen)), 0), seed=0)
    with FlopCounterMode(display=False) as count:
        for _ in range(rounds):
            next(steps)
    return float(count.get_total_flops()) / rounds
