"""One layer of a calorimeter: cells in x and y, or in radius and angle."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra.errors import UserError

KINDS = ("cartesian", "polar")


@dataclass(frozen=True)
class Layer:
    """One layer of cells, `rows` by `columns`; in a flat shower the columns run fastest.

    Attributes:
        name: such as `layer0`.
        kind: `cartesian` (rows y, columns x, both in mm) or `polar` (rows angle in rad, columns radius in mm).
        rows: edges along the first axis, increasing.
        columns: edges along the second axis, increasing.
        z: depth of the layer's middle in mm; 0 where it is not known.

    Example:
        >>> Layer("layer0", "cartesian", (-1.0, 0.0, 1.0), (-3.0, 0.0, 3.0, 9.0)).shape
        (2, 3)
    """

    name: str
    kind: str
    rows: tuple[float, ...]
    columns: tuple[float, ...]
    z: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"expected a layer that is cartesian or polar, {self.name} is {self.kind!r}; choose one")
        for axis, edges in (("row", self.rows), ("column", self.columns)):
            rising = len(edges) > 1 and all(a < b for a, b in pairwise(edges))
            if not rising or not all(math.isfinite(e) for e in edges):
                raise UserError(
                    f"expected two or more finite, increasing {axis} edges in {self.name}, came {_short(edges)}; "
                    "check its edges"
                )
        if self.kind == "polar" and (self.columns[0] < 0 or self.rows[-1] - self.rows[0] > 2 * math.pi + 1e-6):
            raise UserError(f"expected radii from 0 up and angles within one turn in {self.name}; check its edges")

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows) - 1, len(self.columns) - 1

    @property
    def edges(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Edges of rows and of columns."""
        return self.rows, self.columns

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1]

    def bounds(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Lower and upper edge of each cell's row, then of its column: four times [rows * columns], float64."""
        rows, columns = torch.tensor(self.rows, dtype=torch.float64), torch.tensor(self.columns, dtype=torch.float64)
        low, left = torch.meshgrid(rows[:-1], columns[:-1], indexing="ij")
        high, right = torch.meshgrid(rows[1:], columns[1:], indexing="ij")
        return low.flatten(), high.flatten(), left.flatten(), right.flatten()

    def centres(self) -> tuple[Tensor, Tensor]:
        """x and y in mm of each cell's middle, [rows * columns]; a ring that closes on itself has its middle at 0."""
        low, high, left, right = self.bounds()
        row, column = (low + high) / 2, (left + right) / 2
        if self.kind == "cartesian":
            return column, row
        if len(self.rows) == 2 and self.rows[1] - self.rows[0] > 2 * math.pi - 1e-6:
            return torch.zeros_like(row), torch.zeros_like(row)
        return column * row.cos(), column * row.sin()

    def radii(self) -> Tensor:
        """Distance of each cell from the axis in mm, [rows * columns]; a closed ring's is its middle radius."""
        if self.kind == "polar":
            _, _, left, right = self.bounds()
            return (left + right) / 2
        x, y = self.centres()
        return torch.hypot(x, y)

    def mirror(self, axis: str) -> Tensor | None:
        """Which cell the mirror `axis -> -axis` puts in each place, [rows * columns]; None where cells do not match."""
        rows, columns = np.arange(self.shape[0]), np.arange(self.shape[1])
        if self.kind == "cartesian":
            edges = np.array(self.columns if axis == "x" else self.rows)
            if not np.allclose(edges, -edges[::-1], atol=1e-6):
                return None
            rows, columns = (rows, columns[::-1]) if axis == "x" else (rows[::-1], columns)
        else:
            found = self._mirrored_angles(math.pi if axis == "x" else 0.0)
            if found is None:
                return None
            rows = found
        return torch.from_numpy((rows[:, None] * self.shape[1] + columns[None, :]).reshape(-1).copy())

    def _mirrored_angles(self, turn: float) -> np.ndarray | None:
        """For each angular bin, the bin onto which `angle -> turn - angle` maps it."""
        edges = np.array(self.rows)
        if edges[-1] - edges[0] < 2 * math.pi - 1e-6:
            return None
        middles, widths = (edges[:-1] + edges[1:]) / 2, np.diff(edges)
        gap = np.abs((((turn - middles)[:, None] - middles[None, :]) + math.pi) % (2 * math.pi) - math.pi)
        best = gap.argmin(1)
        good = (gap.min(1) < 1e-6) & (np.abs(widths - widths[best]) < 1e-6)
        return best if good.all() or len(middles) == 1 else None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "rows": list(self.rows),
            "columns": list(self.columns),
            "z": self.z,
        }


def _short(edges: Iterable[float]) -> str:
    text = ", ".join(f"{e:g}" for e in edges)
    return text if len(text) <= 40 else text[:40] + "..."


def polar(name: str, radii: Iterable[float], angles: int, z: float = 0.0, start: float = -math.pi) -> Layer:
    """A layer of rings cut into `angles` equal sectors, the first of which begins at `start`.

    >>> polar("layer0", (0, 5, 10), 4).shape
    (4, 2)
    """
    turn = tuple(float(start + a) for a in np.linspace(0, 2 * math.pi, angles + 1))
    return Layer(name, "polar", turn, tuple(float(r) for r in radii), z)
