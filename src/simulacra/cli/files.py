"""Events to and from files, by suffix."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulacra.errors import UserError, nearest

if TYPE_CHECKING:
    from simulacra.batch import Batch, DataSpec

SUFFIXES = (".h5", ".hdf5", ".npz", ".png", ".txt")


def check_target(path: Path, *, raw: bool = False) -> None:
    """Raises a UserError before any work is done where `path` cannot be written."""
    if path.suffix not in SUFFIXES:
        raise UserError(
            f"expected --out ending in .h5, .npz, .png or .txt, came {path.name!r}; {nearest(path.suffix, SUFFIXES)}"
        )
    if raw and path.suffix != ".npz":
        raise UserError(f"expected an .npz file for --raw, came {path.name!r}; raw events have no physical layout")
    if path.is_dir():
        raise UserError(f"expected a file to write, {path} is a folder; name a file in it")


def check_layout(path: Path, spec: DataSpec, *, raw: bool = False) -> None:
    """Raises a UserError before any work is done where a file of this suffix cannot hold such events."""
    if path.suffix in (".h5", ".hdf5") and spec.layout != "layers":
        raise UserError(f"expected showers for {path.suffix}, came {spec.layout} data; write .npz")
    if path.suffix == ".png" and spec.layout != "image" and (spec.layout, spec.x.size) != ("vector", 2):
        raise UserError(f"expected images or 2-D points for .png, came {spec.layout} data; write .h5 or .npz")
    if path.suffix == ".txt" and (spec.layout, spec.x.kind) != ("sequence", "token"):
        raise UserError(f"expected texts for .txt, came {spec.layout} data; write .npz")


def write_events(path: Path, batch: Batch, spec: DataSpec, attributes: Mapping[str, Any], *, raw: bool = False) -> None:
    """Writes events in one step; nothing half-written stays.

    Raises:
        UserError: the layout has no such file, or the disk is full or read-only.
    """
    from simulacra.io.publish import write_atomic

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".h5", ".hdf5"):
            from simulacra.domains import calorimeter

            calorimeter.save(
                path, batch, calorimeter.Geometry.from_json(spec.geometry or {}), attributes, given=spec.given
            )
        elif path.suffix == ".npz":
            import numpy as np

            box = io.BytesIO()
            named: dict[str, Any] = {name: value.numpy() for name, value in batch.given.items()}
            named |= {f"{name}_names": np.array(field.names) for name, field in spec.given.items() if field.names}
            np.savez_compressed(box, x=batch.x.numpy(), **named)
            with zipfile.ZipFile(box, "a") as archive:  # its comment is the only place for words
                archive.comment = json.dumps(dict(attributes)).encode()
            write_atomic(path, box.getvalue())
        elif path.suffix == ".txt":
            from simulacra.domains.text import written

            write_atomic(path, "".join(f"{text}\n" for text in written(batch, spec)).encode())
        else:
            write_atomic(path, _picture(batch, spec, attributes))
    except OSError as error:
        raise UserError(f"expected to write {path}, came {error.strerror or error}; choose another place") from None


def _picture(batch: Batch, spec: DataSpec, attributes: Mapping[str, Any]) -> bytes:
    from simulacra import figures

    drawn = figures.image_grid(batch.x[:100]) if spec.layout == "image" else figures.scatter(batch.x)
    return figures.png(drawn, about=attributes)


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file in one step, in a folder that is made where it is missing.

    Raises:
        UserError: the disk is full or read-only.
    """
    from simulacra.io.publish import write_atomic

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)
    except OSError as error:
        raise UserError(f"expected to write {path}, came {error.strerror or error}; choose another place") from None
