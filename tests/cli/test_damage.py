"""Runs that were spoilt and disks that give out: one line, and nothing half written."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from simulacra.cli import run
from simulacra.training import run as folders

from .conftest import COMMAND, TINY_TREE


@pytest.fixture
def copy(point_run, tmp_path) -> Path:
    """A copy of a run, to be spoilt."""
    return Path(shutil.copytree(point_run, tmp_path / "run"))


def test_a_flipped_byte_is_seen(refuse, copy, tmp_path):
    weights = folders.sound(copy) / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    assert "differs from its checksum" in refuse("sample", copy, "--out", tmp_path / "a.npz")
    assert "differs from its checksum" in refuse("evaluate", copy, "--fast")
    assert not (tmp_path / "a.npz").exists()
    assert not (copy / "report.html").exists()


def test_a_run_without_checkpoint(refuse, copy, tmp_path):
    shutil.rmtree(copy / "checkpoints")
    assert "no checkpoint yet" in refuse("sample", copy, "--out", tmp_path / "a.npz")


def spoilt(body: dict) -> list[object]:
    """`run.json` with each entry missing, and with each replaced by what it cannot be."""
    out: list[object] = [{k: v for k, v in body.items() if k != name} for name in body]
    for value in (None, [], "word", {"word": 1}, -1e30):
        out += [{**body, name: value} for name in body if name not in ("versions", "batch_size")]
    out += [{**body, "arguments": {**body["arguments"], "width": "wide"}}]
    out += [{**body, "arguments": {**body["arguments"], "breadth": 3}}]
    return out


def test_an_altered_description_is_refused(refuse, copy, tmp_path):
    path = copy / "run.json"
    body = json.loads(path.read_text())
    path.write_text(json.dumps({**body, "format": 999}))
    assert "install a newer simulacra" in refuse("sample", copy, "--out", tmp_path / "a.npz")
    for text in (b"", b"\xff\xfe\x00", b"[]", b"{}", b"null", b'{"format": 1}', b"[" * 100_000, b'{"format": "x"}'):
        path.write_bytes(text)
        assert "run description" in refuse("sample", copy, "--out", tmp_path / "a.npz")
    for other in spoilt(body):
        path.write_text(json.dumps(other))
        code = run(["sample", str(copy), "--out", str(tmp_path / "a.npz"), "-n", "3"])
        if code:
            refuse("sample", copy, "--out", tmp_path / "a.npz", "-n", "3")
    path.unlink()
    assert "expected a run folder" in refuse("sample", copy, "--out", tmp_path / "b.npz")


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_disk_that_gives_out(reason, refuse, points, point_run, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(os, "replace", fail)
    monkeypatch.setattr(os, "rename", fail)
    words = ["train", "cgan", "--data", points, "--width", "8", "--rounds", "2", "--threads", "1"]
    assert os.strerror(reason) in refuse(*words, "--out", tmp_path / "run")
    assert os.strerror(reason) in refuse("sample", point_run, "--out", tmp_path / "a.npz", "-n", "3")
    left = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert left == []


def limited() -> None:
    """Files of at most 32 KiB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 15, 1 << 15))


def test_a_full_disk_leaves_nothing_half_written(showers, shower_run, tmp_path):
    out, new = tmp_path / "run", tmp_path / "new.h5"
    for words in (
        ["sample", shower_run, "--out", new, "-n", "400"],
        ["train", "calorimeter_tree", "--data", showers, "--out", out, "--rounds", "2", "--threads", "1", *TINY_TREE],
    ):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [*COMMAND, *map(str, words)], capture_output=True, text=True, env=environment, preexec_fn=limited
        )
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("simulacra: ")
        assert done.stderr.count("\n") == 1
    assert not new.exists()
    assert folders.checkpoints(out) == []
    assert not [p for p in tmp_path.rglob("*") if "publishing" in p.name or "writing" in p.name]
