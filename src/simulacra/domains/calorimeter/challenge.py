"""What the CaloChallenge reads off a shower, and showers read block by block: no file is ever whole in memory.

Written from the public layout of its files and from descriptions of its definitions (Krause et al. 2024, arXiv
2410.21611); none of its code was copied. Ranges of histograms, and the threshold of data set 1, are stated here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from simulacra.batch import Batch
from simulacra.domains.calorimeter.format import ShowerFile
from simulacra.domains.calorimeter.geometry import DETECTORS, Geometry, detector
from simulacra.domains.calorimeter.quantities import ratio
from simulacra.domains.calorimeter.xml import read_xml
from simulacra.errors import UserError

THRESHOLDS = {"ds1-photons": 10.0, "ds1-pions": 10.0, "ds2": 0.5e-3 / 0.033, "ds3": 0.5e-3 / 0.033}
"""MeV above which a voxel counts as hit: 15.15 keV in data sets 2 and 3 as published, 10 MeV in 1 stated by us."""

HADRONIC = 12
"""Layers of data set 1 from this number on belong to the hadronic calorimeter and get wider histograms."""

BLOCK = 1 << 24
"""Voxels that are held at a time."""


@dataclass(frozen=True)
class Bins:
    """Equal bins, of the value or of its logarithm; `None` stands for what the reference has.

    Attributes:
        low, high: the range; count: of bins.
        log: whether bins are equal in log10.
    """

    low: float | None
    high: float | None
    count: int
    log: bool = False


@dataclass(frozen=True, eq=False)
class ChallengeObservable:
    """An observable of the challenge: one number per shower, or one per layer.

    Attributes:
        name: such as `EC_eta`.
        unit: such as `mm`; empty where there is none.
        axis: the label of a histogram's axis.
        layers: name of each column's layer; empty for single numbers.
        bins: of each column.
        read: the function itself.
    """

    name: str
    unit: str
    axis: str
    layers: tuple[str, ...]
    bins: tuple[Bins, ...]
    read: Callable[[Batch], Tensor] = field(repr=False)

    def __call__(self, batch: Batch) -> Tensor:
        """[B] or [B, layers], float32."""
        return self.read(batch).to(torch.float32)


class _Moments:
    """Sums over each layer's voxels of energy times 1, eta, phi, r and their squares; kept while the batch lives."""

    def __init__(self, geometry: Geometry) -> None:
        x, y, r = geometry.x, geometry.y, geometry.radius
        self.parts = geometry.slices()
        self.weights = torch.stack([torch.ones_like(x), x, x**2, y, y**2, r, r**2], 1)
        self.seen: WeakKeyDictionary[Batch, Tensor] = WeakKeyDictionary()

    def __call__(self, batch: Batch) -> Tensor:  # [B, L, 7]
        if batch not in self.seen:
            sums = [batch.x[:, p].double() @ self.weights[p] for p in self.parts]
            self.seen[batch] = torch.stack(sums, 1)
        return self.seen[batch]


def observables(geometry: Geometry, threshold: float = 0.0) -> list[ChallengeObservable]:
    """The challenge's observables of showers in a calorimeter, by its names.

    `E_tot/E_inc`; `E_layer`, MeV; `EC_eta`, `EC_phi`: sum_i E_i x_i / sum_i E_i over a layer's voxels, with eta = r cos
    alpha and phi = r sin alpha in mm at a voxel's middle, in layers that are cut in alpha; `EC_r` with x = r where all
    layers are; `width_...`: sqrt(<x^2> - <x>^2); `sparsity`: the share of a layer's voxels at or below the threshold.
    Centres and widths of a layer without energy are 0.

    Args:
        threshold: MeV, of the sparsity only.

    Example:
        >>> from simulacra.domains.calorimeter.geometry import DETECTORS
        >>> found = {o.name: o for o in observables(DETECTORS["ds1-photons"], 1.0)}
        >>> found["EC_eta"].layers, found["sparsity"].layers[-1]
        (('layer1', 'layer2'), 'layer12')
        >>> batch = Batch(torch.ones(1, 368), {"energy": torch.tensor([[736.0]])})
        >>> found["E_tot/E_inc"](batch).item(), found["sparsity"](batch)[0].tolist()
        (0.5, [1.0, 1.0, 1.0, 1.0, 1.0])

    Krause et al., CaloChallenge (2024, arXiv 2410.21611).
    """
    sums, names = _Moments(geometry), tuple(layer.name for layer in geometry.layers)
    turned = [i for i, layer in enumerate(geometry.layers) if layer.shape[0] > 1]
    cut = tuple(names[i] for i in turned)
    everywhere = tuple(Bins(threshold or None, None, 40, log=True) for _ in names)
    deep = [_number(name) >= HADRONIC and len(names) < 20 for name in cut]
    wide = 100.0 if len(names) < 20 else 30.0
    centres = tuple(Bins(-500.0, 500.0, 100) if d else Bins(-30.0, 30.0, 100) for d in deep)
    widths = tuple(Bins(0.0, 400.0, 100) if d else Bins(0.0, wide, 100) for d in deep)

    def centre(batch: Batch, at: int) -> Tensor:
        held = sums(batch)[:, turned]
        return ratio(held[..., at], held[..., 0])

    def width(batch: Batch, at: int) -> Tensor:
        return (centre(batch, at + 1) - centre(batch, at) ** 2).clamp(min=0).sqrt()

    def sparsity(batch: Batch) -> Tensor:
        return torch.stack([(batch.x[:, p] <= threshold).float().mean(1) for p in sums.parts], 1)

    O = ChallengeObservable  # noqa: E741
    out = [
        O("E_tot/E_inc", "", "deposited / incident energy", (), (Bins(0.5, 1.5, 100),),
          lambda b: sums(b)[..., 0].sum(1) / b.given["energy"][:, 0].double()),
        O("E_layer", "MeV", "energy in the layer / MeV", names, everywhere, lambda b: sums(b)[..., 0]),
    ]  # fmt: skip
    axes = [("eta", 1), ("phi", 3)] + ([("r", 5)] if len(cut) == len(names) else [])
    for axis, at in axes if cut else []:
        bins = centres if axis != "r" else widths
        out += [
            O(f"EC_{axis}", "mm", f"centre of energy in {axis} / mm", cut, bins, lambda b, k=at: centre(b, k)),
            O(f"width_{axis}", "mm", f"width in {axis} / mm", cut, widths, lambda b, k=at: width(b, k)),
        ]
    share = tuple(Bins(0.0, 1.0, 20) for _ in names)
    out.append(O("sparsity", "", "share of voxels without a hit", names, share, sparsity))
    return out


def _number(layer: str) -> int:
    digits = "".join(c for c in layer if c.isdigit())
    return int(digits) if digits else 0


def voxel_counts(batch: Batch, edges: Sequence[float] | np.ndarray, threshold: float) -> Tensor:
    """How many of each shower's voxels above the threshold lie in each bin, [B, K + 2]: before, in and after K bins.

    >>> voxel_counts(Batch(torch.tensor([[0.0, 1.5, 1.7, 9.0]])), [1.0, 2.0, 3.0], 0.5).tolist()
    [[0, 2, 0, 1]]
    """
    size = len(edges) + 1
    event, voxel = torch.nonzero(batch.x > threshold, as_tuple=True)
    place = torch.bucketize(batch.x[event, voxel].double(), torch.as_tensor(edges, dtype=torch.float64), right=True)
    return torch.bincount(event * size + place, minlength=len(batch) * size).view(len(batch), size)


def data_set(name: str) -> tuple[Geometry, float]:
    """The geometry and the threshold in MeV of a data set: a built-in name, or a binning file (.xml).

    >>> geometry, threshold = data_set("ds2")
    >>> geometry.cells, round(1000 * threshold, 2)
    (6480, 15.15)

    Raises:
        UserError: there is no such data set, or the file is not as `read_xml` wants it.
    """
    geometry = read_xml(name) if name.endswith(".xml") else detector(name)
    if any(layer.kind != "polar" for layer in geometry.layers):
        known = ", ".join(n for n, g in DETECTORS.items() if g.layers[0].kind == "polar")
        raise UserError(f"expected a data set with voxels in r and alpha, came {name!r}; choose among {known}, or .xml")
    return geometry, THRESHOLDS.get(geometry.name, 0.0)


@dataclass(frozen=True, eq=False)
class Table:
    """What was read off the showers of a file.

    Attributes:
        energy: incident, MeV, [n].
        values: of each observable, [n, columns] float32.
        largest: voxel, MeV.
    """

    energy: np.ndarray
    values: dict[str, np.ndarray]
    largest: float

    def features(self) -> np.ndarray:
        """What the challenge's high-level classifier, FPD and KPD see, [n, D].

        log10 of the incident energy, log10(E + 1e-8) of each layer's, centres and widths in eta and phi over 100 mm.
        """
        columns = [np.log10(self.energy)[:, None], np.log10(self.values["E_layer"].astype(np.float64) + 1e-8)]
        names = ("EC_eta", "EC_phi", "width_eta", "width_phi")
        columns += [self.values[name] / 100.0 for name in names if name in self.values]
        return np.concatenate(columns, axis=1)


def blocks(file: ShowerFile, rows: range) -> Any:
    """The showers in `rows` in order, some `BLOCK` voxels at a time."""
    step = max(1, BLOCK // file.geometry.cells)
    for start in range(rows.start, rows.stop, step):
        yield file[start : min(start + step, rows.stop)]


def read_table(file: ShowerFile, rows: range, observed: Sequence[ChallengeObservable]) -> Table:
    """Every observable of the showers in `rows`, in one pass."""
    energy: list[np.ndarray] = []
    values: dict[str, list[np.ndarray]] = {o.name: [] for o in observed}
    largest = 0.0
    for batch in blocks(file, rows):
        energy.append(batch.given["energy"][:, 0].double().numpy())
        largest = max(largest, float(batch.x.max()))
        for o in observed:
            values[o.name].append(o(batch).reshape(len(batch), -1).numpy())
    return Table(np.concatenate(energy), {k: np.concatenate(v) for k, v in values.items()}, largest)


def read_voxels(file: ShowerFile, rows: range, edges: np.ndarray, threshold: float) -> np.ndarray:
    """`voxel_counts` of the showers in `rows`, in one pass, [n, K + 2]."""
    return np.concatenate([voxel_counts(batch, edges, threshold).numpy() for batch in blocks(file, rows)])


class Scratch:
    """Voxels over the incident energy as the challenge's low-level classifier sees them, unpacked on disk for reading
    rows in any order; the last column is log10 of the incident energy in MeV.

    Args:
        stream: an open binary file, empty (`tempfile.TemporaryFile()`); it is written at once.
    """

    def __init__(self, stream: IO[bytes], file: ShowerFile, rows: range) -> None:
        self.stream, self.rows, self.columns = stream, len(rows), file.geometry.cells + 1
        for batch in blocks(file, rows):
            energy = batch.given["energy"]
            stream.write(torch.cat([batch.x / energy, energy.log10()], 1).numpy().tobytes())
        stream.flush()

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """The showers at `rows`, [len(rows), voxels + 1] float32."""
        out = np.empty((len(rows), self.columns), np.float32)
        for k, row in enumerate(rows):
            self.stream.seek(4 * self.columns * int(row))
            out[k] = np.frombuffer(self.stream.read(4 * self.columns), np.float32)
        return out


def open_file(path: str | Path, geometry: Geometry) -> ShowerFile:
    """The showers of a file in this calorimeter, checked once and left on disk.

    Raises:
        UserError: the file is not what `format.load` accepts, or has other voxels.
    """
    return ShowerFile(path, geometry)
