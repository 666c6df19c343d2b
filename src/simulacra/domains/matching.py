"""Conditions of one data set as another describes them: classes by their names, numbers as classes and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from simulacra.batch import Batch, DataSpec, Field
from simulacra.errors import UserError
from simulacra.protocols import Dataset


def retold(events: Batch, of: DataSpec, to: DataSpec) -> Batch:
    """Physical events of one data set with the conditions that both know as the other describes them.

    A class gets the number of the level that bears its name, where both sides name their levels; else it keeps its
    number. Whole numbers become classes, classes real numbers, where that is what the other holds.

    Args:
        events: of the data set `of`.
        of: describes the events.
        to: describes what they become.

    Raises:
        UserError: a condition has another shape, or a class that the other does not know.

    Example:
        >>> def told(*names: str) -> DataSpec:
        ...     return DataSpec("showers", "vector", Field((1,)), {"particle": Field((), "class", 2, names=names)})
        >>> events = Batch(torch.zeros(3, 1), {"particle": torch.tensor([0, 0, 1])})
        >>> retold(events, told("electron", "photon"), told("photon", "electron")).given["particle"]
        tensor([1, 1, 0])
    """
    given = dict(events.given)
    for name in to.given.keys() & given.keys():
        given[name] = _retold(name, given[name], of.given[name], to.given[name], of.name)
    return replace(events, given=given)


def described(of: DataSpec, to: DataSpec) -> DataSpec:
    """The first description with its conditions as the second describes those that both know."""
    return replace(of, given={name: to.given.get(name, field) for name, field in of.given.items()})


def matched(data: Dataset, spec: DataSpec) -> Dataset:
    """The data set with conditions as `spec` describes them; see `retold`."""
    return data if _alike(data.spec, spec) else Matched(data, spec)


class Matched:
    """A data set whose events are retold."""

    def __init__(self, data: Dataset, spec: DataSpec) -> None:
        self.data, self.told = data, spec
        for name in ("parts", "blocks"):
            if hasattr(data, name):
                setattr(self, name, getattr(data, name))
        self.spec = described(data.spec, spec)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, rows: Any) -> Batch:
        return retold(self.data[rows], self.data.spec, self.told)


def _alike(of: DataSpec, to: DataSpec) -> bool:
    both = [(of.given[name], to.given[name]) for name in of.given.keys() & to.given.keys()]
    return all((a.shape, a.kind, a.levels, a.names) == (b.shape, b.kind, b.levels, b.names) for a, b in both)


def _retold(name: str, value: Tensor, of: Field, to: Field, file: str) -> Tensor:
    if to.kind == "class" and of.kind != "class" and of.size == 1:
        whole = value.flatten().round()
        if not torch.equal(whole, value.flatten()):
            raise UserError(f"expected whole numbers for the class {name!r}, {file} has others; number the classes")
        value = whole.long()
    elif of.kind == "class" and to.kind == "real" and to.size == 1:
        return value.float().reshape(-1, *to.shape)
    elif of.shape != to.shape:
        raise UserError(f"expected {name!r} of shape {to.shape}, {file} has {of.shape}; name another file")
    if to.kind != "class":
        return value
    if of.names and to.names and of.names != to.names:
        place = torch.tensor([to.names.index(word) if word in to.names else -1 for word in of.names])
        there, value = value, place[value]
        if bool((value < 0).any()):
            word = of.names[int(there[value < 0][0])]
            raise UserError(f"expected {name!r} among {', '.join(to.names)}, {file} has {word!r}; rename or remove it")
    if len(value) and not 0 <= int(value.min()) <= int(value.max()) < to.levels:
        worst = int(value.max()) if int(value.max()) >= to.levels else int(value.min())
        raise UserError(f"expected {name!r} from 0 to {to.levels - 1}, {file} has {worst}; remove what is unknown")
    return value
