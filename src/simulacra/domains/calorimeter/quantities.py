"""What observables are made of: sums over cells, all linear ones in one product, and the hottest cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from simulacra.batch import Batch
from simulacra.domains.calorimeter.geometry import Geometry
from simulacra.domains.calorimeter.layer import Layer

RANKS = (1, 2, 5, 10)
"""Which of the hottest cells are read."""

FINE = 7
"""Layers up to which each is read on its own; deeper calorimeters are read in `GROUPS` groups of layers."""

GROUPS = 5
_BLOCK = 1024


@dataclass(frozen=True)
class Region:
    """A layer, or a group of neighbouring ones, that is read as one."""

    name: str
    label: str
    part: slice
    layers: tuple[Layer, ...]


def regions_of(geometry: Geometry) -> list[Region]:
    parts, layers = geometry.slices(), geometry.layers
    if len(layers) <= FINE:
        return [Region(a.name, a.name.replace("layer", "layer "), p, (a,)) for a, p in zip(layers, parts, strict=True)]
    out = []
    for piece in np.array_split(np.arange(len(layers)), GROUPS):
        first, last = int(piece[0]), int(piece[-1])
        name, number = f"{layers[first].name}to{last}", f"layers {first} to {last}"
        out.append(Region(name, number, slice(parts[first].start, parts[last].stop), layers[first : last + 1]))
    return out


def _core(layer: Layer, axis: str, reach: int) -> Tensor:
    """True for the cells of a layer among the `reach` nearest to its axis on either side, [cells]."""
    rows, columns = torch.meshgrid(torch.arange(layer.shape[0]), torch.arange(layer.shape[1]), indexing="ij")
    if layer.kind == "polar":
        return (columns < reach).flatten()
    place, count = (columns, layer.shape[1]) if axis == "columns" else (rows, layer.shape[0])
    return ((place + 0.5 - count / 2).abs() < reach).flatten()


class Reader:
    """All quantities that are linear in the cells, in one product of matrices; remembered while the batch lives."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry, self.regions = geometry, regions_of(geometry)
        self.columns: dict[str, int] = {}
        rows: list[Tensor] = []

        def add(name: str, part: slice, values: Tensor) -> None:
            row = torch.zeros(geometry.cells, dtype=torch.float64)
            row[part] = values.to(row)
            self.columns[name] = len(rows)
            rows.append(row)

        for i, part in enumerate(geometry.slices()):
            add(f"layer/{i}", part, torch.ones(part.stop - part.start))
        for r in self.regions:
            x, y = geometry.x[r.part], geometry.y[r.part]
            add(f"E/{r.name}", r.part, torch.ones_like(x))
            for name, value in (("x", x), ("y", y), ("xx", x**2), ("yy", y**2)):
                add(f"{name}/{r.name}", r.part, value)
            for name, mask in cores(r).items():
                add(f"{name}/{r.name}", r.part, mask)
        self.radii = _radial_edges(geometry)
        place = torch.bucketize(geometry.radius, torch.tensor(self.radii[1:-1], dtype=torch.float64), right=True)
        for k in range(len(self.radii) - 1):
            add(f"ring/{k}", slice(0, geometry.cells), place == k)
        self.matrix = torch.stack(rows, 1)
        self.seen: WeakKeyDictionary[Batch, dict[str, Tensor]] = WeakKeyDictionary()

    def _memo(self, batch: Batch, name: str, make: Callable[[], Tensor]) -> Tensor:
        if batch.x.requires_grad:  # a remembered graph could be walked once only
            return make()
        memo = self.seen.setdefault(batch, {})
        if name not in memo:
            memo[name] = make()
        return memo[name]

    def linear(self, batch: Batch, name: str) -> Tensor:
        matrix = self.matrix.to(batch.x.device)
        sums = self._memo(batch, "linear", lambda: torch.cat([p.to(matrix) @ matrix for p in batch.x.split(_BLOCK)]))
        return sums[:, self.columns[name]]

    def share(self, batch: Batch, name: str, region: str) -> Tensor:
        """A linear quantity over the energy of its region; 0 where there is none."""
        return ratio(self.linear(batch, f"{name}/{region}"), self.linear(batch, f"E/{region}"))

    def width(self, batch: Batch, axis: str, region: str) -> Tensor:
        variance = self.share(batch, axis * 2, region) - self.share(batch, axis, region) ** 2
        return variance.clamp(min=0).sqrt()

    def layers(self, batch: Batch) -> Tensor:
        self.linear(batch, "layer/0")
        return torch.stack([self.linear(batch, f"layer/{i}") for i in range(len(self.geometry.layers))], 1)

    def rings(self, batch: Batch) -> Tensor:
        return torch.stack([self.linear(batch, f"ring/{k}") for k in range(len(self.radii) - 1)], 1)

    def total(self, batch: Batch) -> Tensor:
        return self._memo(batch, "total", lambda: self.layers(batch).sum(1))

    def depth(self, batch: Batch, power: int) -> Tensor:
        index = torch.arange(len(self.geometry.layers), device=batch.x.device, dtype=torch.float64)
        return ratio((self.layers(batch) * index**power).sum(1), self.total(batch))

    def hottest(self, batch: Batch, region: Region) -> Tensor:
        """The largest shares of a region's energy in one cell, [B, 10]."""

        def make() -> Tensor:
            cells = batch.x[:, region.part]
            top = cells.topk(min(max(RANKS), cells.shape[1]), dim=1).values
            top = torch.nn.functional.pad(top, (0, max(RANKS) - top.shape[1]))
            return ratio(top, self.linear(batch, f"E/{region.name}")[:, None])

        return self._memo(batch, f"hottest/{region.name}", make)


CORES = {
    "core1": "the innermost ring",
    "core3": "the 3 innermost rings",
    "columns2": "the 2 central columns",
    "columns6": "the 6 central columns",
    "rows2": "the central rows",
    "centre2x2": "the central cells",
}


def cores(region: Region) -> dict[str, Tensor]:
    reaches = {"core1": 1, "core3": 3} if region.layers[0].kind == "polar" else {"columns2": 1, "columns6": 3}
    out = {name: torch.cat([_core(a, "columns", k) for a in region.layers]) for name, k in reaches.items()}
    if region.layers[0].kind == "cartesian":
        out["rows2"] = torch.cat([_core(a, "rows", 1) for a in region.layers])
        out["centre2x2"] = out["columns2"] & out["rows2"]
    return out


def ratio(above: Tensor, below: Tensor) -> Tensor:
    return torch.where(below > 0, above / torch.where(below > 0, below, 1.0), 0.0)


def _radial_edges(geometry: Geometry) -> tuple[float, ...]:
    """At most 12 radial bins, each holding some cells, narrow near the axis."""
    radii = geometry.radius.unique().numpy()
    middles = (radii[1:] + radii[:-1]) / 2
    if len(middles) > 11:
        wanted = np.geomspace(max(middles[0], radii[-1] / 100), middles[-1], 11)
        middles = np.unique(middles[np.abs(middles[None, :] - wanted[:, None]).argmin(1)])
    return (0.0, *(float(m) for m in middles), float(radii[-1]) * 1.001)
