"""SIGTERM and Ctrl-C end a training at once and cost nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from simulacra.cli import run
from simulacra.training import run as folders

from .test_verbs import COMMAND

ROUNDS = 300


def words(points: Path, out: Path) -> list[str]:
    return [
        *("train", "cgan", "--data", str(points), "--out", str(out), "--rounds", str(ROUNDS), "--width", "16"),
        *("--threads", "1", "--checkpoint-every", "30", "--seed", "3"),
    ]


@pytest.fixture(scope="module")
def whole(points, tmp_path_factory) -> Path:
    """The run that nobody stops."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert run(words(points, out)) == 0
    return out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_a_run_that_goes_on_byte_for_byte(number, code, whole, points, tmp_path, capsys):
    out = tmp_path / "run"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen([*COMMAND, *words(points, out)], stderr=subprocess.PIPE, text=True, env=environment) as child:
        end = time.monotonic() + 120
        while not (out / "checkpoints" / "latest").exists() and time.monotonic() < end:
            time.sleep(0.005)
        child.send_signal(number)
        _, said = child.communicate(timeout=120)
    assert child.returncode == code, said
    assert "Traceback" not in said
    assert "go on with --resume" in said
    at = int(folders.checkpoints(out)[-1])
    assert 30 <= at < ROUNDS
    assert f"stopped at round {at}" in said
    assert run(["train", "cgan", "--resume", "--out", str(out)]) == 0
    assert f"round {at} of {ROUNDS}" in capsys.readouterr().out
    for name in ("losses.jsonl", f"checkpoints/{ROUNDS:06d}/weights.safetensors", "run.json"):
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
