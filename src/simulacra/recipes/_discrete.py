"""What the recipes of discrete pictures share: the codec, and training by likelihood."""

from __future__ import annotations

from typing import Any

import torch

from simulacra.batch import DataSpec
from simulacra.domains.images.levels import Levels
from simulacra.errors import UserError
from simulacra.protocols import Codec
from simulacra.training.game import Experiment, Player, linear_decay, modules

RULES = ("threshold", "stochastic")


def binary_codec(data: DataSpec, rule: str) -> Levels:
    """Black and white pictures: white above one half (`threshold`), or with the grey level as probability.

    Raises:
        UserError: the rule is neither `threshold` nor `stochastic`.
    """
    if rule not in RULES:
        raise UserError(f"expected binarise threshold or stochastic, came {rule!r}; choose one of them")
    return Levels(data, 2, rule == "stochastic")


def by_likelihood(model: Any, codec: Codec, *, lr: float, batch: int, rounds: int) -> Experiment:
    """One player who maximises the likelihood with Adam, the rate falling to 0 over the second half."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    player = Player("model", model, model.loss, optimizer, clip=100.0, schedule=linear_decay(0.5))
    return Experiment(model, [player], codec, rounds, batch, modules(model=model))
