"""The picture for a first page: single showers at a few energies, real beside generated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from simulacra.batch import Batch, DataSpec
from simulacra.figures.showers import side_by_side
from simulacra.units import convert


def showcase(
    reference: Batch,
    generated: Batch,
    spec: DataSpec,
    energies: Sequence[float] = (5.0, 20.0, 50.0),
    names: tuple[str, str] = ("real", "generated"),
) -> Figure:
    """One row per energy in GeV: the real and the generated shower whose incident energies lie nearest to it.

    Use different events for different rows: the nearest is chosen by energy only, never by its looks.

    Example:
        >>> import torch
        >>> from simulacra.batch import Field
        >>> spec = DataSpec("toy", "layers", Field((6,), unit="MeV"), {"energy": Field((1,), unit="GeV")},
        ...                 {"front": (1, 2), "back": (2, 2)})
        >>> batch = Batch(torch.rand(5, 6), {"energy": torch.linspace(1, 60, 5)[:, None]})
        >>> len(showcase(batch, batch, spec).axes)  # 3 rows of 2 + 1 + 2, and the colours' bar
        16
    """
    spec.need("energy")
    gev = [
        b.given["energy"].reshape(-1).numpy() * convert(1, spec.given["energy"].unit, "GeV")
        for b in (reference, generated)
    ]
    rows = []
    for energy in energies:
        real, made = (int(np.abs(e - energy).argmin()) for e in gev)
        rows.append(
            (f"{energy:g} GeV", *(b.x[k].reshape(-1).numpy() for b, k in ((reference, real), (generated, made))))
        )
    return side_by_side(rows, spec.parts, spec.x.unit, spec.geometry, names)
