"""HDF5 at arm's length: files are read as if by an adversary and written so that damage cannot pass unseen.

Every failure while a file is open becomes one line for the user. Written files carry checksums of data (fletcher32) and
of structure (the format of HDF5 1.10), appear whole or not at all, and hold no code.
"""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from simulacra.errors import SimulacraError, UserError
from simulacra.io.publish import write_atomic

FAILURES = (OSError, KeyError, ValueError, TypeError, RuntimeError, MemoryError, OverflowError, IndexError)
"""What h5py raises on damaged files."""

_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_LZF}
_SQUEEZE = 1100  # deflate cannot shrink more than 1032 times
_HEAP = b"GCOL\1"
_CHUNK = 1 << 28  # bytes of the largest chunk that is unpacked


@contextmanager
def reading(path: str | Path) -> Iterator[h5py.File]:
    """The open file; whatever goes wrong inside the block is told as one line about the file.

    Raises:
        UserError: it is missing, is not HDF5, or cannot be read.
    """
    path = Path(path)
    try:
        if not path.is_file():
            kind = "is not a file" if path.exists() else "does not exist"
            raise UserError(f"expected an HDF5 file, {path} {kind}; check the path")
        if path.stat().st_size == 0:
            raise UserError(f"expected an HDF5 file, {path} has no bytes; get it again")
        if not h5py.is_hdf5(path):
            raise UserError(f"expected an HDF5 file, {path} is something else; check its name, or get it again")
        with h5py.File(path, "r", locking="best-effort") as file:
            yield file
    except SimulacraError:
        raise
    except FAILURES as error:
        text = " ".join(str(error).split())[:160] or type(error).__name__
        raise UserError(f"expected a whole HDF5 file, {path} is damaged or cut short ({text}); get it again") from error


def numbers(file: h5py.File, name: str) -> h5py.Dataset:
    """The data set of real numbers of that name, checked before anything of its claimed size is allocated.

    Raises:
        UserError: it is absent, lies in another file, is no array of numbers, or claims more than the file can hold.
    """
    if name not in file:
        has = ", ".join(str(key)[:40] for key in list(file)[:5]) or "nothing"
        raise UserError(f"expected the data set {name!r}, {file.filename} has {has}; rename or add it")
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise UserError(f"expected {name!r} inside {file.filename}, it is a link; copy the data into the file")
    data = file[name]
    if not isinstance(data, h5py.Dataset):
        raise UserError(f"expected {name!r} to be a data set, it is a group in {file.filename}; store an array")
    if data.dtype.kind not in "fiu" or data.dtype.itemsize > 8:
        raise UserError(f"expected numbers in {name!r} of {file.filename}, came {data.dtype}; store float32")
    if data.shape is None or data.ndim == 0:
        raise UserError(f"expected an array {name!r} in {file.filename}, came a single value; store one row per event")
    if data.is_virtual or data.external:
        raise UserError(f"expected {name!r} inside {file.filename}, its data lie in other files; copy them into it")
    _check_storage(file, name, data)
    return data


def _check_storage(file: h5py.File, name: str, data: h5py.Dataset) -> None:
    plist = data.id.get_create_plist()
    filters = {plist.get_filter(i)[0] for i in range(plist.get_nfilters())}
    if not filters <= _FILTERS:
        raise UserError(f"expected gzip, lzf or no compression of {name!r} in {file.filename}; repack it (h5repack)")
    held = os.stat(file.filename).st_size
    claimed = math.prod(data.shape) * data.dtype.itemsize
    if claimed > (held * _SQUEEZE if filters else held):
        raise UserError(f"expected {name!r} to fit its file, it claims {claimed:,} bytes of {held:,}; get it again")
    if data.chunks is not None and claimed:
        if math.prod(data.chunks) * data.dtype.itemsize > _CHUNK:
            raise UserError(f"expected chunks of at most {_CHUNK:,} bytes in {name!r}; repack {file.filename}")
        pieces = math.prod(-(-size // chunk) for size, chunk in zip(data.shape, data.chunks, strict=True))
        if data.id.get_num_chunks() != pieces:
            raise UserError(f"expected all {pieces:,} chunks of {name!r}, {file.filename} lacks some; get it again")


def read_rows(data: h5py.Dataset, rows: slice) -> np.ndarray:
    """Those rows as float32; raises UserError where a number is not finite or beyond float32."""
    with np.errstate(over="ignore"):
        values = np.asarray(data[rows], dtype=np.float32)
    bad = ~np.isfinite(values)
    if bad.any():
        row = (rows.start or 0) + int(np.argwhere(bad)[0][0])
        raise UserError(
            f"expected finite numbers in {data.name!r} of {data.file.filename}, row {row} has {values[bad][0]}; "
            "remove that row"
        )
    return values


def attributes(file: h5py.File) -> dict[str, Any]:
    """The file's own attributes that are text or numbers."""
    found: dict[str, Any] = {}
    if any(h5py.check_dtype(vlen=file.attrs.get_id(name).dtype) for name in file.attrs):
        _check_heap(Path(file.filename))
    for name in file.attrs:
        value = file.attrs[name]
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fiub":
            value = value.tolist()
        if isinstance(value, str | int | float | list):
            found[str(name)] = value
    return found


def _check_heap(path: Path) -> None:
    """Walks the heaps in which HDF5 keeps text, as the library does, which a damaged one can lead round forever."""
    with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(_HEAP)
        while start >= 0:
            end = start + int.from_bytes(data[start + 8 : start + 16], "little")
            at, good = start + 16, end <= len(data)
            while good and end - at >= 16:
                size = int.from_bytes(data[at + 8 : at + 16], "little")
                if data[at : at + 2] == b"\0\0":  # free space, which ends the heap
                    good, size = size == end - at, end - at - 16
                at += 16 + (size + 7) // 8 * 8
                good = good and at <= end
            if not good:
                raise OSError("a heap of text does not add up")
            start = data.find(_HEAP, start + 1)


def _plain(value: Any) -> Any:
    """Short text at a fixed length, which HDF5 keeps under a checksum; everything else as it is."""
    raw = value.encode() if isinstance(value, str) else b""
    return np.bytes_(raw) if 0 < len(raw) < 60_000 else value


def write(path: str | Path, arrays: Mapping[str, np.ndarray], attrs: Mapping[str, Any], level: int = 4) -> None:
    """Writes arrays and attributes as one file that appears whole or not at all.

    Chunked, shuffled, gzip-compressed and checksummed.

    Raises:
        UserError: the folder does not exist or cannot be written.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise UserError(f"expected a folder for {path.name}, {path.parent} does not exist; make it first")
    try:
        write_atomic(path, _image(arrays, attrs, level))
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"expected to write {path}, it failed ({reason}); check the folder and its space") from error


def _image(arrays: Mapping[str, np.ndarray], attrs: Mapping[str, Any], level: int) -> bytes:
    """The bytes of the file, made in memory: on a disk that is full the HDF5 library fails beyond repair."""
    with h5py.File("image", "w", driver="core", backing_store=False, libver=("v110", "v110")) as file:
        for name, array in arrays.items():
            row = max(1, array.nbytes // max(len(array), 1))
            chunk = (max(1, min(len(array), (1 << 20) // row)), *array.shape[1:])
            file.create_dataset(
                name,
                data=array,
                chunks=chunk,
                compression="gzip",
                compression_opts=level,
                shuffle=True,
                fletcher32=True,
            )
        file.attrs.update({name: _plain(value) for name, value in attrs.items()})
        file.flush()
        return file.id.get_file_image()
