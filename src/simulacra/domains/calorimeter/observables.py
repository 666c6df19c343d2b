"""What a calorimeter specialist reads off a shower: energies, positions, widths, occupancies, hottest cells, profiles.

Every observable is finite for every shower: fractions, positions, widths and shares of a layer without energy are 0.
Definitions follow CaloGAN (Paganini et al. 2018, arXiv 1712.10321) and the CaloChallenge (2024, arXiv 2410.21611).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from simulacra.batch import Batch, DataSpec
from simulacra.domains.calorimeter.geometry import Geometry, Layer

LEVELS = (0.0, 0.1, 1.0)
"""MeV above which a cell counts as hit."""

RANKS = (1, 2, 5, 10)
"""Which of the hottest cells are read."""

FINE = 7
"""Layers up to which each is read on its own; deeper calorimeters are read in `GROUPS` groups of layers."""

GROUPS = 5
_BLOCK = 1024


@dataclass(frozen=True, eq=False)
class ShowerObservable:
    """A number (or K numbers) per shower of a physical batch.

    Attributes:
        name: such as `E_tot`, as in tables of results.
        unit: such as `MeV`; empty where there is none.
        axis: the label of a histogram's axis.
        read: the function itself.
        edges: bins of the K numbers where they are a profile or a spectrum; empty for single numbers.
    """

    name: str
    unit: str
    axis: str
    read: Callable[[Batch], Tensor] = field(repr=False)
    edges: tuple[float, ...] = ()

    def __call__(self, batch: Batch) -> Tensor:
        """[B] or [B, K], float32."""
        return self.read(batch).to(torch.float32)


@dataclass(frozen=True)
class _Region:
    """A layer, or a group of neighbouring ones, that is read as one."""

    name: str
    label: str
    part: slice
    layers: tuple[Layer, ...]


def _regions(geometry: Geometry) -> list[_Region]:
    parts, layers = geometry.slices(), geometry.layers
    if len(layers) <= FINE:
        return [_Region(a.name, a.name.replace("layer", "layer "), p, (a,)) for a, p in zip(layers, parts, strict=True)]
    out = []
    for piece in np.array_split(np.arange(len(layers)), GROUPS):
        first, last = int(piece[0]), int(piece[-1])
        name, number = f"{layers[first].name}to{last}", f"layers {first} to {last}"
        out.append(_Region(name, number, slice(parts[first].start, parts[last].stop), layers[first : last + 1]))
    return out


def _core(layer: Layer, axis: str, reach: int) -> Tensor:
    """True for the cells of a layer among the `reach` nearest to its axis on either side, [cells]."""
    rows, columns = torch.meshgrid(torch.arange(layer.shape[0]), torch.arange(layer.shape[1]), indexing="ij")
    if layer.kind == "polar":
        return (columns < reach).flatten()
    place, count = (columns, layer.shape[1]) if axis == "columns" else (rows, layer.shape[0])
    return ((place + 0.5 - count / 2).abs() < reach).flatten()


class _Reader:
    """All quantities that are linear in the cells, in one product of matrices; remembered while the batch lives."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry, self.regions = geometry, _regions(geometry)
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
            for name, mask in _cores(r).items():
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
        return _ratio(self.linear(batch, f"{name}/{region}"), self.linear(batch, f"E/{region}"))

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
        return _ratio((self.layers(batch) * index**power).sum(1), self.total(batch))

    def hottest(self, batch: Batch, region: _Region) -> Tensor:
        """The largest shares of a region's energy in one cell, [B, 10]."""

        def make() -> Tensor:
            cells = batch.x[:, region.part]
            top = cells.topk(min(max(RANKS), cells.shape[1]), dim=1).values
            top = torch.nn.functional.pad(top, (0, max(RANKS) - top.shape[1]))
            return _ratio(top, self.linear(batch, f"E/{region.name}")[:, None])

        return self._memo(batch, f"hottest/{region.name}", make)


_CORES = {
    "core1": "the innermost ring",
    "core3": "the 3 innermost rings",
    "columns2": "the 2 central columns",
    "columns6": "the 6 central columns",
    "rows2": "the central rows",
    "centre2x2": "the central cells",
}


def _cores(region: _Region) -> dict[str, Tensor]:
    reaches = {"core1": 1, "core3": 3} if region.layers[0].kind == "polar" else {"columns2": 1, "columns6": 3}
    out = {name: torch.cat([_core(a, "columns", k) for a in region.layers]) for name, k in reaches.items()}
    if region.layers[0].kind == "cartesian":
        out["rows2"] = torch.cat([_core(a, "rows", 1) for a in region.layers])
        out["centre2x2"] = out["columns2"] & out["rows2"]
    return out


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    return torch.where(below > 0, above / torch.where(below > 0, below, 1.0), 0.0)


def _radial_edges(geometry: Geometry) -> tuple[float, ...]:
    """At most 12 radial bins, each holding some cells, narrow near the axis."""
    radii = geometry.radius.unique().numpy()
    middles = (radii[1:] + radii[:-1]) / 2
    if len(middles) > 11:
        wanted = np.geomspace(max(middles[0], radii[-1] / 100), middles[-1], 11)
        middles = np.unique(middles[np.abs(middles[None, :] - wanted[:, None]).argmin(1)])
    return (0.0, *(float(m) for m in middles), float(radii[-1]) * 1.001)


def scalars(spec: DataSpec) -> list[ShowerObservable]:
    """The observables that are one number per shower: those that histograms and classifiers read."""
    geometry = Geometry.from_json(spec.geometry or {})
    return _scalars(_Reader(geometry))


def _scalars(read: _Reader) -> list[ShowerObservable]:
    O = ShowerObservable  # noqa: E741
    out = [
        O("E_tot", "MeV", "deposited energy", read.total),
        O("response", "", "deposited / incident energy", lambda b: read.total(b) / b.given["energy"][:, 0].double()),
        O("depth", "layers", "mean layer, energy-weighted", lambda b: read.depth(b, 1)),
        O(
            "depth_width",
            "layers",
            "spread over layers",
            lambda b: (read.depth(b, 2) - read.depth(b, 1) ** 2).clamp(min=0).sqrt(),
        ),
    ]
    for r in read.regions:
        n, label = r.name, r.label
        out.append(O(f"E_{n}", "MeV", f"energy in {label}", lambda b, n=n: read.linear(b, f"E/{n}")))
        out.append(
            O(
                f"f_{n}",
                "",
                f"share of the energy in {label}",
                lambda b, n=n: _ratio(read.linear(b, f"E/{n}"), read.total(b)),
            )
        )
        for level in LEVELS:
            name = f"occupancy_{n}" if level == 0 else f"occupancy_{level:g}MeV_{n}"
            axis = f"share of cells above {level:g} MeV in {label}"
            out.append(O(name, "", axis, lambda b, r=r, level=level: (b.x[:, r.part] > level).float().mean(1)))
        for axis in ("x", "y"):
            out.append(O(f"{axis}_{n}", "mm", f"centre in {axis}, {label}", lambda b, a=axis, n=n: read.share(b, a, n)))
            out.append(O(f"w{axis}_{n}", "mm", f"width in {axis}, {label}", lambda b, a=axis, n=n: read.width(b, a, n)))
        for rank in RANKS:
            axis = f"share of hottest cell no. {rank}, {label}"
            out.append(O(f"hottest{rank}_{n}", "", axis, lambda b, r=r, k=rank: read.hottest(b, r)[:, k - 1]))
        for core, mask in _cores(r).items():
            if not bool(mask.all()):
                text = f"share within {_CORES[core]}, {label}"
                out.append(O(f"{core}_{n}", "", text, lambda b, c=core, n=n: read.share(b, c, n)))
    return out


SPECTRUM = tuple(float(e) for e in 10.0 ** np.arange(-3, 5.5, 0.5))
"""Edges in MeV of the cell spectrum; deposits outside count in the first and last bin."""


def observables(spec: DataSpec) -> list[ShowerObservable]:
    """All observables of showers in the calorimeter of `spec`; the last few are [B, K].

    Example:
        >>> from simulacra.domains.calorimeter.format import spec_of
        >>> from simulacra.domains.calorimeter.geometry import LAR3
        >>> found = {o.name: o for o in observables(spec_of(LAR3, "electrons"))}
        >>> shower = torch.zeros(1, 504)
        >>> shower[0, 288] = 5.0  # the first cell of layer 1
        >>> batch = Batch(shower, {"energy": torch.tensor([[50.0]])})
        >>> found["response"](batch).item(), found["depth"](batch).item(), found["x_layer1"](batch).item()
        (0.10000000149011612, 1.0, -220.0)
    """
    geometry = Geometry.from_json(spec.geometry or {})
    read = _Reader(geometry)
    count = len(geometry.layers)

    def spectrum(batch: Batch) -> Tensor:
        above = [(batch.x > 0).sum(1), *((batch.x >= edge).sum(1) for edge in SPECTRUM[1:-1])]
        counts = torch.stack([*above, torch.zeros_like(above[0])], 1)
        return counts[:, :-1] - counts[:, 1:]

    def pairs(batch: Batch) -> Tensor:
        share = torch.stack([read.linear(batch, f"E/{r.name}") for r in read.regions], 1)
        share = share / batch.given["energy"].double()
        i, j = torch.triu_indices(share.shape[1], share.shape[1], 1, device=share.device)
        return share[:, i] * share[:, j]

    vectors = [
        ShowerObservable(
            "longitudinal", "MeV", "energy per layer", read.layers, tuple(float(i) for i in range(count + 1))
        ),
        ShowerObservable("radial", "MeV", "energy per ring around the axis", read.rings, read.radii),
        ShowerObservable("spectrum", "", "cells per bin of deposited energy (MeV)", spectrum, SPECTRUM),
    ]
    if len(read.regions) > 1:
        vectors.append(
            ShowerObservable("layer_pairs", "", "products of layer energies over the incident energy", pairs)
        )
    return _scalars(read) + vectors


def layer_correlations(batch: Batch, geometry: Geometry) -> Tensor:
    """Pearson correlations of the layers' shares of the incident energy, [L, L]; 0 for a layer that never varies.

    >>> from simulacra.domains.calorimeter.geometry import LAR3
    >>> layer_correlations(Batch(torch.rand(9, 504), {"energy": torch.ones(9, 1)}), LAR3).diag().tolist()
    [1.0, 1.0, 1.0]
    """
    share = geometry.sum_layers(batch.x.double()) / batch.given["energy"].double()
    share = share - batch.mean(share)
    spread = batch.mean(share**2).sqrt()
    unit = torch.where(spread > 0, share / torch.where(spread > 0, spread, 1.0), 0.0)
    return batch.mean(unit[:, :, None] * unit[:, None, :]).float().round(decimals=6)
