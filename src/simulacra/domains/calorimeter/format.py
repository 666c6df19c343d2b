"""Shower files: the CaloChallenge's HDF5 layout, read with suspicion, in memory or block by block from disk.

`showers` [N, V] and `incident_energies` [N, 1], both in MeV, cells flattened layer by layer with the last axis (x or
radius) fastest (Krause et al. 2024, arXiv 2410.21611). Files of several particles, angles, ... say so in the attribute
`conditions`, JSON: `{"particle": ["electron", "photon"], "angle": "deg"}` announces a data set `particle` [N] of whole
numbers 0 and 1 with their names, and a data set `angle` [N] of numbers with their unit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains.calorimeter.conditions import conditions_in, conditions_out
from simulacra.domains.calorimeter.geometry import DETECTORS, Geometry, detector_of
from simulacra.domains.calorimeter.geometry import detector as built_in
from simulacra.domains.calorimeter.xml import read_xml
from simulacra.domains.dataset import ArrayDataset
from simulacra.errors import UserError
from simulacra.io import hdf5

SHOWERS, ENERGIES = "showers", "incident_energies"
MOST = 1e12
"""MeV: no cell and no particle has more."""

MEMORY = 2 << 30
"""Bytes of showers that `load` holds in memory; larger files stay on disk."""


def spec_of(geometry: Geometry, name: str, energies: tuple[float, float] | None = None, rows: int = 0) -> DataSpec:
    """The physical description of showers in a calorimeter.

    >>> from simulacra.domains.calorimeter.geometry import LAR3
    >>> spec_of(LAR3, "electrons").parts["layer0"]
    (3, 96)
    """
    return DataSpec(
        name,
        "layers",
        Field((geometry.cells,), unit="MeV"),
        {"energy": Field((1,), unit="MeV", range=energies)},
        geometry.parts,
        geometry.to_json(),
        rows,
    )


class ShowerFile:
    """Showers that stay on disk and are read by row.

    The whole file is checked once, when it is opened.

    Attributes:
        spec: what a shower is.
        geometry: of the calorimeter.
        attributes: what the file says of itself.

    Raises:
        UserError: the file is not what `load` accepts, or has changed since.
    """

    def __init__(self, path: str | Path, detector: str | Path | Geometry | None = None) -> None:
        self.path = Path(path)
        with hdf5.reading(self.path) as file:
            showers, energies = _arrays(file)
            self.attributes = hdf5.attributes(file)
            self.geometry = _geometry(self.path, showers.shape[1], self.attributes.get("geometry"), detector)
            self._chunk = showers.chunks[0] if showers.chunks else 256
            low, high = np.inf, 0.0
            of_x, of_energy = hashlib.sha256(), hashlib.sha256()
            for x, energy in _checked(showers, energies, 0, len(showers)):
                of_x.update(x.astype("<f4").tobytes())
                of_energy.update(energy.astype("<f4").tobytes())
                low, high = min(low, float(energy.min())), max(high, float(energy.max()))
            content = json.dumps(self.geometry.to_json(), sort_keys=True).encode() + of_x.digest() + of_energy.digest()
            spec = spec_of(self.geometry, self.path.stem, (low, high), len(showers))
            self.others, fields = conditions_in(file, self.attributes, len(showers))
            for name, value in self.others.items():
                content += json.dumps([name, fields[name].to_json()]).encode() + value.numpy().tobytes()
        digest = hashlib.sha256(content).hexdigest()
        self.spec = replace(spec, given={**spec.given, **fields}, fingerprint=digest)

    def __len__(self) -> int:
        return self.spec.rows

    def __repr__(self) -> str:
        return f"ShowerFile({self.path}: {len(self):,} showers of {self.geometry.cells:,} cells)"

    def __getitem__(self, rows: Any) -> Batch:
        """The showers at `rows`: a slice, a LongTensor, an array or a list of row numbers, or a boolean mask."""
        if isinstance(rows, slice):
            wanted = np.arange(len(self))[rows]
        else:
            wanted = np.atleast_1d(np.asarray(rows))
            wanted = np.flatnonzero(wanted) if wanted.dtype == bool else wanted.astype(np.int64)
        wanted = np.where(wanted < 0, wanted + len(self), wanted)
        if wanted.size and not (wanted.min() >= 0 and wanted.max() < len(self)):
            raise IndexError(f"expected rows below {len(self)}, came {int(wanted.max())}")
        x = np.empty((len(wanted), self.geometry.cells), np.float32)
        energy = np.empty((len(wanted), 1), np.float32)
        with hdf5.reading(self.path) as file:
            arrays = _arrays(file)
            for start in np.unique(wanted // self._chunk) * self._chunk:
                here = (wanted >= start) & (wanted < start + self._chunk)
                first, last = int(wanted[here].min()), int(wanted[here].max()) + 1
                for block_x, block_energy in _checked(*arrays, first, last, last - first):
                    x[here], energy[here] = block_x[wanted[here] - first], block_energy[wanted[here] - first]
        others = {name: value[torch.from_numpy(wanted)] for name, value in self.others.items()}
        return Batch(torch.from_numpy(x), {"energy": torch.from_numpy(energy), **others})

    def blocks(self, size: int = 4096) -> Iterator[Batch]:
        """All showers in order, `size` at a time: memory does not grow with the file."""
        for start in range(0, len(self), size):
            yield self[start : start + size]


def load(path: str | Path, detector: str | Path | Geometry | None = None) -> ArrayDataset | ShowerFile:
    """The showers in a file: in memory where they take less than 2 GiB, else read from disk when asked for.

    Args:
        path: of an HDF5 file.
        detector: the calorimeter: a built-in name, the path of a binning file (.xml) or a `Geometry`; where None, what
            the file's attribute `geometry` says, or the built-in calorimeter with that many cells.

    Raises:
        UserError: one line that says what is wrong with the file.
    """
    file = ShowerFile(path, detector)
    if 4 * len(file) * file.geometry.cells > MEMORY:
        return file
    return ArrayDataset(file.spec, file[:])


def save(
    path: str | Path,
    batch: Batch,
    geometry: Geometry,
    attrs: Mapping[str, Any] = {},
    level: int = 4,
    given: Mapping[str, Field] = {},
) -> None:
    """Writes showers in the CaloChallenge's layout: they appear whole at `path`, checksummed, or not at all.

    Args:
        path: ending in .h5 or .hdf5.
        batch: x [B, V] MeV and given["energy"] [B, 1] MeV.
        geometry: written as its name where it is built in, as JSON otherwise.
        attrs: further attributes, text or numbers (particle, engine, ...).
        level: of gzip, 0 to 9.
        given: what the conditions in batch.given are; those that it describes are written beside the energy.

    Raises:
        UserError: the showers are not finite and non-negative, do not fit the geometry, or cannot be written.
    """
    path = Path(path)
    if path.suffix not in (".h5", ".hdf5"):
        raise UserError(f"expected a file name that ends in .h5 or .hdf5, came {path.name!r}; rename it")
    x, energy = batch.x.detach().cpu().float().numpy(), batch.given["energy"].detach().cpu().float().numpy()
    if x.shape != (len(batch), geometry.cells) or energy.shape != (len(batch), 1):
        raise UserError(
            f"expected showers of {geometry.cells} cells with one energy each, came {x.shape}, {energy.shape}"
        )
    _check_values(x, energy, 0, "the showers to save")
    known = DETECTORS.get(geometry.name) == geometry
    said = {"geometry": geometry.name if known else json.dumps(geometry.to_json()), "unit": "MeV"}
    others, told = conditions_out(batch.given, given)
    hdf5.write(path, {SHOWERS: x, ENERGIES: energy, **others}, {**attrs, **said, **told}, level)


def _arrays(file: h5py.File) -> tuple[h5py.Dataset, h5py.Dataset]:
    showers, energies = hdf5.numbers(file, SHOWERS), hdf5.numbers(file, ENERGIES)
    if showers.ndim != 2:
        raise UserError(
            f"expected showers of shape (N, cells), {file.filename} has {showers.shape}; flatten each shower"
        )
    if energies.shape[1:] not in ((), (1,)):
        raise UserError(
            f"expected incident_energies of shape (N, 1), {file.filename} has {energies.shape}; reshape them"
        )
    if len(showers) != len(energies):
        raise UserError(
            f"expected as many incident_energies as showers, {file.filename} has {len(energies)} and {len(showers)}; "
            "write one energy per shower"
        )
    if len(showers) == 0 or showers.shape[1] == 0:
        raise UserError(f"expected at least one shower, {file.filename} is empty; write some")
    return showers, energies


def _checked(
    showers: h5py.Dataset, energies: h5py.Dataset, start: int, stop: int, size: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    size = size or max(1, (1 << 24) // showers.shape[1] // 4)
    for at in range(start, stop, size):
        rows = slice(at, min(at + size, stop))
        x, energy = hdf5.read_rows(showers, rows), hdf5.read_rows(energies, rows).reshape(-1, 1)
        _check_values(x, energy, at, str(showers.file.filename))
        yield x, energy


def _check_values(x: np.ndarray, energy: np.ndarray, start: int, where: str) -> None:
    for values, name, good, rule in (
        (x, SHOWERS, (x >= 0) & (x <= MOST), f"from 0 to {MOST:g}"),
        (energy, ENERGIES, (energy > 0) & (energy <= MOST), f"above 0 and up to {MOST:g}"),
    ):
        if not good.all():
            row = int(np.argwhere(~good)[0][0])
            raise UserError(
                f"expected {name} {rule} MeV, row {start + row} of {where} has {values[~good][0]:g}; remove that shower"
            )


def _geometry(path: Path, cells: int, said: Any, asked: str | Path | Geometry | None) -> Geometry:
    geometry = None
    if isinstance(asked, Geometry):
        geometry = asked
    elif asked is not None:
        geometry = read_xml(asked) if str(asked).endswith(".xml") else built_in(str(asked))
    elif isinstance(said, str) and said.startswith("{"):
        try:
            geometry = Geometry.from_json(json.loads(said))
        except (json.JSONDecodeError, RecursionError) as error:
            raise UserError(f"expected a geometry as JSON in {path}, it does not parse; give a detector") from error
    elif isinstance(said, str) and said in DETECTORS:
        geometry = DETECTORS[said]
    else:
        geometry = detector_of(cells)
    if geometry is None:
        known = ", ".join(f"{name} {g.cells}" for name, g in DETECTORS.items())
        raise UserError(
            f"expected showers of a known detector ({known}), {path} has {cells} cells; give a detector (.xml)"
        )
    if geometry.cells != cells:
        raise UserError(
            f"expected showers of {geometry.cells} cells as {geometry.name} has, {path} has {cells}; "
            "give the detector they come from"
        )
    return geometry
