"""What shower files tell beside the incident energy: the kind of particle, angles, and what else they announce."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor

from simulacra.batch import Field, Given
from simulacra.errors import UserError
from simulacra.io import hdf5

SAID = "conditions"
"""The attribute: JSON of name -> the names of its classes, or its unit."""
TAKEN = ("energy", "showers", "incident_energies")


def conditions_in(
    file: h5py.File, attributes: Mapping[str, Any], rows: int
) -> tuple[dict[str, Tensor], dict[str, Field]]:
    """The conditions that a file announces, classes [N] and numbers [N, 1], with their fields; none where it is silent.

    Raises:
        UserError: the attribute is no such JSON, or the data are not one class or number per shower.
    """
    values: dict[str, Tensor] = {}
    fields: dict[str, Field] = {}
    for name, what in _announced(file, attributes.get(SAID)).items():
        data = hdf5.numbers(file, name)
        if data.shape not in ((rows,), (rows, 1)):
            raise UserError(
                f"expected {rows} rows of {name!r}, {file.filename} has {data.shape}; write one number per shower"
            )
        read = hdf5.read_rows(data, slice(0, rows)).reshape(rows)
        if isinstance(what, str):
            values[name] = torch.from_numpy(read)[:, None]
            fields[name] = Field((1,), unit=what, range=(float(read.min()), float(read.max())))
            continue
        wrong = read[(read < 0) | (read >= len(what)) | (read != np.floor(read))]
        if wrong.size:
            raise UserError(
                f"expected {name!r} as whole numbers from 0 to {len(what) - 1}, {file.filename} has {wrong[0]:g}; "
                f"one for each of {', '.join(what)}"
            )
        values[name] = torch.from_numpy(read.astype(np.int64))
        fields[name] = Field((), "class", len(what), names=tuple(what))
    return values, fields


def conditions_out(given: Given, fields: Mapping[str, Field]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays and the attribute that announces them, for every condition described beside the energy."""
    arrays: dict[str, np.ndarray] = {}
    said: dict[str, Any] = {}
    for name, field in fields.items():
        if name in TAKEN or name not in given:
            continue
        if field.size != 1:
            raise UserError(f"expected one number per shower for {name!r}, came {field.shape}; leave it out")
        value = given[name].detach().cpu().reshape(-1)
        classes = field.kind == "class"
        arrays[name] = (value.to(torch.int32) if classes else value.float()).numpy()
        said[name] = list(field.names or map(str, range(field.levels))) if classes else field.unit
    return arrays, {SAID: json.dumps(said)} if said else {}


def _announced(file: h5py.File, said: Any) -> dict[str, str | list[str]]:
    try:
        found = json.loads(said) if said is not None else {}
        if not isinstance(found, dict):
            raise TypeError
        for name, what in found.items():
            words = [what] if isinstance(what, str) else what
            named = isinstance(words, list) and words and all(isinstance(word, str) for word in words)
            if not named or len(set(words)) < len(words) or name in TAKEN:
                raise TypeError
    except (TypeError, ValueError, RecursionError):
        example = '{"particle": ["electron", "photon"], "angle": "deg"}'
        raise UserError(
            f"expected conditions as JSON such as {example}, {file.filename} says {str(said)[:60]!r}; correct it"
        ) from None
    return found
