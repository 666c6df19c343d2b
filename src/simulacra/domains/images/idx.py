"""The IDX format of MNIST, plain or gzipped (LeCun, Cortes and Burges, 1998)."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from simulacra.errors import UserError

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
LARGEST = 8 << 30
"""Bytes of numbers beyond which a file is refused rather than read."""


def read_idx(path: str | Path) -> np.ndarray:
    """The array that an IDX file holds, in native byte order.

    The file is two zero bytes, the type, the number of dimensions, each dimension as a big-endian uint32, then the
    numbers, and nothing after them. Memory is taken as numbers arrive, never on the header's word alone.

    Raises:
        UserError: the file is no IDX file, is cut short, is damaged, or holds more than its header says.
    """
    path = Path(path)
    try:
        with gzip.open(path) if _is_gzip(path) else path.open("rb") as file:
            return _read(file, path.name)
    except (EOFError, zlib.error, gzip.BadGzipFile) as reason:
        raise UserError(f"expected a whole gzip file, {path.name} is damaged ({reason}); fetch it again") from reason
    except OSError as reason:
        raise UserError(f"expected a readable IDX file, came {path} ({reason.strerror}); check the path") from reason


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _read(file: BinaryIO | gzip.GzipFile, name: str) -> np.ndarray:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or not 1 <= magic[3] <= 4:
        raise UserError(f"expected an IDX file (first bytes 00 00 08 03), {name} begins {magic.hex(' ')!r}; convert it")
    header = file.read(4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise UserError(f"expected {magic[3]} dimensions, {name} ends in its header; fetch it again")
    shape = tuple(int.from_bytes(header[4 * k : 4 * k + 4], "big") for k in range(magic[3]))
    kind = np.dtype(TYPES[magic[2]])
    want = math.prod(shape) * kind.itemsize
    if want > LARGEST:
        raise UserError(f"expected at most {LARGEST >> 30} GiB, {name} announces {shape}; split it or check the file")
    held = bytearray()
    while len(held) < want and (piece := file.read(min(1 << 24, want - len(held)))):
        held += piece
    if len(held) < want:
        raise UserError(f"expected {want} bytes for {shape}, {name} has {len(held)}; fetch it again")
    if file.read(1):
        raise UserError(f"expected {want} bytes for {shape}, {name} has more; its header is wrong, fetch it again")
    return np.frombuffer(held, kind).reshape(shape).astype(kind.newbyteorder("="), copy=False)


def write_idx(path: str | Path, array: np.ndarray) -> None:
    """Writes an array as a plain IDX file.

    Raises:
        UserError: IDX has no such type of number, or not so many dimensions.
    """
    for code, kind in TYPES.items():
        if np.dtype(kind).newbyteorder("=") == array.dtype and 1 <= array.ndim <= 4:
            header = bytes([0, 0, code, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
            Path(path).write_bytes(header + array.astype(kind).tobytes())
            return
    raise UserError(f"expected numbers that IDX can hold, came {array.dtype} of {array.ndim} axes; use uint8 images")
