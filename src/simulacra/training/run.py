"""The run folder: what was trained, how far it is, and how to go on exactly from there."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from simulacra import __version__
from simulacra.batch import DataSpec
from simulacra.errors import UserError
from simulacra.io.publish import (
    Damaged,
    discard,
    fsync,
    publishing,
    seal,
    temporary_beside,
    verify,
    write_atomic,
)
from simulacra.io.tensors import load_state, load_tensors, save_state, save_tensors
from simulacra.training.engine import Engine
from simulacra.training.folder import checkpoints, is_sound, latest, locked, set_aside, sound, writing
from simulacra.training.game import Clock, Experiment, Stream
from simulacra.training.losses import LossLog, read_losses
from simulacra.training.watch import NonFinite

__all__ = [
    "LossLog",
    "RunConfig",
    "checkpoints",
    "create",
    "latest",
    "load_weights",
    "locked",
    "read_losses",
    "restore",
    "resume",
    "save",
    "sound",
    "writing",
]

FORMAT = 1
KEEP = 2


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
        return {"simulacra": __version__, "torch": torch.__version__, "python": platform.python_version()}

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
            config = RunConfig(**{**body, "spec": DataSpec.from_json(body["spec"])})
            for value, kind in (
                (config.recipe, str),
                (config.arguments, dict),
                (config.data["name"], str),
                (config.data["options"], dict),
                *((number, int) for number in (config.seed, config.rounds, config.threads)),
            ):
                if not isinstance(value, kind):
                    raise TypeError
            return config
        except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"expected a run description in {path}, came something altered; train again") from None


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
        try:
            (folder / "checkpoints").mkdir(parents=True)
        except FileExistsError:
            raise UserError(f"expected to own {folder}, another process has begun there; use another --out") from None
        write_atomic(folder / "run.json", json.dumps(config.to_json(), indent=1).encode())


def save(
    folder: Path,
    experiment: Experiment,
    streams: Mapping[str, Stream],
    engine: Engine,
    log: LossLog | None = None,
) -> None:
    """Publishes a checkpoint of the whole game; every process calls it between rounds, `log` is flushed before it.

    Rank 0 writes parameters and optimisers, every other rank its own buffers.

    Raises:
        NonFinite: a loss, a gradient or a weight is not finite; nothing is written.
        UserError: the disk is full or read-only.
    """
    if experiment.alarm is not None:
        experiment.alarm()
    _refuse_non_finite(experiment)
    if log is not None:
        log.flush()
    name = f"{experiment.clock.round:06d}"
    target = folder / "checkpoints" / name
    with writing(folder):
        if engine.share(str(engine.rank == 0 and is_sound(target))) != "True":
            if engine.rank == 0 and target.exists():
                set_aside(folder, name)
            _publish(target, experiment, streams, engine)
        if engine.rank == 0:
            pointer = folder / "checkpoints" / "latest"
            if not pointer.is_file() or pointer.read_bytes() != name.encode():
                write_atomic(pointer, name.encode())
            for old in checkpoints(folder)[:-KEEP]:
                discard(folder / "checkpoints" / old)


def _publish(target: Path, experiment: Experiment, streams: Mapping[str, Stream], engine: Engine) -> None:
    if engine.world == 1:
        with publishing(target) as place:
            _write_root(place, experiment, streams, engine)
        return
    place = Path(engine.share(str(temporary_beside(target)) if engine.rank == 0 else ""))
    try:
        if engine.rank == 0:
            _write_root(place, experiment, streams, engine)
        else:
            own = place / f"rank{engine.rank}.safetensors"
            save_tensors(own, dict(experiment.learners.named_buffers()))
            fsync(own)
        engine.barrier()
        if engine.rank == 0:
            seal(place, target)
        engine.barrier()
    except BaseException:
        if engine.rank == 0:
            shutil.rmtree(place, ignore_errors=True)
        raise


def _refuse_non_finite(experiment: Experiment) -> None:
    for name, value in experiment.learners.named_parameters():
        if not torch.isfinite(value).all():
            raise NonFinite(f"expected finite weights in round {experiment.clock.round}, {name} is not; not saved")


def _every(experiment: Experiment, streams: Mapping[str, Stream]) -> list[Stream]:
    """Each stream once: the named ones, then those that players brought."""
    own = [player.stream for player in experiment.players if not isinstance(player.stream, str)]
    return list({id(stream): stream for stream in [*streams.values(), *own]}.values())


def _write_root(place: Path, experiment: Experiment, streams: Mapping[str, Stream], engine: Engine) -> None:
    save_tensors(place / "weights.safetensors", _weights(experiment))
    state = {
        "world": engine.world,
        "clock": list(experiment.clock),
        "hooks": [hook.state_dict() for hook in experiment.hooks],
        "optimizers": [optimizer.state_dict() for optimizer in experiment.optimizers()],
        "streams": [stream.state_dict() for stream in _every(experiment, streams)],
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
    learned = {f"learners.{name}" for name, _ in experiment.learners.named_parameters()}
    for name, value in tensors.items():
        if value.is_floating_point() and (value.isnan().any() or (name in learned and value.isinf().any())):
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
        UserError: it was written by another recipe or another number of processes.
    """
    place = verify(folder / "checkpoints" / name)
    state = load_state(place, "state")
    if state["world"] != engine.world:
        raise UserError(
            f"expected {state['world']} processes as in the checkpoint, came {engine.world}; launch the same number"
        )
    have = [len(experiment.hooks), len(experiment.optimizers()), len(_every(experiment, streams))]
    if have != [len(state[kind]) for kind in ("hooks", "optimizers", "streams")]:
        raise UserError(f"expected the game of the checkpoint in {place}, came another; resume with the same recipe")
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
    for stream, saved in zip(_every(experiment, streams), state["streams"], strict=True):
        stream.load_state_dict(saved)
    experiment.clock = Clock(*state["clock"])


def resume(folder: Path, experiment: Experiment, streams: Mapping[str, Stream], engine: Engine) -> list[str]:
    """Goes back to the newest sound checkpoint, or to the start where there is none; says what was passed over.

    Damaged checkpoints that are newer than the sound one are set aside as `NAME.damaged`.
    """
    passed: dict[str, str] = {}
    for name in reversed(checkpoints(folder)):
        try:
            restore(folder, name, experiment, streams, engine)
        except Damaged as error:
            passed[name] = str(error)
            continue
        engine.barrier()
        if engine.rank == 0:
            for bad in passed:
                set_aside(folder, bad)
        return list(passed.values())
    if passed:
        raise Damaged(next(iter(passed.values())))
    return []
