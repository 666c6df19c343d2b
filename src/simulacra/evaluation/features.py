"""What the battery compares: tables of numbers per event, computed without knowing which sample an event is of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from simulacra.batch import Batch, DataSpec
from simulacra.evaluation import views
from simulacra.evaluation.arrays import Array, numbers, polynomials
from simulacra.evaluation.weights import Weights, among, fewest, pooled, weights_of
from simulacra.protocols import Observable

RANGES = 5
FEWEST = 25
"""Events on the smaller side in which a yes-or-no feature must be expected either way, and in a range of conditions."""
DOUBLE = 0.995
"""Correlation from which an observable says nothing that an earlier one has not said."""
LIT = 0.5
"""Above this a pixel counts as hit; a cell does above 0."""
MOST_CLASSES = 20
LOGARITHM = "log10(E/MeV+0.1)"
"""What stands for the energy of a cell."""


@dataclass(frozen=True)
class Range:
    """Part of the conditions: `low` to `high` of a number, or one class."""

    name: str
    low: float
    high: float
    unit: str = ""

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.name} {self.low:g}"
        return f"{self.name} {self.low:.3g} to {self.high:.3g} {self.unit}".rstrip()


@dataclass(frozen=True)
class Feature:
    """One row of a table, in physical numbers.

    Attributes:
        names: of the quantity, or of both where their product is compared.
        what: `mean`, `spread`, `correlation`, `occupancy`, `cell`, `neighbours` or `noise`.
        values: [N], freed of the condition; their means differ by the finding.
        events: those that count.
        axes: what the names stand for, in words.
    """

    names: tuple[str, ...]
    what: str
    values: Array
    unit: str = ""
    events: Array | slice = field(default_factory=lambda: slice(None))
    range: Range | None = None
    axes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A group of features: `rows(slice)` gives them as [k, N], `feature(k)` says what one of them is."""

    size: int
    rows: Callable[[slice], Array]
    feature: Callable[[int], Feature]


class Conditions:
    """The conditions of both samples together, and how features are freed of them.

    One real number c leads: means follow a Legendre series of degree 4 in it (in its logarithm where it is wide), c and
    c^2, spreads a series of degree 2, each class on its own where there are classes. Without conditions features are
    only standardised. Weights of events enter all fits.

    Attributes:
        weights: of the reference's and of the generated events, `None` where no event carries one.
        pooled: the same [N], each sample with its effective number as sum.
        at: the leading condition [N] (GeV rather than MeV where that reads better), `None` without one.
        ranges: parts of the conditions, each with its events: five equally filled ranges, or the classes.
    """

    def __init__(self, reference: Batch, generated: Batch, spec: DataSpec) -> None:
        self.n, self.m = len(reference), len(generated)
        self.weights: Weights = weights_of(reference, generated)
        self.pooled = pooled(self.weights, self.n, self.m)
        self.smaller = fewest(self.weights, self.n, self.m)
        told = [name for name in spec.given if name in reference.given and name in generated.given]
        both = {
            name: np.concatenate([numbers(b.given[name], f"given[{name!r}]") for b in (reference, generated)])
            for name in told
        }
        lead = next((k for k in told if spec.given[k].kind == "real" and spec.given[k].size == 1), None)
        kind = next((k for k in told if spec.given[k].kind == "class" and spec.given[k].size == 1), None)
        classes = np.zeros(self.n + self.m, int) if kind is None else both[kind].reshape(-1).astype(int)
        levels = [k for k in np.unique(classes) if self.enough(classes == k)]
        self.at = None if lead is None else both[lead].reshape(-1)
        parts: list[tuple[Range, Array]] = []
        if lead is not None and self.at is not None:
            unit = spec.given[lead].unit
            if unit == "MeV" and self.at.max() > 1000:
                self.at, unit = self.at / 1000, "GeV"
            edges = np.unique(np.quantile(self.at, np.linspace(0, 1, RANGES + 1)))
            place = np.clip(np.searchsorted(edges, self.at, side="right") - 1, 0, max(len(edges) - 2, 0))
            parts = [
                (Range(lead, float(edges[k]), float(edges[k + 1]), unit), place == k) for k in range(len(edges) - 1)
            ]
        elif kind is not None and len(levels) <= MOST_CLASSES:
            parts = [(Range(kind, float(k), float(k)), classes == k) for k in levels]
        both_sides = [(r, here) for r, here in parts if self._fewest(here) >= FEWEST]
        self.ranges = [(r, np.flatnonzero(here)) for r, here in both_sides] if len(parts) > 1 else []
        apart = np.stack([np.ones(len(classes)), *(classes == k for k in levels[1:])], axis=1)
        at = np.ones(len(classes)) if self.at is None else self.at
        narrow = polynomials(at, 2)
        wide = np.concatenate([polynomials(at, 4), at[:, None] ** (1, 2)], axis=1)  # energies are straight lines
        self._wide, self._narrow = (
            _orthonormal((apart[:, :, None] * shape[:, None, :]).reshape(len(classes), -1), self.pooled)
            for shape in (wide, narrow)
        )

    def _fewest(self, here: Array) -> float:
        a, b = here[: self.n], here[self.n :]
        return fewest(among(self.weights, a, b), int(a.sum()), int(b.sum()))

    def enough(self, here: Array) -> bool:
        """Whether such events are expected often enough on the smaller side."""
        return bool(np.average(here, weights=self.pooled) * self.smaller >= FEWEST)

    def share(self, sides: list[Array]) -> Array:
        """In which share of all events a cell is hit, [V], from truth values [n, V] and [m, V]."""
        if self.pooled is None:
            return (sides[0].sum(0) + sides[1].sum(0)) / (self.n + self.m)
        return (self.pooled[: self.n] @ sides[0] + self.pooled[self.n :] @ sides[1]) / self.pooled.sum()

    def centred(self, values: Array, events: Array) -> Array:
        """Values [K] of some of the events less their weighted mean."""
        return values - np.average(values, weights=None if self.pooled is None else self.pooled[events])

    def free(self, values: Array, clip: float = 5.0) -> tuple[Array, Array, Array]:
        """Features [k, N] as `(v - mean(c)) / spread(c)` clipped, `v - mean(c)`, and the spread; in their precision."""
        wide, narrow = self._wide.astype(values.dtype), self._narrow.astype(values.dtype)
        weight = None if self.pooled is None else (self.pooled / self.pooled.mean()).astype(values.dtype)
        rest = values - (values if weight is None else values * weight) @ wide @ wide.T
        size = np.abs(rest)
        weighed = size if weight is None else size * weight
        typical = weighed.mean(1, keepdims=True)
        spread = np.maximum((weighed @ narrow) @ narrow.T, 0.1 * typical) * values.dtype.type(np.sqrt(np.pi / 2))
        varies = typical > 1e-6 * np.abs(values).max(1, keepdims=True)
        z = np.clip(rest / np.where(spread > 0, spread, 1), -clip, clip)
        return np.where(varies, z, 0), rest, spread


def _orthonormal(design: Array, weights: Array | None = None) -> Array:
    """A basis of the columns that is orthonormal under the weights, over their mean."""
    scaled = design / np.maximum(np.abs(design).max(0), 1e-300)
    if weights is not None:
        root = np.sqrt(weights / weights.mean())[:, None]
        _, size, turn = np.linalg.svd(root * scaled, full_matrices=False)
        kept = size > 1e-9 * size[0]
        return scaled @ (turn[kept].T / size[kept])
    u, size, _ = np.linalg.svd(scaled, full_matrices=False)
    return u[:, size > 1e-9 * size[0]]


def tables(
    reference: Batch, generated: Batch, spec: DataSpec, observables: Sequence[Observable], conditions: Conditions
) -> dict[str, Table]:
    """The groups that fit the data: `obs`, `products`, `ranges`, `cells`, `occupancies`."""
    out: dict[str, Table] = {}
    seen = [views.observed(b, spec, observables) for b in (reference, generated)]
    if seen[0]:
        out |= _observed(seen[0], seen[1], {o.name: o.axis for o in observables}, conditions)
    if spec.layout in ("layers", "volume", "image"):
        out |= _cells(reference, generated, spec, conditions)
    return {name: table for name, table in out.items() if table.size}


def _observed(
    a: dict[str, tuple[Array, str]], b: dict[str, tuple[Array, str]], words: dict[str, str], conditions: Conditions
) -> dict[str, Table]:
    names, units = list(a), [unit for _, unit in a.values()]
    axes = [words.get(name) or _part(name, words) for name in names]
    z, rest, _ = conditions.free(np.stack([np.concatenate([a[name][0], b[name][0]]) for name in names]))
    keep = _distinct(z)
    z, rest = z[keep].astype(np.float32), rest[keep]
    names, units, axes = ([values[k] for k in keep] for values in (names, units, axes))
    left, right = np.triu_indices(len(keep))
    ranges = conditions.ranges

    def mean(k: int) -> Feature:
        return Feature((names[k],), "mean", rest[k], units[k], axes=(axes[k],))

    def product(k: int) -> Feature:
        i, j = int(left[k]), int(right[k])
        if i == j:
            return Feature((names[i],), "spread", z[i] ** 2, axes=(axes[i],))
        return Feature((names[i], names[j]), "correlation", z[i] * z[j], axes=(axes[i], axes[j]))

    def ranged(piece: slice) -> Array:
        out = np.zeros((piece.stop - piece.start, z.shape[1]), np.float32)
        for row, k in enumerate(range(piece.start, piece.stop)):
            events, j, power = ranges[k // (2 * len(keep))][1], k // 2 % len(keep), 1 + k % 2
            values = np.clip(z[j, events] ** power, -9, 9)
            out[row, events] = conditions.centred(values, events)
        return out

    def in_range(k: int) -> Feature:
        part, events = ranges[k // (2 * len(keep))]
        j = k // 2 % len(keep)
        values, what, unit = (z[j] ** 2, "spread", "") if k % 2 else (rest[j], "mean", units[j])
        return Feature((names[j],), what, values, unit, events, part, (axes[j],))

    return {
        "obs": Table(len(keep), lambda s: z[s], mean),
        "products": Table(len(left), lambda s: np.clip(z[left[s]] * z[right[s]], -9, 9), product),
        "ranges": Table(2 * len(keep) * len(ranges), ranged, in_range),
    }


def _part(name: str, words: dict[str, str]) -> str:
    """Words for one of an observable's K numbers, `spectrum/3`."""
    whole, _, index = name.rpartition("/")
    return f"{words[whole]}, no. {index}" if words.get(whole) else ""


def _distinct(z: Array) -> list[int]:
    """Features that vary and are not the double of an earlier one."""
    centred = z - z.mean(1, keepdims=True)
    size = np.sqrt((centred**2).sum(1, keepdims=True))
    unit = centred / np.where(size > 0, size, 1.0)
    alike = np.abs(unit @ unit.T) > DOUBLE
    keep: list[int] = []
    for k in np.flatnonzero(size > 1e-6):
        if not alike[k, keep].any():
            keep.append(int(k))
    return keep


def _cells(reference: Batch, generated: Batch, spec: DataSpec, conditions: Conditions) -> dict[str, Table]:
    flat = [b.x.detach().cpu().flatten(1).float().numpy() for b in (reference, generated)]
    least = LIT if spec.layout == "image" else 0.0
    share, filled = conditions.share([x > least for x in flat]), conditions.share([x != 0 for x in flat])
    rare = FEWEST / conditions.smaller
    lit, sometimes = np.flatnonzero(filled > rare), np.flatnonzero((share > rare) & (share < 1 - rare))
    unit = LOGARITHM if views.energy_scale(spec) is not None else spec.x.unit

    def energies(cells: Array) -> Array:
        return np.concatenate([views.cells(x[:, cells], spec).T for x in flat], axis=1)

    def hits(cells: Array) -> Array:
        return np.concatenate([(x[:, cells] > least).T for x in flat], axis=1).astype(np.float32)

    def table(cells: Array, read: Callable[[Array], Array], what: str, unit: str) -> Table:
        def feature(k: int) -> Feature:
            return Feature((cell_name(spec, int(cells[k])),), what, conditions.free(read(cells[k : k + 1]))[1][0], unit)

        return Table(len(cells), lambda s: conditions.free(read(cells[s]))[0], feature)

    return {"cells": table(lit, energies, "cell", unit), "occupancies": table(sometimes, hits, "occupancy", "")}


def cell_name(spec: DataSpec, index: int) -> str:
    """Where a cell of a flat event lies, counted from 0.

    >>> from simulacra.batch import Field
    >>> cell_name(DataSpec("toy", "layers", Field((10,)), parts={"layer0": (2, 2), "layer1": (2, 3)}), 8)
    'layer1 cell row 1 column 1'
    """
    layers = (spec.geometry or {}).get("layers", [])
    for at, (name, part) in enumerate(spec.slices().items()):
        if part.start <= index < part.stop and len(spec.parts[name]) == 2:
            row, column = np.unravel_index(index - part.start, spec.parts[name])
            polar = at < len(layers) and layers[at].get("kind") == "polar"
            return f"{name} cell {'sector' if polar else 'row'} {row} {'ring' if polar else 'column'} {column}"
    place = np.unravel_index(index, spec.x.shape)
    if spec.layout == "image":
        channel = f"channel {place[0]} " if spec.x.shape[0] > 1 else ""
        return f"pixel {channel}row {place[1]} column {place[2]}"
    return f"cell {', '.join(str(k) for k in place)}"
