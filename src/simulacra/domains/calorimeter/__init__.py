"""Calorimeter showers: energies deposited by a particle in the cells of a detector."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from simulacra.batch import Batch, DataSpec
from simulacra.domains.calorimeter.codec import ShowerCodec
from simulacra.domains.calorimeter.format import ShowerFile, load, save, spec_of
from simulacra.domains.calorimeter.geometry import DETECTORS, LAR3, WSI45, Geometry, detector
from simulacra.domains.calorimeter.layer import Layer
from simulacra.domains.calorimeter.observables import observables
from simulacra.domains.calorimeter.xml import read_xml
from simulacra.domains.dataset import ArrayDataset
from simulacra.errors import UserError, nearest

__all__ = [
    "BUNDLED",
    "DETECTORS",
    "LAR3",
    "WSI45",
    "Geometry",
    "Layer",
    "ShowerCodec",
    "ShowerFile",
    "detector",
    "load",
    "observables",
    "open_bundled",
    "open_showers",
    "read_xml",
    "save",
    "simulator_ms",
    "spec_of",
]

BUNDLED = ("electrons",)
"""Data sets that come with the package."""


def open_showers(path: str | Path, detector: str | Path | Geometry | None = None) -> ArrayDataset | ShowerFile:
    """The showers in an HDF5 file; see `load`."""
    return load(path, detector)


def open_bundled(name: str = "electrons") -> ArrayDataset | ShowerFile:
    """Showers that come with the package.

    `electrons`: electrons of 1 to 50 GeV in the calorimeter `lar3`, simulated with Geant4. Physics tables converted
    from NIST data and not compared with a full Geant4 installation; no fluorescence, no hadronic physics, no noise;
    deposits below 1e-3 MeV are left out.

    >>> open_bundled("electrons").spec.x.shape
    (504,)

    Raises:
        UserError: no such data set is bundled.
    """
    if name not in BUNDLED:
        raise UserError(f"expected bundled showers, came {name!r}; {nearest(name, BUNDLED)}")
    with as_file(files(__name__) / "data" / f"{name}.h5") as path:
        data = ShowerFile(path)
        return ArrayDataset(data.spec, data[:])


GEANT4_MS_PER_GEV = {"lar3": 8.5}
"""Geant4 11.4.1 with standard electromagnetic physics, per GeV of an electron or photon on one quiet core."""


def simulator_ms(spec: DataSpec, events: Batch) -> float | None:
    """What a shower of this energy spectrum costs in Geant4, in ms on one core; `None` where it was not measured."""
    cost = GEANT4_MS_PER_GEV.get((spec.geometry or {}).get("name", ""))
    return None if cost is None else cost * float(events.given["energy"].mean()) / 1000
