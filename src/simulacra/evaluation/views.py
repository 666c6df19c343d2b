"""What judges look at: conditions, cells and observables of a batch as tables of numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulacra.batch import Batch, DataSpec
from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array, numbers
from simulacra.protocols import Observable
from simulacra.units import convert

LARGEST_CONDITION = 64
"""Numbers per event up to which a condition is shown to classifiers."""


def conditions(batch: Batch, spec: DataSpec, names: Sequence[str]) -> Array | None:
    """Conditions as columns: logarithms of wide positive numbers, one column per class; [n, C], `None` without any."""
    columns = []
    for name in names:
        values = numbers(batch.given[name], f"given[{name!r}]")
        field = spec.given.get(name)
        if field is not None and field.kind == "class":
            columns.append(np.eye(field.levels)[values.reshape(len(batch)).astype(int)])
        elif values[0].size <= LARGEST_CONDITION:
            flat = values.reshape(len(batch), -1)
            low, high = field.range if field is not None and field.range else (flat.min(), flat.max())
            columns.append(np.log(flat) if low > 0 and high > 4 * low and flat.min() > 0 else flat)
    return np.concatenate(columns, axis=1) if columns else None


def cells(x: Array, spec: DataSpec) -> Array:
    """Events as a classifier likes them, [n, V]: log10(E/MeV + 0.1) of deposited energies, else plain numbers."""
    flat = x.reshape(len(x), -1)
    scale = energy_scale(spec)
    return flat if scale is None else np.log10(np.maximum(flat * scale, 0) + 0.1)


def energy_scale(spec: DataSpec) -> float | None:
    """MeV per unit of x where x is energy deposited in layers, else `None`."""
    if spec.layout not in ("layers", "volume", "cloud"):
        return None
    try:
        return convert(1.0, spec.x.unit, "MeV")
    except UserError:
        return None


def folded(x: Array, spec: DataSpec) -> Array:
    """Events turned so that their heavier half is on the same side, along each mirror that the geometry names.

    A mirrored copy of a training event is still a copy; folding undoes the mirror, for all layers together. Only
    Cartesian layers (rows y, columns x) are turned.
    """
    flat = x.reshape(len(x), -1)
    geometry = spec.geometry or {}
    mirrors, layers = geometry.get("mirrors", []), geometry.get("layers", [])
    if spec.layout != "layers" or not mirrors or any(layer.get("kind") != "cartesian" for layer in layers):
        return flat
    grids = {name: flat[:, at].reshape(len(x), *spec.parts[name]) for name, at in spec.slices().items()}
    for axis in (k for k, name in ((1, "y"), (2, "x")) if name in mirrors):
        weight = np.zeros(len(x))
        for grid in grids.values():
            half = grid.shape[axis] // 2
            profile = grid.sum(3 - axis)  # along this axis
            weight += profile[:, :half].sum(1) - profile[:, profile.shape[1] - half :].sum(1)
        turn = weight > 0
        grids = {name: np.where(turn[:, None, None], np.flip(grid, axis), grid) for name, grid in grids.items()}
    return np.concatenate([grid.reshape(len(x), -1) for grid in grids.values()], axis=1)


def observed(batch: Batch, spec: DataSpec, observables: Sequence[Observable]) -> dict[str, tuple[Array, str]]:
    """Each observable's values [n] and unit by name; one of K numbers gives K entries, `name/0`, `name/1`, ...

    Without observables, the numbers of a small flat event stand for themselves.

    Raises:
        UserError: an observable is not finite.
    """
    out: dict[str, tuple[Array, str]] = {}
    if not observables and spec.layout == "vector" and spec.x.size <= LARGEST_CONDITION:
        flat = numbers(batch.x, "x").reshape(len(batch), -1)
        return {f"x{k}": (flat[:, k], spec.x.unit) for k in range(flat.shape[1])}
    for observable in observables:
        values = numbers(observable(batch), f"the observable {observable.name}")
        if values.ndim == 1:
            out[observable.name] = (values, observable.unit)
        else:
            flat = values.reshape(len(values), -1)
            out |= {f"{observable.name}/{k}": (flat[:, k], observable.unit) for k in range(flat.shape[1])}
    return out
