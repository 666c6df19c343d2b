"""How slow the machine is just now: by a fixed piece of work, beside which the games of the tables are timed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import torch
from torch import nn

QUIET = 0.0108
"""CPU seconds of a turn of `pace` on the quiet machine of docs/gan_speed.md of 2026-11-21: 1/7.2 of its DCGAN round."""
CROWDED = 1.3
"""Processes that want a core, from which on a cell without a pace says so."""


def pace(turns: int = 25, warm: int = 5) -> float:
    """CPU seconds that a fixed piece of work takes, over what it takes on the quiet machine of the first tables.

    Steps of Adam on a small convolutional network, the median of so many: other work on the machine makes it slower,
    as it makes trainings.
    """
    network = nn.Sequential(
        nn.Conv2d(1, 32, 3, 2, 1),
        nn.LeakyReLU(),
        nn.Conv2d(32, 64, 3, 2, 1),
        nn.LeakyReLU(),
        nn.Conv2d(64, 128, 3, 2, 1),
    )
    optimizer, x, taken = torch.optim.Adam(network.parameters()), torch.ones(64, 1, 32, 32), []
    for _ in range(warm + turns):
        start = time.process_time()
        optimizer.zero_grad()
        network(x).square().mean().backward()
        optimizer.step()
        taken.append(time.process_time() - start)
    return median(taken[warm:]) / QUIET


def crowded(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """A paragraph on cells that saw less, for the machine was crowded or slow, and its pace did not count yet.

    `slow` is noted by hand, where a benchmark on the same day took longer.
    """

    def less(cell: Mapping[str, Any]) -> bool:
        return "pace" not in cell and (cell.get("slow", False) or cell.get("busy", 0) > CROWDED)

    names = [f"`{name}`" for name, found in rows.items() if any(map(less, found))]
    words = "Made on a crowded or slow machine, where a CPU second sees up to 40 % fewer events"
    return [f"{words}: {', '.join(names)}.", ""] if names else []
