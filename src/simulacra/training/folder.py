"""The run folder as a place: who owns it, which checkpoints it holds, and what to say when its disk gives out."""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulacra.errors import UserError
from simulacra.io.publish import Damaged, discard, sweep, verify

_DISK = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EFBIG: "raise the limit on file sizes",
    errno.EROFS: "make it writable",
    errno.EACCES: "make it writable",
    errno.EPERM: "make it writable",
    errno.EIO: "check the disk",
}


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns a full, broken or read-only disk into one line that names the last good checkpoint.

    Raises:
        UserError: in place of the OSError of such a disk.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK:
            raise
        try:
            last = latest(folder)
        except OSError:
            last = None
        kept = f"the last good checkpoint is {folder / 'checkpoints' / last}" if last else "no checkpoint was saved yet"
        raise UserError(
            f"expected to write in {folder}, came {error.strerror}; {kept}; {_DISK[error.errno]} and use --resume"
        ) from None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps a second process from training in the same folder, and sweeps what a killed one left behind.

    Raises:
        UserError: another process trains there, or the folder cannot be written.
    """
    with writing(folder):
        file = (folder / ".lock").open("w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"expected to own {folder}, came another process that trains there; use another --out"
            ) from None
        sweep(folder / "checkpoints")
        sweep(folder, "run.json")
        sweep(folder, "losses.jsonl")
        yield


def checkpoints(folder: Path) -> list[str]:
    """Names of the published checkpoints, oldest first."""
    place = folder / "checkpoints"
    names = [p.name for p in place.iterdir() if p.is_dir() and p.name.isdigit()] if place.is_dir() else []
    return sorted(names, key=int)


def latest(folder: Path) -> str | None:
    """The newest published checkpoint."""
    found = checkpoints(folder)
    return found[-1] if found else None


def is_sound(place: Path) -> bool:
    """Whether a checkpoint is there with every byte that was published."""
    try:
        verify(place)
    except Damaged:
        return False
    return True


def set_aside(folder: Path, name: str) -> None:
    """Takes a damaged checkpoint out of the row, as `NAME.damaged`, so that it can be written anew."""
    place = folder / "checkpoints" / name
    aside = place.with_name(f"{name}.damaged")
    if aside.exists():
        discard(aside)
    place.rename(aside)


def sound(folder: Path) -> Path:
    """The newest checkpoint of a run, verified.

    Raises:
        UserError: the run has no checkpoint yet, or the newest one is damaged.
    """
    name = latest(folder)
    if name is None:
        raise UserError(f"expected a trained run, {folder} has no checkpoint yet; train it with --resume")
    try:
        return verify(folder / "checkpoints" / name)
    except Damaged as error:
        raise UserError(f"{error}, or train on with --resume") from None
