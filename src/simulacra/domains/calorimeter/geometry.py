"""Where the cells of a calorimeter sit: layers of cells in x and y, or in radius and angle, and their mirrors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra.domains.calorimeter.layer import Layer, polar
from simulacra.errors import UserError, nearest

MIRRORS = ("x", "y")


@dataclass(frozen=True)
class Geometry:
    """A calorimeter: layers from the front to the back, and the mirrors under which its showers are the same.

    A mirror is listed only where the detector *and* the beam map onto themselves; then a shower and its mirror image
    are equally likely, and a model need learn only one of them.

    Attributes:
        name: such as `lar3`.
        layers: those that have cells.
        mirrors: among `x` and `y`.

    Example:
        >>> LAR3.cells, [layer.shape for layer in LAR3.layers]
        (504, [(3, 96), (12, 12), (12, 6)])
        >>> Geometry.from_json(LAR3.to_json()) == LAR3
        True

    Raises:
        UserError: no layers, two of one name, or a mirror that does not map cells onto cells.
    """

    name: str
    layers: tuple[Layer, ...]
    mirrors: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.layers:
            raise UserError(f"expected at least one layer with cells in the geometry {self.name!r}, came none; add one")
        if len({layer.name for layer in self.layers}) < len(self.layers):
            raise UserError(f"expected layers with different names in the geometry {self.name!r}; rename some")
        for axis in self.mirrors:
            if axis not in MIRRORS or any(layer.mirror(axis) is None for layer in self.layers):
                raise UserError(
                    f"expected mirrors that map cells onto cells, {axis!r} of {self.name} does not; drop it"
                )

    def __repr__(self) -> str:
        return f"Geometry({self.name}: {len(self.layers)} layers, {self.cells:,} cells, mirrors {self.mirrors})"

    @property
    def cells(self) -> int:
        return sum(layer.size for layer in self.layers)

    @property
    def parts(self) -> dict[str, tuple[int, int]]:
        """Name and shape of each layer, in the order of the flat shower."""
        return {layer.name: layer.shape for layer in self.layers}

    def slices(self) -> list[slice]:
        """Where each layer lies in the flat shower."""
        ends = np.cumsum([layer.size for layer in self.layers]).tolist()
        return [slice(end - layer.size, end) for end, layer in zip(ends, self.layers, strict=True)]

    @cached_property
    def layer_of(self) -> Tensor:
        """The index of each cell's layer, [V] int64."""
        return torch.cat([torch.full((layer.size,), i) for i, layer in enumerate(self.layers)])

    @cached_property
    def x(self) -> Tensor:
        """x of each cell's middle in mm, [V]."""
        return torch.cat([layer.centres()[0] for layer in self.layers])

    @cached_property
    def y(self) -> Tensor:
        """y of each cell's middle in mm, [V]."""
        return torch.cat([layer.centres()[1] for layer in self.layers])

    @cached_property
    def radius(self) -> Tensor:
        """Distance of each cell from the axis in mm, [V]."""
        return torch.cat([layer.radii() for layer in self.layers])

    def mirror(self, axis: str) -> Tensor:
        """The permutation `shower[:, mirror]` of the image under `axis -> -axis`, [V] int64."""
        found = [layer.mirror(axis) for layer in self.layers]
        kept = [m + part.start for m, part in zip(found, self.slices(), strict=True) if m is not None]
        if len(kept) < len(found):
            raise UserError(
                f"expected a geometry whose cells match under {axis} -> -{axis}, {self.name} does not; claim none"
            )
        return torch.cat(kept)

    def sum_layers(self, cells: Tensor) -> Tensor:
        """Sums over the cells of each layer: [B, V] -> [B, L]."""
        return torch.stack([cells[:, part].sum(1) for part in self.slices()], 1)

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "layers": [x.to_json() for x in self.layers], "mirrors": list(self.mirrors)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Geometry:
        """The geometry that `to_json` wrote.

        Raises:
            UserError: something is missing or of the wrong type.
        """
        try:
            layers = tuple(
                Layer(
                    str(one["name"]),
                    str(one["kind"]),
                    tuple(float(e) for e in one["rows"]),
                    tuple(float(e) for e in one["columns"]),
                    float(one["z"]),
                )
                for one in data["layers"]
            )
            return Geometry(str(data["name"]), layers, tuple(str(axis) for axis in data["mirrors"]))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"expected a geometry with name, layers and mirrors, came {error!r}; check it") from error


def _grid(count: int, half: float) -> tuple[float, ...]:
    return tuple(float(e) for e in np.linspace(-half, half, count + 1))


def _voxels(name: str, rings: Mapping[int, tuple[str, int]]) -> Geometry:
    layers = [polar(f"layer{i}", map(float, edges.split(",")), n) for i, (edges, n) in rings.items()]
    return Geometry(name, tuple(layers))


def _tungsten(name: str, angles: int, rings: int, width: float, start: float = -math.pi) -> Geometry:
    radii = [width * i for i in range(rings + 1)]
    layers = [polar(f"layer{i}", radii, angles, 3.4 * (i + 0.5), start) for i in range(45)]
    return Geometry(name, tuple(layers), ("x", "y"))


_SAMPLING = 6.0  # mm: 2 of lead, 4 of liquid argon
LAR3 = Geometry(
    "lar3",
    (
        Layer("layer0", "cartesian", _grid(3, 240), _grid(96, 240), _SAMPLING * 7.5),
        Layer("layer1", "cartesian", _grid(12, 240), _grid(12, 240), _SAMPLING * (15 + 29)),
        Layer("layer2", "cartesian", _grid(12, 240), _grid(6, 240), _SAMPLING * (73 + 3.5)),
    ),
    ("x", "y"),
)
"""80 x (2 mm Pb + 4 mm LAr), 480 mm square, in three layers of 15, 58 and 7 samplings: 504 cells."""

WSI45 = _tungsten("wsi45", 16, 9, 4.65, start=0.0)
"""90 x (1.4 mm W + 0.3 mm Si) scored in pairs: 45 layers of 16 sectors and 9 rings, 6,480 cells."""

DETECTORS: dict[str, Geometry] = {
    "lar3": LAR3,
    "wsi45": WSI45,
    "ds1-photons": _voxels(
        "ds1-photons",
        {
            0: ("0,5,10,30,50,100,200,400,600", 1),
            1: ("0,2,4,6,8,10,12,15,20,30,40,50,70,90,120,150,200", 10),
            2: ("0,2,5,10,15,20,25,30,40,50,60,80,100,130,160,200,250,300,350,400", 10),
            3: ("0,50,100,200,400,600", 1),
            12: ("0,100,200,400,1000,2000", 1),
        },
    ),
    "ds1-pions": _voxels(
        "ds1-pions",
        {
            0: ("0,5,10,30,50,100,200,400,600", 1),
            1: ("0,1,4,7,10,15,30,50,90,150,200", 10),
            2: ("0,5,10,20,30,50,80,130,200,300,400", 10),
            3: ("0,50,100,200,400,600", 1),
            12: ("0,10,20,30,50,80,100,130,160,200,250,300,350,400,1000,2000", 10),
            13: ("0,10,20,30,50,80,100,130,160,200,250,300,350,400,600,1000,2000", 10),
            14: ("0,50,100,150,200,250,300,400,600,1000,2000", 1),
        },
    ),
    "ds2": _tungsten("ds2", 16, 9, 4.65),
    "ds3": _tungsten("ds3", 50, 18, 2.325),
}
"""Built-in calorimeters; `ds1-photons` to `ds3` are the CaloChallenge's (Krause et al. 2024, arXiv 2410.21611)."""


def detector(name: str) -> Geometry:
    """The built-in calorimeter of that name.

    >>> detector("lar3").cells
    504

    Raises:
        UserError: there is none; names the nearest.
    """
    if name not in DETECTORS:
        raise UserError(f"expected a built-in detector or an .xml file, came {name!r}; {nearest(name, DETECTORS)}")
    return DETECTORS[name]


def detector_of(cells: int) -> Geometry | None:
    """The built-in calorimeter with that many cells; 6,480 is the CaloChallenge's data set 2.

    >>> detector_of(368).name, detector_of(7)
    ('ds1-photons', None)
    """
    found = [g for g in DETECTORS.values() if g.cells == cells]
    return next((g for g in found if g.name == "ds2"), found[0] if found else None)


def without_mirrors(geometry: Geometry) -> Geometry:
    """The same calorimeter with no symmetry claimed."""
    return replace(geometry, mirrors=())
