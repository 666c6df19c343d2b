"""What a calorimeter specialist reads off a shower: energies, positions, widths, occupancies, hottest cells, profiles.

Every observable is finite for every shower: fractions, positions, widths and shares of a layer without energy are 0.
Definitions follow CaloGAN (Paganini et al. 2018, arXiv 1712.10321) and the CaloChallenge (2024, arXiv 2410.21611).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from simulacra.batch import Batch, DataSpec
from simulacra.domains.calorimeter.geometry import Geometry
from simulacra.domains.calorimeter.quantities import CORES, RANKS, Reader, cores, ratio

LEVELS = (0.0, 0.1, 1.0)
"""MeV above which a cell counts as hit."""


@dataclass(frozen=True, eq=False)
class ShowerObservable:
    """A number (or K numbers) per shower of a physical batch.

    Attributes:
        name: such as `E_tot`, as in tables of results.
        unit: such as `MeV`; empty where there is none.
        axis: the label of a histogram's axis.
        read: the function itself.
        edges: bins of the K numbers where they are a profile or a spectrum; empty for single numbers.
    """

    name: str
    unit: str
    axis: str
    read: Callable[[Batch], Tensor] = field(repr=False)
    edges: tuple[float, ...] = ()

    def __call__(self, batch: Batch) -> Tensor:
        """[B] or [B, K], float32."""
        return self.read(batch).to(torch.float32)


def scalars(spec: DataSpec) -> list[ShowerObservable]:
    """The observables that are one number per shower: those that histograms and classifiers read."""
    geometry = Geometry.from_json(spec.geometry or {})
    return _scalars(Reader(geometry))


def _scalars(read: Reader) -> list[ShowerObservable]:
    O = ShowerObservable  # noqa: E741
    out = [
        O("E_tot", "MeV", "deposited energy", read.total),
        O("response", "", "deposited / incident energy", lambda b: read.total(b) / b.given["energy"][:, 0].double()),
        O("depth", "layers", "mean layer, energy-weighted", lambda b: read.depth(b, 1)),
        O(
            "depth_width",
            "layers",
            "spread over layers",
            lambda b: (read.depth(b, 2) - read.depth(b, 1) ** 2).clamp(min=0).sqrt(),
        ),
    ]
    for r in read.regions:
        n, label = r.name, r.label
        out.append(O(f"E_{n}", "MeV", f"energy in {label}", lambda b, n=n: read.linear(b, f"E/{n}")))
        out.append(
            O(
                f"f_{n}",
                "",
                f"share of the energy in {label}",
                lambda b, n=n: ratio(read.linear(b, f"E/{n}"), read.total(b)),
            )
        )
        for level in LEVELS:
            name = f"occupancy_{n}" if level == 0 else f"occupancy_{level:g}MeV_{n}"
            axis = f"share of cells above {level:g} MeV in {label}"
            out.append(O(name, "", axis, lambda b, r=r, level=level: (b.x[:, r.part] > level).float().mean(1)))
        for axis in ("x", "y"):
            out.append(O(f"{axis}_{n}", "mm", f"centre in {axis}, {label}", lambda b, a=axis, n=n: read.share(b, a, n)))
            out.append(O(f"w{axis}_{n}", "mm", f"width in {axis}, {label}", lambda b, a=axis, n=n: read.width(b, a, n)))
        for rank in RANKS:
            axis = f"share of hottest cell no. {rank}, {label}"
            out.append(O(f"hottest{rank}_{n}", "", axis, lambda b, r=r, k=rank: read.hottest(b, r)[:, k - 1]))
        for core, mask in cores(r).items():
            if not bool(mask.all()):
                text = f"share within {CORES[core]}, {label}"
                out.append(O(f"{core}_{n}", "", text, lambda b, c=core, n=n: read.share(b, c, n)))
    return out


SPECTRUM = tuple(float(e) for e in 10.0 ** np.arange(-3, 5.5, 0.5))
"""Edges in MeV of the cell spectrum; deposits outside count in the first and last bin."""


def observables(spec: DataSpec) -> list[ShowerObservable]:
    """All observables of showers in the calorimeter of `spec`; the last few are [B, K].

    Example:
        >>> from simulacra.domains.calorimeter.format import spec_of
        >>> from simulacra.domains.calorimeter.geometry import LAR3
        >>> found = {o.name: o for o in observables(spec_of(LAR3, "electrons"))}
        >>> shower = torch.zeros(1, 504)
        >>> shower[0, 288] = 5.0  # the first cell of layer 1
        >>> batch = Batch(shower, {"energy": torch.tensor([[50.0]])})
        >>> found["response"](batch).item(), found["depth"](batch).item(), found["x_layer1"](batch).item()
        (0.10000000149011612, 1.0, -220.0)
    """
    geometry = Geometry.from_json(spec.geometry or {})
    read = Reader(geometry)
    count = len(geometry.layers)

    def spectrum(batch: Batch) -> Tensor:
        above = [(batch.x > 0).sum(1), *((batch.x >= edge).sum(1) for edge in SPECTRUM[1:-1])]
        counts = torch.stack([*above, torch.zeros_like(above[0])], 1)
        return counts[:, :-1] - counts[:, 1:]

    def pairs(batch: Batch) -> Tensor:
        share = torch.stack([read.linear(batch, f"E/{r.name}") for r in read.regions], 1)
        share = share / batch.given["energy"].double()
        i, j = torch.triu_indices(share.shape[1], share.shape[1], 1, device=share.device)
        return share[:, i] * share[:, j]

    vectors = [
        ShowerObservable(
            "longitudinal", "MeV", "energy per layer", read.layers, tuple(float(i) for i in range(count + 1))
        ),
        ShowerObservable("radial", "MeV", "energy per ring around the axis", read.rings, read.radii),
        ShowerObservable("spectrum", "", "cells per bin of deposited energy (MeV)", spectrum, SPECTRUM),
    ]
    if len(read.regions) > 1:
        vectors.append(
            ShowerObservable("layer_pairs", "", "products of layer energies over the incident energy", pairs)
        )
    return _scalars(read) + vectors


def layer_correlations(batch: Batch, geometry: Geometry) -> Tensor:
    """Pearson correlations of the layers' shares of the incident energy, [L, L]; 0 for a layer that never varies.

    >>> from simulacra.domains.calorimeter.geometry import LAR3
    >>> layer_correlations(Batch(torch.rand(9, 504), {"energy": torch.ones(9, 1)}), LAR3).diag().tolist()
    [1.0, 1.0, 1.0]
    """
    share = geometry.sum_layers(batch.x.double()) / batch.given["energy"].double()
    share = share - batch.mean(share)
    spread = batch.mean(share**2).sqrt()
    unit = torch.where(spread > 0, share / torch.where(spread > 0, spread, 1.0), 0.0)
    return batch.mean(unit[:, :, None] * unit[:, None, :]).float().round(decimals=6)
