"""Boxes of cells: what they cover, who lies beside them, how they look to a network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from simulacra.domains.calorimeter.geometry import Geometry, Layer


@dataclass(eq=False)
class Box:
    """Some rows times some columns of a layer, and how it is cut.

    Example:
        >>> Box(0, (0, 1), (4, 5)).cells(width=10)
        [4, 5, 14, 15]
    """

    layer: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    level: int = 0
    axis: int = -1
    number: int = -1
    children: tuple[Box, Box] | None = None

    @property
    def size(self) -> int:
        return len(self.rows) * len(self.columns)

    def along(self, axis: int) -> tuple[int, ...]:
        return self.columns if axis else self.rows

    def child(self, axis: int, keep: tuple[int, ...]) -> Box:
        rows, columns = (self.rows, keep) if axis else (keep, self.columns)
        return Box(self.layer, rows, columns, self.level + 1)

    def cells(self, width: int) -> list[int]:
        return [row * width + column for row in self.rows for column in self.columns]

    def sides(self, layer: Layer, label: np.ndarray, void: int) -> list[int]:
        """The boxes beside the middle of each side: before near, behind far, then across; `label` [rows, columns]."""
        assert self.children is not None
        near, far = (child.along(self.axis) for child in self.children)
        forward = near[0] < far[0]
        found = []
        for axis, flip in ((self.axis, not forward), (1 - self.axis, _leans_negative(layer, self, 1 - self.axis))):
            line = self.along(axis)
            pair = [
                self._beside(layer, label, axis, line[0] - 1, void),
                self._beside(layer, label, axis, line[-1] + 1, void),
            ]
            found += pair[::-1] if flip else pair
        return found

    def _beside(self, layer: Layer, label: np.ndarray, axis: int, at: int, void: int) -> int:
        other = self.along(1 - axis)
        across = other[len(other) // 2]
        bins = layer.shape[axis]
        if not 0 <= at < bins:
            line = self.along(axis)
            if line[-1] - line[0] >= len(line):  # two sides: what lies between them
                at = (line[0] + line[-1]) // 2
            elif layer.kind == "polar" and axis == 0 and len(line) < bins:
                at %= bins
            else:
                return void
        return int(label[(across, at) if axis else (at, across)])


def _leans_negative(layer: Layer, box: Box, axis: int) -> bool:
    low, high = _span(layer, box, axis)
    return layer.kind == "cartesian" and low + high < -1e-6 * (high - low)


def _span(layer: Layer, box: Box, axis: int) -> tuple[float, float]:
    edges, line = layer.edges[axis], box.along(axis)
    return float(edges[line[0]]), float(edges[line[-1] + 1])


def static_features(geometry: Geometry, boxes: Sequence[Box]) -> Tensor:
    """Where each box sits and how it is cut, about unit size: [S, 11 + layers]."""
    rows = []
    deepest = max((box.level for box in boxes), default=0) or 1
    for box in boxes:
        layer = geometry.layers[box.layer]
        (a, b), (c, d) = _span(layer, box, 0), _span(layer, box, 1)
        if layer.kind == "polar":
            angle, full = (a + b) / 2, len(box.rows) == layer.shape[0]
            place = [math.sin(angle), math.cos(angle), 0.0, math.asinh((c + d) / 20), float(full), float(c == 0)]
            extent = [math.log((b - a) * max((c + d) / 2, 1e-3)), math.log(d - c)]
        else:
            place = [math.asinh(abs(c + d) / 20), math.asinh(abs(a + b) / 20), np.sign(c + d), np.sign(a + b)]
            place += [float(c < 0 < d), float(a < 0 < b)]
            extent = [math.log(b - a), math.log(d - c)]
        hollow = [float(line[-1] - line[0] >= len(line)) for line in (box.along(box.axis),)]
        one_hot = [float(k == box.layer) for k in range(len(geometry.layers))]
        rows.append([*place, *((v - 3) / 2 for v in extent), float(box.axis), box.level / deepest, *hollow, *one_hot])
    return torch.tensor(np.array(rows, dtype=np.float32).reshape(len(boxes), 11 + len(geometry.layers)))


def overlaps(geometry: Geometry, offsets: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Which share of each cell's area of the layer before lies in a cell: target [N], source [N], share [N]."""
    target, source, share = [], [], []
    for number in range(1, len(geometry.layers)):
        mine, before = geometry.layers[number], geometry.layers[number - 1]
        if mine.kind == before.kind:
            rows, columns = (_common(m, b) for m, b in zip(mine.edges, before.edges, strict=True))
            both = np.einsum("ik,jl->ijkl", rows, columns).reshape(math.prod(mine.shape), math.prod(before.shape))
            t, s = np.nonzero(both > 1e-9)
            w = both[t, s]
        else:
            x, y = np.asarray(geometry.x), np.asarray(geometry.y)
            here, there = geometry.slices()[number], geometry.slices()[number - 1]
            t = np.hypot(x[here][:, None] - x[there], y[here][:, None] - y[there]).argmin(0)
            s, w = np.arange(len(t)), np.ones(len(t))
        target.append(t + offsets[number])
        source.append(s + offsets[number - 1])
        share.append(w)
    join = [np.concatenate(parts) if parts else np.zeros(0) for parts in (target, source, share)]
    return torch.as_tensor(join[0]).long(), torch.as_tensor(join[1]).long(), torch.as_tensor(join[2]).float()


def _common(mine: Sequence[float], before: Sequence[float]) -> np.ndarray:
    """Share of each earlier bin within each of mine: [mine, before]."""
    a, b = np.asarray(mine, dtype=float), np.asarray(before, dtype=float)
    low, high = np.maximum(a[:-1, None], b[None, :-1]), np.minimum(a[1:, None], b[None, 1:])
    return np.clip(high - low, 0, None) / np.diff(b)[None, :]
