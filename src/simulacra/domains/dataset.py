"""Data sets that fit in memory, and how rows are dealt into training, validation and test parts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra.batch import Batch, DataSpec
from simulacra.errors import UserError, nearest
from simulacra.protocols import Dataset
from simulacra.random import seed_of

PARTS = ("train", "validation", "test")


@dataclass(eq=False)
class ArrayDataset:
    """Events held in memory, in physical units.

    Attributes:
        spec: what one event is.
        batch: all events; `x` may be uint8 grey levels, which are read as `x / 255`.
        parts: rows of the canonical training and test parts, where the data come with them.

    Example:
        >>> from simulacra.batch import Field
        >>> data = ArrayDataset(DataSpec("line", "vector", Field((1,))), Batch(torch.arange(4.0)[:, None]))
        >>> len(data), data[torch.tensor([2, 0])].x.flatten().tolist()
        (4, [2.0, 0.0])
    """

    spec: DataSpec
    batch: Batch
    parts: Mapping[str, Tensor] | None = None

    def __len__(self) -> int:
        return len(self.batch)

    def __getitem__(self, rows: Any) -> Batch:
        """The events at `rows` (a slice, a LongTensor or an integer array), as real numbers."""
        batch = self.batch[torch.from_numpy(rows) if isinstance(rows, np.ndarray) else rows]
        return batch.with_x(batch.x.float() / 255) if batch.x.dtype == torch.uint8 else batch

    def __repr__(self) -> str:
        return f"ArrayDataset({self.spec.name}: {len(self):,} events of {self.spec.x.shape})"


class Without:
    """A data set that does not tell some of its conditions; everything else of it is as it was.

    Raises:
        UserError: it has no condition of such a name.

    Example:
        >>> from simulacra.domains import open_data
        >>> data = open_data("electrons")
        >>> sorted(data.spec.given), sorted(Without(data, ["energy"]).spec.given)
        (['energy'], [])
    """

    def __init__(self, dataset: Dataset, names: Sequence[str]) -> None:
        own = dataset.spec.given
        for name in names:
            if name not in own:
                known = ", ".join(own) or "no condition"
                raise UserError(
                    f"expected a condition to ignore among: {known}, {dataset.spec.name} has no {name!r}; "
                    f"{nearest(name, own) if own else 'leave --ignore out'}"
                )
        self.dataset = dataset
        for name in ("parts", "blocks"):  # what those who deal rows and stream them from disk ask for
            if hasattr(dataset, name):
                setattr(self, name, getattr(dataset, name))
        self.spec = replace(dataset.spec, given={name: field for name, field in own.items() if name not in names})

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, rows: Any) -> Batch:
        batch = self.dataset[rows]
        return replace(batch, given={name: batch.given[name] for name in self.spec.given})


def _shares(rows: np.ndarray, seed: int) -> np.ndarray:
    """A number in [0, 1) per row that depends on the row's number and the seed only (splitmix64; Steele 2014)."""
    word = rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed_of("split", seed))
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    word ^= word >> np.uint64(31)
    return (word >> np.uint64(11)).astype(np.float64) * 2.0**-53


def split(rows: int, seed: int = 0, fractions: Sequence[float] = (0.64, 0.04, 0.32)) -> dict[str, Tensor]:
    """Deals rows 0 to `rows - 1` into three parts; a row never moves when more are added.

    The test part is large on purpose: a judge needs events.

    Returns:
        `train`, `validation` and `test`, each a sorted LongTensor; together every row once.

    Raises:
        UserError: the fractions are not three non-negative numbers that sum to 1.

    Example:
        >>> parts = split(1000)
        >>> sum(len(p) for p in parts.values()), 600 < len(parts["train"]) < 680
        (1000, True)
    """
    if len(fractions) != 3 or not all(f >= 0 for f in fractions) or abs(sum(fractions) - 1) > 1e-6:
        raise UserError(f"expected three fractions that sum to 1, came {tuple(fractions)}; such as 0.64, 0.04, 0.32")
    numbers = np.arange(rows)
    # A part keeps its rows in a table of any size: the first `fractions[0]` of the hash's range train, and so on.
    part = np.searchsorted(np.cumsum(fractions)[:2], _shares(numbers, seed), side="right")
    return {name: torch.from_numpy(numbers[part == k]) for k, name in enumerate(PARTS)}


def parts_of(dataset: Dataset, seed: int = 0) -> dict[str, Tensor]:
    """The rows to train, validate and test on: the canonical ones where the data have them, else `split`.

    Canonical data without a validation part lend one seventeenth of their training rows to it (0.04 : 0.64).
    """
    own: Mapping[str, Tensor] | None = getattr(dataset, "parts", None)
    if own is None:
        return split(len(dataset), seed)
    if "validation" in own:
        return {name: own[name] for name in PARTS}
    held = torch.from_numpy(_shares(own["train"].numpy(), seed) < 1 / 17)
    return {"train": own["train"][~held], "validation": own["train"][held], "test": own["test"]}


def fingerprint(batch: Batch) -> str:
    """The sha256 of everything that a batch holds: names, types, shapes and bytes.

    >>> fingerprint(Batch(torch.zeros(2, 1))) == fingerprint(Batch(torch.zeros(1, 2)))
    False
    """
    digest = hashlib.sha256()
    held = {"x": batch.x, **{f"given.{name}": value for name, value in sorted(batch.given.items())}}
    held |= {name: value for name, value in (("mask", batch.mask), ("weight", batch.weight)) if value is not None}
    for name, value in held.items():
        array = np.ascontiguousarray(value.detach().cpu().numpy())
        digest.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def in_memory(spec: DataSpec, batch: Batch, parts: Mapping[str, Tensor] | None = None) -> ArrayDataset:
    """An `ArrayDataset` whose spec carries the batch's fingerprint, its row count and the conditions' ranges.

    Raises:
        UserError: there are no events, or a number is not finite.
    """
    if not len(batch):
        raise UserError(f"expected at least one event, {spec.name} has none; choose other data")
    for name, value in {"x": batch.x, **batch.given}.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            row = int((~torch.isfinite(value.reshape(len(batch), -1))).any(1).nonzero()[0])
            raise UserError(f"expected finite numbers, {spec.name} has NaN or infinity in {name} row {row}; remove it")
    given = {
        name: f
        if f.kind != "real"
        else replace(f, range=(float(batch.given[name].min()), float(batch.given[name].max())))
        for name, f in spec.given.items()
    }
    rows = len(batch) if parts is None else len(parts["train"])
    return ArrayDataset(replace(spec, given=given, rows=rows, fingerprint=fingerprint(batch)), batch, parts)
