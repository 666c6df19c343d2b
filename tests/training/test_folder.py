"""The run folder: what a checkpoint keeps, refuses and survives."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from games import SPEC, contents, duel, play, points
from torch import nn

from simulacra.errors import UserError
from simulacra.io.publish import Damaged
from simulacra.testing import streams_for
from simulacra.training import run
from simulacra.training.engine import Engine
from simulacra.training.game import Clock
from simulacra.training.loop import train
from simulacra.training.watch import NonFinite


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    play(str(folder), 6)
    return folder


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    for name, raw in contents(trained).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(raw)
    return folder


def back(folder: Path, engine: Engine | None = None, build: Any = duel) -> tuple[Any, list[str]]:
    experiment = build()
    engine = engine or Engine()
    return experiment, run.resume(folder, experiment, streams_for(experiment, points(), 7), engine)


def test_the_folder_holds_two_checkpoints_and_points_to_the_newest(trained: Path) -> None:
    assert run.checkpoints(trained) == ["000004", "000006"]
    assert (trained / "checkpoints" / "latest").read_text() == "000006"
    assert not list(trained.rglob(".publishing-*"))
    assert [r for r, _ in run.read_losses(trained)["generator/score"]] == [1, 2, 3, 4, 5, 6]


def test_a_thousand_flipped_bits_never_load(copy: Path) -> None:
    place, dice = copy / "checkpoints" / "000006", random.Random(3)
    experiment = duel()
    streams = streams_for(experiment, points(), 7)
    files = [p for p in sorted(place.iterdir()) if p.stat().st_size]
    assert {p.name for p in files} >= {"manifest.json", "weights.safetensors", "state.json", "state.safetensors"}
    for k in range(1000):
        path = files[k % len(files)]
        at = dice.randrange(path.stat().st_size * 8)
        raw = path.read_bytes()
        path.write_bytes(raw[: at // 8] + bytes([raw[at // 8] ^ 1 << at % 8]) + raw[at // 8 + 1 :])
        with pytest.raises(Damaged):
            run.restore(copy, "000006", experiment, streams, Engine())
        path.write_bytes(raw)
    run.restore(copy, "000006", experiment, streams, Engine())


def test_a_damaged_checkpoint_is_passed_over_named_and_written_anew(copy: Path, trained: Path) -> None:
    path = copy / "checkpoints" / "000006" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"weights.safetensors differs from its checksum; use another"):
        run.sound(copy)
    experiment, passed = back(copy)
    assert experiment.clock == Clock(4, 6)
    assert len(passed) == 1
    assert "000006: weights.safetensors differs" in passed[0]
    assert run.sound(copy).name == "000004"
    play(str(copy), 6)
    want, have = contents(trained), contents(copy)
    assert {k: v for k, v in have.items() if ".damaged" not in k} == want
    assert run.sound(copy).name == "000006"


def test_when_every_checkpoint_is_damaged_nothing_is_started(copy: Path) -> None:
    for path in (copy / "checkpoints").glob("*/weights.safetensors"):
        path.unlink()
    with pytest.raises(Damaged, match=r"000006: weights.safetensors is missing"):
        back(copy)


@pytest.mark.parametrize("cut", [0, 1, 10, 200, 460])
def test_losses_are_cut_back_to_the_checkpoint_and_torn_lines_dropped(cut: int, copy: Path, trained: Path) -> None:
    path = copy / "losses.jsonl"
    raw = path.read_bytes()
    lines = raw.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:6]) + b'{"round": 7, "critic/gap": 0.1}\n' + raw[:cut])
    run.LossLog(copy, 6)
    assert path.read_bytes() == raw
    path.write_bytes(b"".join(lines[:3]) + b"5\n" + lines[3])
    assert [r for r, _ in run.read_losses(copy)["critic/gap"]] == [1, 2, 3]


def test_two_trainers_cannot_share_a_folder(copy: Path) -> None:
    (copy / "checkpoints" / ".publishing-000008-01234567").mkdir()
    with run.locked(copy):
        assert not list(copy.rglob(".publishing-*"))
        child = os.fork()
        if child == 0:
            try:
                with run.locked(copy):
                    os._exit(1)
            except UserError as error:
                os._exit(0 if "came another process that trains there; use another --out" in str(error) else 2)
            finally:
                os._exit(3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with run.locked(copy):
        pass


def test_a_new_run_wants_a_new_folder(copy: Path, tmp_path: Path) -> None:
    config = run.RunConfig.read(copy)
    with pytest.raises(UserError, match="holds a run; use --resume"):
        run.create(copy, config)
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("")
    with pytest.raises(UserError, match="is not empty; use another --out"):
        run.create(other, config)


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"[" * 100000, b'{"format": 1}', b'{"format": "x"}', b"\xff"])
def test_an_altered_run_json_gives_one_line(raw: bytes, copy: Path) -> None:
    (copy / "run.json").write_bytes(raw)
    with pytest.raises(UserError, match=r"expected a run description in .* came something altered"):
        run.RunConfig.read(copy)


def test_a_newer_format_is_refused(copy: Path) -> None:
    path = copy / "run.json"
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(UserError, match="has format 2, this version reads up to 1; install a newer"):
        run.RunConfig.read(copy)


def test_another_number_of_processes_is_refused(copy: Path) -> None:
    with pytest.raises(UserError, match="expected 1 processes as in the checkpoint, came 2; launch the same number"):
        run.restore(copy, "000006", duel(), {}, Engine(rank=0, world=2))


def test_another_game_is_refused(copy: Path) -> None:
    def fewer() -> Any:
        experiment = duel()
        experiment.hooks = ()
        return experiment

    def other() -> Any:
        experiment = duel()
        experiment.learners["generator"] = nn.Linear(2, 2)
        return experiment

    with pytest.raises(UserError, match=r"expected the game of the checkpoint in .* came another"):
        back(copy, build=fewer)
    with pytest.raises(UserError, match=r"expected the weights of this recipe in .* came others"):
        back(copy, build=other)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT, errno.EFBIG])
def test_a_disk_that_gives_out_keeps_the_last_good_checkpoint_and_names_it(
    number: int, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(copy)
    experiment, _ = back(copy)
    experiment.clock = Clock(7, 9)

    def fails(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(UserError, match=f"last good checkpoint is {copy / 'checkpoints' / '000006'}; .*--resume"):
        run.save(copy, experiment, streams_for(experiment, points(), 7), Engine())
    assert contents(copy) == before


def test_a_read_only_folder_is_said_in_one_line(copy: Path) -> None:
    experiment, _ = back(copy)
    experiment.clock = Clock(7, 9)
    for path in (copy / "checkpoints", copy, *copy.parents[:4]):
        path.chmod(0o555)
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            run.save(copy, experiment, streams_for(experiment, points(), 7), Engine())
            os._exit(1)
        except UserError as error:
            os._exit(0 if "Permission denied; the last good checkpoint is" in str(error) else 2)
        finally:
            os._exit(3)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for path in (*reversed(copy.parents[:4]), copy, copy / "checkpoints"):
        path.chmod(0o755)
    assert code == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_never_saved_or_loaded(value: float, copy: Path) -> None:
    before = contents(copy)
    experiment, _ = back(copy)
    streams = streams_for(experiment, points(), 7)
    experiment.clock = Clock(7, 9)
    with torch.no_grad():
        experiment.learners["generator"][0].weight[0, 0] = value
    with pytest.raises(NonFinite, match=r"generator.0.weight"):
        run.save(copy, experiment, streams, Engine())
    assert contents(copy) == before
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "_refuse_non_finite", lambda experiment: None)
        run.save(copy, experiment, streams, Engine())
    with pytest.raises(UserError, match=r"expected finite weights in .* learners.generator.0.weight is not"):
        run.restore(copy, "000007", duel(), streams, Engine())


def test_a_pending_alarm_rings_before_anything_is_saved(copy: Path) -> None:
    experiment, _ = back(copy)
    experiment.clock = Clock(6, 9)
    play_on = train(experiment, streams_for(experiment, points(), 7))
    next(play_on)
    alarm = experiment.alarm.__self__  # type: ignore[union-attr]
    alarm.pending = ("critic", 6, ["gap", "gradient"], torch.tensor([False, True]))  # as on an accelerator
    with pytest.raises(NonFinite, match="player 'critic' met a non-finite value in round 6: gap;"):
        run.save(copy, experiment, streams_for(experiment, points(), 7), Engine())
    assert run.latest(copy) == "000006"
    play_on.close()


def test_a_mask_of_infinities_is_a_sound_buffer(tmp_path: Path) -> None:
    def build() -> Any:
        experiment = duel()
        experiment.learners["table"].register_buffer("mask", torch.full((3, 3), float("-inf")).triu(1))
        return experiment

    play(str(tmp_path / "run"), 2, build=build)
    assert back(tmp_path / "run", build=build)[0].clock == Clock(2, 2)


def test_the_config_survives(trained: Path) -> None:
    config = run.RunConfig.read(trained)
    assert config.spec == SPEC
    assert config.rounds == 6


def test_losses_reach_the_disk_before_the_checkpoint(tmp_path: Path) -> None:
    experiment = duel()
    streams = streams_for(experiment, points(), 7)
    log = run.LossLog(tmp_path, 0)
    for step in train(experiment, streams):
        log.add(step)
        if step.clock.round == 3:
            break
    assert (tmp_path / "losses.jsonl").read_bytes() == b""
    run.save(tmp_path, experiment, streams, Engine(), log)
    assert [r for r, _ in run.read_losses(tmp_path)["critic/gap"]] == [1, 2, 3]
