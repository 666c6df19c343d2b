"""Every layer of a detector cut in two, box by box, down to its cells: the order in which energy is shared out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from simulacra.domains.calorimeter.boxes import Box, overlaps, static_features

if TYPE_CHECKING:
    from simulacra.domains.calorimeter.geometry import Geometry, Layer


@dataclass(frozen=True, eq=False)
class Step:
    """Splits that are made at the same time: those of one layer at one level.

    Attributes:
        layer: its number.
        splits: [S] numbers of the splits.
        frontier: [F] boxes into which the layer is cut before this step; they cover it once.
    """

    layer: int
    splits: Tensor
    frontier: Tensor


@dataclass(frozen=True, eq=False)
class BoxTree:
    """Binary trees over the cells of every layer.

    Boxes are numbered: 0..V-1 the cells, V..K-1 the boxes that are split (split s is box V + s; deepest first), K a box
    that is always empty. Each split has a near and a far child; near is closer to the axis of the detector, and the
    positive side where the axis goes through the cut.

    A coordinate that earlier layers do not yet tell is split while the box is whole, since halves drawn independently
    could not share it: an axis of up to three cells goes first and wholly; otherwise the axis on which the layer
    is finest relative to what was known; then the axes alternate. Polar layers begin with the radius.

    Attributes:
        cells: V; `layers`: how many; `boxes`: K.
        layer, level, axis, near, far: [S] of each split; axis 0 cuts rows, 1 columns.
        roots: [L] the box of each whole layer.
        neighbours: [S, 4] boxes at the same level: before the near child, behind the far child, and both sides across.
        static: [S, F] where a split sits and what it looks like.
        moments: [K + 1, 4] mean of x, y, x^2, y^2 over the cells of a box, mm and mm^2.
        steps: in the order of sampling.
        previous: (target cell, source cell, share) of the layer before, by overlapping area.

    Example:
        >>> from simulacra.domains.calorimeter.geometry import LAR3
        >>> tree = BoxTree.of(LAR3)
        >>> tree.cells, tree.splits
        (504, 501)
        >>> energies = tree.sums(torch.ones(504, 1))
        >>> energies[tree.roots, 0]
        tensor([288., 144.,  72.])
    """

    cells: int
    layers: int
    layer: Tensor
    level: Tensor
    axis: Tensor
    near: Tensor
    far: Tensor
    roots: Tensor
    neighbours: Tensor
    static: Tensor
    moments: Tensor
    steps: tuple[Step, ...]
    previous: tuple[Tensor, Tensor, Tensor]
    _ranges: tuple[tuple[int, int], ...] = field(repr=False)

    @property
    def splits(self) -> int:
        return len(self.layer)

    @property
    def boxes(self) -> int:
        return self.cells + self.splits

    @staticmethod
    def of(geometry: Geometry) -> BoxTree:
        """Builds the tree of a detector; pure data, the same on every machine."""
        grown: list[list[Box]] = []
        known = [np.inf, np.inf]
        for number, layer in enumerate(geometry.layers):
            grown.append(_grow(layer, number, known))
            if layer.kind == "cartesian":
                known = [min(k, float(np.min(np.diff(e)))) for k, e in zip(known, layer.edges, strict=True)]
        return _assemble(geometry, grown)

    def sums(self, cells: Tensor) -> Tensor:
        """The energy of every box: cells [V, B] -> [K + 1, B]; the last row is zero."""
        out = cells.new_zeros(self.boxes + 1, cells.shape[1])
        out[: self.cells] = cells
        for first, last in self._ranges:
            out[self.cells + first : self.cells + last] = out[self.near[first:last]] + out[self.far[first:last]]
        return out

    def seen(self, cells: Tensor) -> Tensor:
        """Energy of the layer before in the area of each cell: [V, B] -> [V, B], zero in the first layer."""
        target, source, share = self.previous
        return torch.zeros_like(cells).index_add_(0, target, cells[source] * share[:, None].to(cells.dtype))


def _grow(layer: Layer, number: int, known: Sequence[float]) -> list[Box]:
    """All boxes of one layer, parents before children."""
    rows, columns = layer.shape
    whole = Box(number, tuple(range(rows)), tuple(range(columns)))
    first, wholly = _first_axis(layer, known)
    boxes, waiting = [whole], [(whole, first)]
    while waiting:
        box, axis = waiting.pop(0)
        if box.size == 1:
            continue
        if len(box.along(axis)) == 1:
            axis = 1 - axis
        box.axis = axis
        near, far = _halves(box.along(axis), layer, axis)
        box.children = (box.child(axis, near), box.child(axis, far))
        for child in box.children:
            boxes.append(child)
            stay = wholly and axis == first and len(child.along(axis)) > 1
            waiting.append((child, axis if stay else 1 - axis))
    return boxes


def _first_axis(layer: Layer, known: Sequence[float]) -> tuple[int, bool]:
    """The axis to begin with, and whether it is cut to its cells before the other one."""
    if layer.kind == "polar":
        return 1, False
    rows, columns = layer.shape
    if min(rows, columns) <= 3 < max(rows, columns):
        return (0 if rows <= 3 else 1), True
    pitch = [float(np.min(np.diff(edges))) for edges in layer.edges]
    span = [float(edges[-1] - edges[0]) for edges in layer.edges]
    gain = [min(k, s) / p for k, s, p in zip(known, span, pitch, strict=True)]
    return (0 if gain[0] >= gain[1] else 1), False


def _halves(line: tuple[int, ...], layer: Layer, axis: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A run of bins cut in two: near first."""
    edges = np.asarray(layer.edges[axis], dtype=float)
    n = len(line)
    if layer.kind == "polar":
        return line[: n // 2], line[n // 2 :]
    if line[-1] - line[0] >= n:  # two sides without their middle
        gap = next(i for i in range(1, n) if line[i] - line[i - 1] > 1)
        return line[gap:], line[:gap]
    low, high = edges[line[0]], edges[line[-1] + 1]
    middle = line[n // 2]
    tolerance = 1e-6 * (high - low)
    if n % 2 and abs(low + high) < tolerance and edges[middle] < 0 < edges[middle + 1]:
        core = max(1, (n // 2 - 1) | 1) if n > 3 else 1
        side = (n - core) // 2
        return line[side : side + core], line[:side] + line[side + core :]
    if low + high > tolerance:
        return line[: n // 2], line[n // 2 :]
    return line[n - n // 2 :], line[: n - n // 2]


def _assemble(geometry: Geometry, grown: list[list[Box]]) -> BoxTree:
    offsets = [0, *np.cumsum([int(np.prod(layer.shape)) for layer in geometry.layers]).tolist()]
    cells = offsets[-1]
    splits = sorted((b for boxes in grown for b in boxes if b.size > 1), key=lambda b: (-b.level, b.layer))
    for box in (b for boxes in grown for b in boxes if b.size == 1):
        box.number = offsets[box.layer] + box.rows[0] * geometry.layers[box.layer].shape[1] + box.columns[0]
    for at, box in enumerate(splits):
        box.number = cells + at
    void = cells + len(splits)

    x, y = (torch.as_tensor(np.asarray(v), dtype=torch.float64) for v in (geometry.x, geometry.y))
    per_cell = torch.stack([x, y, x * x, y * y], 1)
    moments = torch.zeros(void + 1, 4, dtype=torch.float64)
    neighbours = torch.full((len(splits), 4), void)
    steps: list[Step] = []
    for number, boxes in enumerate(grown):
        layer, start = geometry.layers[number], offsets[number]
        for box in boxes:
            moments[box.number] = per_cell[start + torch.as_tensor(box.cells(layer.shape[1]))].mean(0)
        frontier, label = [boxes[0]], np.full(layer.shape, boxes[0].number)
        while any(box.size > 1 for box in frontier):
            active = [box for box in frontier if box.size > 1]
            for box in active:
                sides = box.sides(layer, label, void)
                neighbours[box.number - cells] = torch.tensor(sides)
            steps.append(
                Step(
                    number, torch.tensor([b.number - cells for b in active]), torch.tensor([b.number for b in frontier])
                )
            )
            frontier = [part for box in frontier for part in (box.children or (box,))]
            for box in frontier:
                label[np.ix_(box.rows, box.columns)] = box.number
    levels = [box.level for box in splits]
    cuts = [0, *(i for i in range(1, len(splits)) if levels[i] != levels[i - 1]), len(splits)]
    children = [box.children for box in splits if box.children is not None]
    return BoxTree(
        cells=cells,
        layers=len(geometry.layers),
        layer=torch.tensor([b.layer for b in splits]),
        level=torch.tensor(levels),
        axis=torch.tensor([b.axis for b in splits]),
        near=torch.tensor([near.number for near, _ in children]),
        far=torch.tensor([far.number for _, far in children]),
        roots=torch.tensor([boxes[0].number for boxes in grown]),
        neighbours=neighbours,
        static=static_features(geometry, splits),
        moments=moments.float(),
        steps=tuple(steps),
        previous=overlaps(geometry, offsets),
        _ranges=tuple((a, b) for a, b in zip(cuts[:-1], cuts[1:], strict=True) if b > a),
    )
