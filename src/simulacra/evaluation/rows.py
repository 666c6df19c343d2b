"""Which events a judge looks at where it does not look at all: some from everywhere, for a file may be sorted."""

from __future__ import annotations

import torch
from torch import Tensor

from simulacra.batch import Batch
from simulacra.protocols import Dataset
from simulacra.random import seed_of


def spread(rows: Tensor, most: int) -> Tensor:
    """At most so many of these rows, evenly over them.

    >>> spread(torch.arange(10), 4)
    tensor([0, 3, 6, 9])
    """
    if len(rows) <= most:
        return rows
    return rows[torch.linspace(0, len(rows) - 1, most, dtype=torch.float64).round().long()]


def some_of(events: Dataset | Batch, most: int, rows: Tensor | None = None, *, mixed: bool = False) -> Batch:
    """At most so many events, evenly over these rows or all; in their order, or `mixed`: the first stand for all.

    >>> some_of(Batch(torch.arange(5.0)[:, None]), 3).x.flatten()
    tensor([0., 2., 4.])
    """
    batch = events[spread(torch.arange(len(events)) if rows is None else rows, most)]
    if not mixed:
        return batch
    return batch[torch.randperm(len(batch), generator=torch.Generator().manual_seed(seed_of(0, "some of")))]
