"""The run folder: what was trained, how far it is, and how to go on exactly from there."""

from __future__ import annotations

import errno
import fcntl
import json
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from simulacra.batch import DataSpec
from simulacra.errors import SimulacraError, UserError
from simulacra.io.publish import (
    Damaged,
    fsync,
    publishing,
    seal,
    temporary_beside,
    verify,
    write_atomic,
)
from simulacra.io.tensors import load_state, load_tensors, save_state, save_tensors
from simulacra.training.engine import Engine
from simulacra.training.game import Clock, Experiment, Stream
from simulacra.training.loop import Step

FORMAT = 1
KEEP = 2
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG)


@dataclass(frozen=True)
class RunConfig:
    """`run.json`: all that is needed to build the same experiment again.

    Attributes:
        recipe: its name, or `file.py:function` for a user's own.
        arguments: the recipe's keyword arguments, resolved.
        data: what was named on the command line, and how it was split.
        spec: of the training part, physical.
        seed, rounds, batch_size, threads, precision: of the training.
    """

    recipe: str
    arguments: dict[str, Any]
    data: dict[str, Any]
    spec: DataSpec
    seed: int
    rounds: int
    batch_size: int | None
    threads: int
    precision: str
    versions: dict[str, str]

    @staticmethod
    def versions_here() -> dict[str, str]:
        from importlib.metadata import version

        return {"simulacra": version("simulacra"), "torch": torch.__version__, "python": platform.python_version()}

    def to_json(self) -> dict[str, Any]:
        return {"format": FORMAT, **vars(self), "spec": self.spec.to_json()}

    @staticmethod
    def read(folder: Path) -> RunConfig:
        """The configuration of the run in `folder`.

        Raises:
            UserError: there is no run, or it was altered or written by a newer version.
        """
        path = folder / "run.json"
        if not path.is_file():
            raise UserError(
                f"expected a run folder with run.json, came {folder}; name one that `simulacra train` wrote"
            )
        try:
            body = json.loads(path.read_bytes())
            found = int(body.pop("format"))
            if found > FORMAT:
                raise UserError(
                    f"{path} has format {found}, this version reads up to {FORMAT}; install a newer simulacra"
                )
            return RunConfig(**{**body, "spec": DataSpec.from_json(body["spec"])})
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"expected a run description in {path}, came something altered; train again") from None


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns a full or read-only disk into one line that names the last good checkpoint."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        last = latest(folder)
        kept = f"the last good checkpoint is {folder / 'checkpoints' / last}" if last else "nothing was saved yet"
        raise UserError(
            f"expected to write in {folder}, came {error.strerror}; {kept}. Free some space and use --resume"
        ) from None
    except SimulacraError:
        raise
    except Exception as error:  # safetensors reports a full disk in its own words
        if "os error 28" in str(error) or "No space left" in str(error):
            raise UserError(f"expected to write in {folder}, came No space left on device; free some space") from None
        raise


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps a second process from training in the same folder."""
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                f"expected to own {folder}, came another process that trains there; use another --out"
            ) from None
        yield


def create(folder: Path, config: RunConfig) -> None:
    """Makes the folder of a new run.

    Raises:
        UserError: the folder holds something already, or cannot be written.
    """
    if (folder / "run.json").exists():
        raise UserError(f"expected a new folder, {folder} holds a run; use --resume to go on, or another --out")
    if folder.exists() and (not folder.is_dir() or [p for p in folder.iterdir() if not p.name.startswith(".")]):
        raise UserError(f"expected a new folder, {folder} is not empty; use another --out")
    with writing(folder):
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        write_atomic(folder / "run.json", json.dumps(config.to_json(), indent=1).encode())


def checkpoints(folder: Path) -> list[str]:
    """Names of the published checkpoints, oldest first."""
    place = folder / "checkpoints"
    return sorted(p.name for p in place.iterdir() if p.is_dir() and p.name.isdigit()) if place.is_dir() else []


def latest(folder: Path) -> str | None:
    """The newest published checkpoint."""
    found = checkpoints(folder)
    return found[-1] if found else None


def save(folder: Path, experiment: Experiment, streams: Mapping[str, Stream], engine: Engine) -> None:
    """Publishes a checkpoint of the whole game; every process calls it.

    Rank 0 writes parameters and optimisers, every other rank its own buffers.
    """
    name = f"{experiment.clock.round:06d}"
    target = folder / "checkpoints" / name
    if engine.share(str(target.exists())) == "True":
        return
    with writing(folder):
        if engine.world == 1:
            with publishing(target) as place:
                _write_root(place, experiment, streams, engine)
        else:
            place = Path(engine.share(str(temporary_beside(target)) if engine.rank == 0 else ""))
            if engine.rank == 0:
                _write_root(place, experiment, streams, engine)
            else:
                own = {k: v for k, v in experiment.learners.named_buffers() if v is not None}
                save_tensors(place / f"rank{engine.rank}.safetensors", own)
            engine.barrier()
            if engine.rank == 0:
                seal(place, target)
            engine.barrier()
        if engine.rank == 0:
            write_atomic(folder / "checkpoints" / "latest", name.encode())
            for old in checkpoints(folder)[:-KEEP]:
                shutil.rmtree(folder / "checkpoints" / old)


def _write_root(place: Path, experiment: Experiment, streams: Mapping[str, Stream], engine: Engine) -> None:
    save_tensors(place / "weights.safetensors", _weights(experiment))
    unique = {id(s): s for s in streams.values()}
    state = {
        "world": engine.world,
        "clock": list(experiment.clock),
        "hooks": [hook.state_dict() for hook in experiment.hooks],
        "optimizers": [optimizer.state_dict() for optimizer in experiment.optimizers()],
        "streams": [stream.state_dict() for stream in unique.values()],
    }
    save_state(place, "state", state)


def _weights(experiment: Experiment) -> dict[str, Tensor]:
    codec: Any = experiment.codec
    return {
        **{f"learners.{k}": v for k, v in experiment.learners.state_dict().items()},
        **{f"codec.{k}": v for k, v in codec.state_dict().items()},
    }


def load_weights(place: Path, experiment: Experiment) -> None:
    """Puts the weights of a verified checkpoint into the experiment's modules.

    Raises:
        UserError: they belong to another recipe or hold values that are not finite.
    """
    tensors = load_tensors(place / "weights.safetensors")
    for name, value in tensors.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise UserError(f"expected finite weights in {place}, {name} is not; use another checkpoint")
    for prefix, module in (("learners.", experiment.learners), ("codec.", experiment.codec)):
        chosen = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        try:
            module.load_state_dict(chosen)  # type: ignore[attr-defined]
        except RuntimeError as error:
            first = str(error).splitlines()[-1].strip()
            raise UserError(f"expected the weights of this recipe in {place}, came others: {first}") from None


def restore(folder: Path, name: str, experiment: Experiment, streams: Mapping[str, Stream], engine: Engine) -> None:
    """Puts the whole game back to where checkpoint `name` was taken.

    Raises:
        Damaged: a byte of the checkpoint differs from what was published.
        UserError: it was written by another number of processes or for another budget.
    """
    place = verify(folder / "checkpoints" / name)
    state = load_state(place, "state")
    if state["world"] != engine.world:
        raise UserError(
            f"expected {state['world']} processes as in the checkpoint, came {engine.world}; launch the same number"
        )
    for hook, saved in zip(experiment.hooks, state["hooks"], strict=True):
        hook.load_state_dict(saved)
    load_weights(place, experiment)
    if engine.rank > 0:
        own = load_tensors(place / f"rank{engine.rank}.safetensors")
        with torch.no_grad():
            for key, buffer in experiment.learners.named_buffers():
                buffer.copy_(own[key])
    for optimizer, saved in zip(experiment.optimizers(), state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    unique = {id(s): s for s in streams.values()}
    for stream, saved in zip(unique.values(), state["streams"], strict=True):
        stream.load_state_dict(saved)
    experiment.clock = Clock(*state["clock"])


def resume(folder: Path, experiment: Experiment, streams: Mapping[str, Stream], engine: Engine) -> list[str]:
    """Goes back to the newest sound checkpoint, or to the start where there is none; says what was passed over."""
    passed = []
    for name in reversed(checkpoints(folder)):
        try:
            restore(folder, name, experiment, streams, engine)
            return passed
        except Damaged as error:
            passed.append(str(error))
    if passed:
        raise Damaged(passed[-1])
    return passed


class LossLog:
    """`losses.jsonl`: one line per round, written in bursts, cut back on resume to the round of the checkpoint."""

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
        """Writes what waits, to the disk."""
        if not self.waiting:
            return
        lines = [
            json.dumps({"round": step.clock.round, **{k: float(v) for k, v in step.losses.items()}}) + "\n"
            for step in self.waiting
        ]
        self.waiting = []
        with writing(self.path.parent):
            with self.path.open("ab") as file:
                file.write("".join(lines).encode())
            fsync(self.path)


def _lines_until(path: Path, last: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        for line in file:
            try:
                if not line.endswith(b"\n") or json.loads(line)["round"] > last:
                    return
            except ValueError:
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
        raise UserError(str(error)) from None

