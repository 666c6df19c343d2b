"""Every layer of a detector cut in two, box by box, down to its cells: the order in which energy is shared out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from simulacra.domains.calorimeter.boxes import Box, overlaps, static_features

if TYPE_CHECKING:
    from simulacra.domains.calorimeter.geometry import Geometry, Layer


class Step(NamedTuple):
    """Splits `first` to `last` of one layer at one level: they are made at the same time."""

    layer: int
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class BoxTree:
    """Binary trees over the cells of every layer: pure data.

    Boxes are numbered: 0..V-1 the cells, V..K-1 the boxes that are split (split s is box V + s; deepest first, then by
    layer), K a box that is always empty. Each split has a near and a far child; near is closer to the axis of the
    detector, and the positive side where the axis goes through the cut.

    A coordinate that earlier layers do not yet tell is split while the box is whole, since halves drawn independently
    could not share it: an axis of up to three cells goes first and wholly; otherwise the axis on which the layer is
    finest relative to what was known; then the axes alternate. Polar layers begin with the radius.

    Attributes:
        cells: V.
        layers: L.
        layer, axis, near, far: [S] of each split; axis 0 cuts rows, 1 columns.
        roots: [L] the box of each whole layer.
        neighbours: [S, 4] boxes at the same level: beyond the near child, beyond the far child, and both sides across.
        static: [S, F] where a split sits and what it looks like.
        previous: (target cell, source cell, share) of the layer before, by overlapping area.
        levels: splits `first` to `last` of each level, deepest first: children come before parents.
        steps: in the order of sampling.

    Example:
        >>> from simulacra.domains.calorimeter.geometry import LAR3
        >>> tree = BoxTree.of(LAR3)
        >>> tree.cells, len(tree.layer), tree.steps[0]
        (504, 501, Step(layer=0, first=498, last=499))
    """

    cells: int
    layers: int
    layer: Tensor
    axis: Tensor
    near: Tensor
    far: Tensor
    roots: Tensor
    neighbours: Tensor
    static: Tensor
    previous: tuple[Tensor, Tensor, Tensor]
    levels: tuple[tuple[int, int], ...]
    steps: tuple[Step, ...]

    @staticmethod
    def of(geometry: Geometry) -> BoxTree:
        """Builds the tree of a detector, the same on every machine."""
        grown: list[list[Box]] = []
        known = [math.inf, math.inf]
        for number, layer in enumerate(geometry.layers):
            grown.append(_grow(layer, number, known))
            if layer.kind == "cartesian":
                known = [min(k, float(np.min(np.diff(e)))) for k, e in zip(known, layer.edges, strict=True)]
        return _assemble(geometry, grown)


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
    offsets = [part.start for part in geometry.slices()]
    cells = geometry.cells
    splits = sorted((b for boxes in grown for b in boxes if b.size > 1), key=lambda b: (-b.level, b.layer))
    for at, box in enumerate(splits):
        box.number = cells + at
    for box in (b for boxes in grown for b in boxes if b.size == 1):
        box.number = offsets[box.layer] + box.cells(geometry.layers[box.layer].shape[1])[0]
    void = cells + len(splits)
    neighbours = torch.full((len(splits), 4), void)
    for layer, boxes in zip(geometry.layers, grown, strict=True):
        label, frontier = np.full(layer.shape, boxes[0].number), [boxes[0]]
        while frontier:
            for box in frontier:
                label[np.ix_(box.rows, box.columns)] = box.number
            frontier = [box for box in frontier if box.children is not None]
            for box in frontier:
                neighbours[box.number - cells] = torch.tensor(box.sides(layer, label, void))
            frontier = [child for box in frontier for child in box.children or ()]
    children = [box.children for box in splits if box.children is not None]
    levels = _runs([box.level for box in splits])
    runs = _runs([(box.level, box.layer) for box in splits])
    steps = sorted((Step(splits[a].layer, a, b) for a, b in runs), key=lambda step: (step.layer, -step.first))
    return BoxTree(
        cells=cells,
        layers=len(grown),
        layer=torch.tensor([b.layer for b in splits], dtype=torch.long),
        axis=torch.tensor([b.axis for b in splits], dtype=torch.long),
        near=torch.tensor([near.number for near, _ in children], dtype=torch.long),
        far=torch.tensor([far.number for _, far in children], dtype=torch.long),
        roots=torch.tensor([boxes[0].number for boxes in grown]),
        neighbours=neighbours,
        static=static_features(geometry, splits),
        previous=overlaps(geometry, offsets),
        levels=levels,
        steps=tuple(steps),
    )


def _runs(keys: Sequence[object]) -> tuple[tuple[int, int], ...]:
    """Where equal neighbouring keys begin and end.

    >>> _runs("aab")
    ((0, 2), (2, 3))
    """
    starts = [i for i in range(len(keys)) if i == 0 or keys[i] != keys[i - 1]]
    return tuple(zip(starts, [*starts[1:], len(keys)], strict=True)) if starts else ()
