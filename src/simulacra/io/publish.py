"""Publishing: a file or a folder appears whole, with checksums, or not at all.

A folder is written beside its target, every file is flushed to disk, `manifest.json` (sizes and sha256) comes last,
then one rename makes it visible. A kill at any moment leaves the old state or the new one, and at worst a temporary
folder that the next start sweeps away.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from simulacra.errors import SimulacraError

MANIFEST = "manifest.json"
_TEMPORARY = ".publishing-"


class Damaged(SimulacraError):
    """A published folder is not what was published."""


def fsync(path: Path) -> None:
    """Asks the disk to keep what was written at `path`, a file or a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical(data: Any) -> bytes:
    """JSON bytes that are the same for the same data."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=True).encode()


def write_atomic(path: Path, content: bytes) -> None:
    """Replaces the file at `path` in one step: readers see the old bytes or the new ones."""
    temporary = path.parent / f"{_TEMPORARY}{path.name}-{uuid.uuid4().hex[:8]}"
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        fsync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_beside(target: Path) -> Path:
    """A new empty folder on the same filesystem as `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = target.parent / f"{_TEMPORARY}{target.name}-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    return folder


def seal(temporary: Path, target: Path) -> None:
    """Flushes the files of `temporary`, writes their manifest, and renames the folder to `target`."""
    files = {}
    for path in sorted(temporary.rglob("*")):
        fsync(path)
        if path.is_file():
            files[path.relative_to(temporary).as_posix()] = {"sha256": digest(path), "bytes": path.stat().st_size}
    body: dict[str, Any] = {"format": 1, "files": files}
    body["digest"] = hashlib.sha256(canonical(body)).hexdigest()
    manifest = temporary / MANIFEST
    manifest.write_bytes(canonical(body))
    fsync(manifest)
    fsync(temporary)
    os.rename(temporary, target)
    fsync(target.parent)


@contextmanager
def publishing(target: Path) -> Iterator[Path]:
    """A folder to write into; on leaving it becomes `target`, on an error it vanishes.

    Example:
        >>> import tempfile
        >>> place = Path(tempfile.mkdtemp()) / "result"
        >>> with publishing(place) as folder:
        ...     _ = (folder / "a.txt").write_text("whole")
        >>> sorted(p.name for p in verify(place).iterdir())
        ['a.txt', 'manifest.json']
    """
    temporary = temporary_beside(target)
    try:
        yield temporary
        seal(temporary, target)
    except BaseException:
        with suppress(OSError):
            shutil.rmtree(temporary)
        raise


def verify(folder: Path) -> Path:
    """The folder, if every byte is the one that was published.

    Raises:
        Damaged: the manifest is missing, or a file is missing, altered or new.
    """
    try:
        raw = (folder / MANIFEST).read_bytes()
        body = json.loads(raw)
        stated = body.pop("digest")
        if hashlib.sha256(canonical(body)).hexdigest() != stated or canonical({**body, "digest": stated}) != raw:
            raise ValueError
        files = {name: (entry["bytes"], entry["sha256"]) for name, entry in body["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Damaged(f"{folder}: manifest.json is missing or altered; use another checkpoint") from None
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {MANIFEST}
    for name in sorted(found | set(files)):
        if name not in files or name not in found:
            raise Damaged(f"{folder}: {name} is {'new' if name in found else 'missing'}; use another checkpoint")
        path = folder / name
        try:
            same = (path.stat().st_size, digest(path)) == files[name]
        except OSError as error:
            raise Damaged(f"{folder}: {name} cannot be read, {error.strerror}; use another checkpoint") from None
        if not same:
            raise Damaged(f"{folder}: {name} differs from its checksum; use another checkpoint")
    return folder


def discard(folder: Path) -> None:
    """Removes a published folder: it vanishes at once, so that a kill never leaves half of it."""
    gone = folder.parent / f"{_TEMPORARY}{folder.name}-{uuid.uuid4().hex[:8]}"
    os.rename(folder, gone)
    shutil.rmtree(gone)


def sweep(parent: Path, name: str = "*") -> list[Path]:
    """Removes what killed writers (of the target `name`, or of any) left behind, and returns it."""
    stale = list(parent.glob(f"{_TEMPORARY}{name}-*")) if parent.is_dir() else []
    for path in stale:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return stale
