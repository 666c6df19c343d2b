"""The data noun: what flows between domains, codecs, models, training and judging."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from simulacra.errors import UserError

Given = Mapping[str, Tensor]
"""What a model is told, by physical name: `energy` [B, 1], `label` [B], `source` [B, *event]."""

Noise = Mapping[str, Tensor]
"""What a deterministic sampler starts from: `z` [B, latent], `code`, ..."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Events with what is known of them.

    Attributes:
        x: [B, *event]; [B, 0] for a player without data.
        given: conditions by physical name, each [B, ...].
        mask: [B, T], true where a sequence or a cloud is real.
        weight: [B], event weights; `None` means one each.

    Example:
        >>> batch = Batch(torch.tensor([[1.0], [3.0]]), weight=torch.tensor([3.0, 1.0]))
        >>> len(batch), batch.mean(batch.x[:, 0]).item()
        (2, 1.5)
    """

    x: Tensor
    given: Given = field(default_factory=dict)
    mask: Tensor | None = None
    weight: Tensor | None = None

    def __post_init__(self) -> None:
        n = len(self.x)
        for name, value in [*self.given.items(), ("mask", self.mask), ("weight", self.weight)]:
            if value is not None and len(value) != n:
                raise ValueError(f"expected {n} rows of {name!r} as of x, came {len(value)}; pass one row per event")

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: Any) -> Batch:
        """The events at `rows` (a slice, an index tensor or a boolean mask), still a batch."""
        return self.map(lambda value: value[rows])

    def map(self, change: Any) -> Batch:
        """The batch with `change` applied to each of its tensors."""
        return Batch(
            change(self.x),
            {name: change(value) for name, value in self.given.items()},
            None if self.mask is None else change(self.mask),
            None if self.weight is None else change(self.weight),
        )

    def to(self, device: torch.device | str) -> Batch:
        return self.map(lambda value: value.to(device))

    def with_x(self, x: Tensor) -> Batch:
        return replace(self, x=x)

    def total(self, values: Tensor) -> Tensor:
        """The weighted sum over events, `sum_i w_i v_i`; values [B, ...] -> [...]."""
        if self.weight is None:
            return values.sum(0)
        return (self.weight.view(-1, *[1] * (values.dim() - 1)) * values).sum(0)

    def mean(self, values: Tensor) -> Tensor:
        """The weighted mean over events, `sum_i w_i v_i / sum_i w_i`; values [B, ...] -> [...]."""
        return self.total(values) / (len(self) if self.weight is None else self.weight.sum())


def join(batches: list[Batch]) -> Batch:
    """One batch of all events in order; the batches must agree in what they carry."""
    first = batches[0]
    return Batch(
        torch.cat([b.x for b in batches]),
        {name: torch.cat([b.given[name] for b in batches]) for name in first.given},
        None if first.mask is None else torch.cat([b.mask for b in batches if b.mask is not None]),
        None if first.weight is None else torch.cat([b.weight for b in batches if b.weight is not None]),
    )


KINDS = ("real", "binary", "class", "token")
LAYOUTS = ("vector", "image", "volume", "layers", "sequence", "cloud", "lattice")


@dataclass(frozen=True)
class Field:
    """One tensor, described.

    Attributes:
        shape: of one event, without the batch axis.
        kind: `real`, `binary`, `class` (an integer below `levels`) or `token`.
        levels: how many classes, tokens or grey levels; 0 where values are continuous.
        unit: such as `MeV`; empty where there is none.
        range: smallest and largest value seen in training.
        names: of the levels, where the data name them.
    """

    shape: tuple[int, ...]
    kind: str = "real"
    levels: int = 0
    unit: str = ""
    range: tuple[float, float] | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"expected a kind among {', '.join(KINDS)}, came {self.kind!r}")
        if self.names and len(self.names) != self.levels:
            raise ValueError(f"expected names of {self.levels} levels, came {len(self.names)}")

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def to_json(self) -> dict[str, Any]:
        return {
            "shape": list(self.shape),
            "kind": self.kind,
            "levels": self.levels,
            "unit": self.unit,
            "range": None if self.range is None else list(self.range),
            **({"names": list(self.names)} if self.names else {}),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Field:
        seen = data["range"]
        return Field(
            tuple(data["shape"]),
            data["kind"],
            data["levels"],
            data["unit"],
            None if seen is None else (float(seen[0]), float(seen[1])),
            tuple(map(str, data.get("names", ()))),
        )


@dataclass(frozen=True)
class DataSpec:
    """All that a recipe knows of the data: what one event is, and what is given with it.

    Attributes:
        name: of the data set.
        layout: how the numbers of an event lie: `vector`, `image` (channels, height, width), `layers`, ...
        x: the event itself.
        given: the conditions by physical name.
        parts: named pieces of a flat event, in their order: `{"layer0": (3, 96), ...}`.
        geometry: where the numbers sit in space, as JSON of the domain's own.
        rows: events in the training part.
        fingerprint: sha256 of the content that was read.
    """

    name: str
    layout: str
    x: Field
    given: Mapping[str, Field] = field(default_factory=dict)
    parts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    geometry: Mapping[str, Any] | None = None
    rows: int = 0
    fingerprint: str = ""

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ValueError(f"expected a layout among {', '.join(LAYOUTS)}, came {self.layout!r}")

    def slices(self) -> dict[str, slice]:
        """Where each part lies in the flat event."""
        out, at = {}, 0
        for name, shape in self.parts.items():
            out[name] = slice(at, at + math.prod(shape))
            at += math.prod(shape)
        return out

    def need(self, *names: str) -> None:
        """Raises a UserError naming the first condition among `names` that the data do not carry."""
        for name in names:
            if name not in self.given:
                has = ", ".join(self.given) or "no condition"
                raise UserError(f"expected data with the condition {name!r}, {self.name} has {has}; choose other data")

    def check(self, batch: Batch) -> None:
        """Raises ValueError where a batch does not fit this description."""
        if tuple(batch.x.shape[1:]) != self.x.shape:
            raise ValueError(f"expected events of shape {self.x.shape}, came {tuple(batch.x.shape[1:])}")
        for name, want in self.given.items():
            if name not in batch.given:
                raise ValueError(f"expected given[{name!r}], came {sorted(batch.given)}")
            if tuple(batch.given[name].shape[1:]) != want.shape:
                raise ValueError(
                    f"expected given[{name!r}] of shape {want.shape}, came {tuple(batch.given[name].shape[1:])}"
                )

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "layout": self.layout,
            "x": self.x.to_json(),
            "given": {name: f.to_json() for name, f in self.given.items()},
            "parts": [[name, list(shape)] for name, shape in self.parts.items()],
            "geometry": self.geometry,
            "rows": self.rows,
            "fingerprint": self.fingerprint,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> DataSpec:
        return DataSpec(
            data["name"],
            data["layout"],
            Field.from_json(data["x"]),
            {name: Field.from_json(f) for name, f in data["given"].items()},
            {name: tuple(shape) for name, shape in data["parts"]},
            data["geometry"],
            data["rows"],
            data["fingerprint"],
        )
