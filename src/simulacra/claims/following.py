"""Games of recipes, looked at while they are played."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from simulacra.batch import Batch, DataSpec
from simulacra.random import draws, reseed
from simulacra.testing import Rows, streams_for
from simulacra.training.game import Clock, Experiment
from simulacra.training.loop import train
from simulacra.training.watch import NonFinite

Array = np.ndarray


def turns(game: Experiment) -> int:
    """Steps of all players in a round."""
    found = [player.repeats for player in game.players]
    return sum(k if isinstance(k, int) else k(game.clock) for k in found)


def adjust(game: Experiment, *, beta1: float | None = None, slow: float = 1.0) -> Experiment:
    """Sets Adam's first decay for all players, and multiplies the critic's rate by `slow`."""
    for player in game.players:
        optimizer: Any = getattr(player, "optimizer", None)
        for group in optimizer.param_groups:
            group["lr"] *= slow if player.name == "critic" else 1.0
            group["betas"] = (group["betas"][0] if beta1 is None else beta1, group["betas"][1])
    return game


def follow(
    build: Callable[[], Experiment],
    spec: DataSpec,
    data: Batch,
    seed: int,
    *,
    rounds: int,
    looks: int,
    count: int = 500,
    averaged: bool = False,
) -> Array:
    """Samples in physical units at `looks` times at equal distances, [looks, count, *event].

    From where a game meets a loss or a gradient that is not finite, they are NaN. The same arguments give the same
    samples.

    Args:
        build: of the recipe, called after seeding.
        averaged: whether to sample the average of weights; else the player itself.
    """
    reseed(seed, "claims", "follow")
    game = build()
    game.clock = Clock(0, rounds)
    roots: Any = game.learners
    model: Any = game.model if averaged else roots["game"]
    seen = np.full((looks, count, *spec.x.shape), np.nan, dtype=np.float32)
    every = rounds // looks
    try:
        for step in train(game, streams_for(game, Rows(spec, data), seed), seed=seed):
            at, rest = divmod(step.clock.round, every)
            if not rest and at <= looks:
                with torch.no_grad(), draws(step.clock.round):
                    model.eval()
                    seen[at - 1] = game.codec.decode(model.sample(count)).x.numpy()
    except NonFinite:
        pass
    return seen
