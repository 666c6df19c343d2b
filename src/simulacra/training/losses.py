"""`losses.jsonl`: what every player saw in every round, one line each, without times."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from simulacra.io.publish import write_atomic
from simulacra.training.folder import writing
from simulacra.training.loop import Step


class LossLog:
    """`losses.jsonl`: one line per round, written in bursts, cut back on resume to the round of the checkpoint.

    Flush it before a checkpoint is saved (`save(..., log=log)` does): lines beyond a checkpoint are cut back on
    resume, lines missing before it would be missing for good.
    """

    def __init__(self, folder: Path, start: int, *, active: bool = True) -> None:
        self.path, self.active = folder / "losses.jsonl", active
        self.waiting: list[Step] = []
        if active:
            kept = b"".join(_lines_until(self.path, start)) if self.path.exists() else b""
            with writing(folder):
                write_atomic(self.path, kept)

    def add(self, step: Step) -> None:
        if self.active:
            self.waiting.append(step)
            if len(self.waiting) >= 100:
                self.flush()

    def flush(self) -> None:
        """Writes what waits, to the disk; a failed write leaves the lines that were there."""
        if not self.waiting:
            return
        lines = [
            json.dumps({"round": step.clock.round, **{k: float(v) for k, v in step.losses.items()}}) + "\n"
            for step in self.waiting
        ]
        with writing(self.path.parent), self.path.open("ab", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            try:
                content = memoryview("".join(lines).encode())
                while content:
                    content = content[file.write(content) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise
        self.waiting = []


def _lines_until(path: Path, last: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        for line in file:
            try:
                if not line.endswith(b"\n") or json.loads(line)["round"] > last:
                    return
            except (ValueError, KeyError, TypeError):
                return
            yield line


def read_losses(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Every logged quantity as (round, value) pairs; a torn last line is passed over."""
    out: dict[str, list[tuple[int, float]]] = {}
    path = folder / "losses.jsonl"
    if path.exists():
        for line in _lines_until(path, 2**62):
            row = json.loads(line)
            for name, value in row.items():
                if name != "round":
                    out.setdefault(name, []).append((row["round"], value))
    return out
