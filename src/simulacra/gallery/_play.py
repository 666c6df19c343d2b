"""Short games, trained in memory for a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra import recipes
from simulacra.batch import Batch, Given, join
from simulacra.domains import open_data
from simulacra.domains.dataset import parts_of
from simulacra.protocols import Dataset
from simulacra.random import draws, seed_of
from simulacra.surrogate import generate
from simulacra.training.game import Experiment
from simulacra.training.loop import train
from simulacra.training.stream import DataStream, streams_of
from simulacra.workflow import training_spec

Curve = list[tuple[float, float]]


@dataclass(eq=False)
class Game:
    """A game that is played: what it is played with, and what the players have seen."""

    data: Dataset
    rows: Tensor
    experiment: Experiment
    seed: int
    losses: dict[str, Curve] = field(default_factory=dict)

    def sample(self, n: int, given: Given = {}) -> Batch:
        """n new events in physical units."""
        return join(list(generate(self.experiment.model, self.experiment.codec, n, given, self.seed)))

    def push(self, noise: Mapping[str, Tensor], given: Given = {}) -> Tensor:
        """What the model makes of fixed latents, in physical units."""
        model: Any = self.experiment.model
        codec = self.experiment.codec
        model.eval()
        with torch.no_grad():
            made = model.push(noise, codec.encode_given(given))
            return codec.decode(Batch(made.x, given)).x

    def noise(self, n: int) -> dict[str, Tensor]:
        model: Any = self.experiment.model
        with draws(seed_of(self.seed, "latents")):
            return dict(model.noise(n))

    def part(self, name: str, n: int) -> Batch:
        """The first n events of a part of the data."""
        return self.data[parts_of(self.data)[name][:n]]


def play(
    recipe: str,
    data: str,
    seed: int,
    rounds: int,
    look: Callable[[int, Game], None] | None = None,
    *,
    options: Mapping[str, Any] = {},
    **arguments: Any,
) -> Game:
    """Trains a recipe for some rounds; `look(round, game)` is called after each of them.

    Args:
        options: of the data.
        arguments: of the recipe.
    """
    dataset = open_data(data, **options)
    rows = parts_of(dataset)["train"]
    with draws(seed_of(seed, "weights")):
        chosen = recipes.find(recipe)
        experiment: Experiment = chosen.build(training_spec(dataset, rows), chosen.resolve(arguments))
    experiment.clock = experiment.clock._replace(rounds=rounds)
    game = Game(dataset, rows, experiment, seed)
    streams = streams_of(experiment, DataStream(dataset, rows, experiment.codec, seed=seed))
    with torch.random.fork_rng(devices=[]):  # a picture leaves the caller's generators as they are
        for step in train(experiment, streams, seed=seed):
            for name, value in step.losses.items():
                game.losses.setdefault(name, []).append((step.clock.round, float(value)))
            if look is not None:
                look(step.clock.round, game)
    experiment.learners.eval()
    experiment.model.eval()
    return game


def numbers(x: Tensor) -> np.ndarray:
    return x.detach().double().numpy()
