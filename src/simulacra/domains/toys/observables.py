"""What is read off a point: its coordinates, its radius and how far it is from the nearest mode."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from simulacra.batch import Batch, DataSpec
from simulacra.protocols import Observable


@dataclass
class Coordinate:
    """`x_d` of a flat event."""

    index: int
    name: str
    axis: str
    unit: str = ""

    def __call__(self, batch: Batch) -> Tensor:  # [B]
        return batch.x[:, self.index]


@dataclass
class Radius:
    """Distance from the origin."""

    name: str = "radius"
    axis: str = "distance from the origin"
    unit: str = ""

    def __call__(self, batch: Batch) -> Tensor:  # [B]
        return torch.linalg.vector_norm(batch.x, dim=1)


@dataclass
class ModeDistance:
    """Distance to the nearest mode, in units of the modes' width: Rayleigh distributed in the plane."""

    modes: tuple[tuple[float, ...], ...]
    sigma: float
    name: str = "mode_distance"
    axis: str = "distance to the nearest mode"
    unit: str = "sigma"

    def __call__(self, batch: Batch) -> Tensor:  # [B]
        return torch.cdist(batch.x, batch.x.new_tensor(self.modes)).amin(1) / self.sigma


def observables(spec: DataSpec) -> list[Observable]:
    """Coordinates of a flat event, its radius in more than one dimension, and the distance to known modes."""
    out: list[Observable] = [Coordinate(d, f"x{d}", f"coordinate {d}", spec.x.unit) for d in range(spec.x.size)]
    if spec.x.size > 1:
        out.append(Radius(unit=spec.x.unit))
    geometry = spec.geometry or {}
    if "modes" in geometry:
        out.append(ModeDistance(tuple(tuple(m) for m in geometry["modes"]), float(geometry["sigma"])))
    return out
