"""Arrays from an NPZ file: events in `x`, conditions under their own names."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains.dataset import ArrayDataset, in_memory
from simulacra.errors import UserError


def open_npz(path: str | Path) -> ArrayDataset:
    """Events of an `.npz` file: vectors [N, D] or pictures [N, H, W], [N, C, H, W] under `x`, one row per event.

    Every other array is a condition by its name: integers [N] are classes, real numbers [N] or [N, K] are numbers;
    `weight` [N] are event weights, and words `NAME_names` [K] name the classes of the condition NAME. A lone array may
    have any name. Objects are never unpickled.

    Raises:
        UserError: the file is damaged, has no `x`, or its arrays do not fit together.
    """
    path = Path(path)
    arrays = _read(path)
    words = {key: arrays.pop(key) for key in list(arrays) if arrays[key].dtype.kind == "U"}
    if len(arrays) == 1:
        arrays = {"x": next(iter(arrays.values()))}
    for old in ("images", "data"):
        if "x" not in arrays and old in arrays:
            arrays["x"] = arrays.pop(old)
    if "x" not in arrays:
        raise UserError(f"expected an array 'x' in {path.name}, came {', '.join(sorted(arrays)) or 'none'}; rename it")
    x, name = arrays.pop("x"), path.stem
    if x.ndim and not len(x):
        raise UserError(f"expected events in {path.name}, x has no row; save at least one")
    if x.ndim < 1 or (x.ndim == 2 and x.shape[1] == 0):
        raise UserError(f"expected events as rows, x in {path.name} has shape {x.shape}; save [events, numbers]")
    for key, value in arrays.items():
        if value.ndim < 1 or len(value) != len(x):
            raise UserError(
                f"expected {len(x)} rows of {key!r} in {path.name}, came shape {value.shape}; one per event"
            )
    weight = arrays.pop("weight", None)
    if weight is not None and (weight.ndim != 1 or not (np.isfinite(weight).all() and (weight >= 0).all())):
        raise UserError(f"expected weights [N] of 0 or more, {path.name} has others; correct them")
    given = {key: _condition(path.name, key, value) for key, value in arrays.items()}
    told = {key: torch.from_numpy(value) for key, (value, _) in given.items()}
    fields = {key: field for key, (_, field) in given.items()}
    for key, names in words.items():
        fields[key.removesuffix("_names")] = _named(path.name, key, names, fields.get(key.removesuffix("_names")))
    weights = None if weight is None else torch.from_numpy(weight.astype(np.float32))
    if x.ndim > 2:
        from simulacra.domains.images.pictures import pictures

        held = pictures(name, x)
        spec, events = DataSpec(name, "image", held.spec.x, fields, geometry=held.spec.geometry), held.batch.x
    else:
        with np.errstate(over="ignore"):  # what is too large for single precision is refused as infinite
            events = torch.from_numpy(_single(path.name, "x", x.reshape(len(x), -1)))
        spec = DataSpec(name, "vector", Field((events.shape[1],)), fields)
    return in_memory(spec, Batch(events, told, weight=weights))


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("not a zip archive")
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as reason:
        raise UserError(
            f"expected an NPZ file of plain arrays, {path.name} cannot be read; save with np.savez"
        ) from reason
    for name, value in arrays.items():
        if value.dtype.kind not in "fiub" and not (value.dtype.kind == "U" and name.endswith("_names")):
            raise UserError(f"expected numbers, {name!r} in {path.name} holds {value.dtype}; save it as numbers")
    return arrays


def _condition(file: str, name: str, value: np.ndarray) -> tuple[np.ndarray, Field]:
    """A condition as it is held and described: classes as int64 [N], numbers as float32 [N, K]."""
    if value.dtype.kind in "iub" and value.ndim == 1:
        from simulacra.domains.images.pictures import check_labels

        value = check_labels(f"{name!r} in {file}", value.astype(np.int64), len(value))
        return value, Field((), "class", int(value.max()) + 1 if len(value) else 1)
    with np.errstate(over="ignore"):
        value = _single(file, name, value.reshape(len(value), -1))
    return value, Field((value.shape[1],))


def _single(file: str, name: str, value: np.ndarray) -> np.ndarray:
    """Columns [N, K] in single precision, where that still tells their numbers apart."""
    single = value.astype(np.float32)
    if value.dtype.itemsize > 4 and np.isfinite(single).all():
        exact = value.astype(np.float64)
        spread, mean = exact.std(0), np.abs(exact.mean(0))
        lost = (np.abs(single - exact).max(0) > 0.01 * spread) & (spread > 1e-10 * mean)
        if lost.any():
            k = int(lost.argmax())
            raise UserError(
                f"expected numbers that single precision tells apart, column {k} of {name!r} in {file} varies by"
                f" {spread[k]:.3g} around {exact[:, k].mean():.10g}; subtract an offset first"
            )
    return single


def _named(file: str, key: str, names: np.ndarray, field: Field | None) -> Field:
    """The field of a class condition with the names of its levels, of which more may be named than occur."""
    if field is None or field.kind != "class":
        raise UserError(f"expected a condition of classes for {key!r} in {file}, came none; rename or leave it out")
    if names.ndim != 1 or len(names) < field.levels or len(set(names.tolist())) < len(names):
        raise UserError(f"expected {field.levels} different words in {key!r} of {file}, came others; name every class")
    return replace(field, levels=len(names), names=tuple(names.tolist()))
