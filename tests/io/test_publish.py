"""Publishing: the old state or the new one, whatever fails; and no changed byte goes unseen."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from simulacra.io import publish
from simulacra.io.publish import Damaged, publishing, sweep, verify, write_atomic


class Faults:
    """Makes the k-th call to the disk raise, or end the process."""

    def __init__(self, patch: pytest.MonkeyPatch, k: int, strike: Callable[[], None]) -> None:
        self.left, self.fired, self.strike = k, False, strike
        for name in ("fsync", "rename", "replace", "open", "mkdir", "unlink", "rmdir"):
            patch.setattr(os, name, self._watched(getattr(os, name)))
        for name in ("open", "mkdir", "write_bytes", "unlink"):
            patch.setattr(Path, name, self._watched(getattr(Path, name)))

    def _watched(self, real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                self.fired = True
                self.strike()
            return real(*args, **kwargs)

        return call


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def state_of(target: Path) -> str:
    """`old`, `new` or `nothing`; anything else is Damaged."""
    if not target.exists():
        return "nothing"
    return (verify(target) / "value.txt").read_text()


def publish_new(parent: Path) -> None:
    """What a save does: a new folder, a pointer to it, the old one gone."""
    with publishing(parent / "2") as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "more.txt").write_bytes(b"more" * 1000)
        (folder / "value.txt").write_bytes(b"new")
    write_atomic(parent / "latest", b"2")
    publish.discard(parent / "1")


def old(parent: Path) -> None:
    with publishing(parent / "1") as folder:
        (folder / "value.txt").write_bytes(b"old")
    write_atomic(parent / "latest", b"1")


def whole(parent: Path) -> None:
    one, two = state_of(parent / "1"), state_of(parent / "2")
    assert (one, two) in {("old", "nothing"), ("old", "new"), ("nothing", "new")}
    assert (parent / "latest").read_bytes() in (b"1", b"2")
    assert two == "new" or (parent / "latest").read_bytes() == b"1"


def test_a_fault_at_any_call_leaves_the_old_state_or_the_new_one(tmp_path: Path) -> None:
    for k in range(1, 200):
        parent = tmp_path / str(k)
        old(parent)
        with pytest.MonkeyPatch.context() as patch:
            faults = Faults(patch, k, full)
            with suppress(OSError):
                publish_new(parent)
        whole(parent)
        sweep(parent)
        assert not list(parent.glob(".publishing-*"))
        if not faults.fired:
            break
    assert 20 < k < 199


def test_a_kill_at_any_call_leaves_the_old_state_or_the_new_one(tmp_path: Path) -> None:
    for k in range(1, 200):
        parent = tmp_path / str(k)
        old(parent)
        child = os.fork()
        if child == 0:
            faults = Faults(pytest.MonkeyPatch(), k, lambda: os._exit(77))
            try:
                publish_new(parent)
            finally:
                os._exit(0 if not faults.fired else 1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (0, 77)
        whole(parent)
        sweep(parent)
        assert {p.name for p in parent.iterdir()} <= {"1", "2", "latest"}
        if code == 0:
            break
    assert 20 < k < 199


def example(parent: Path) -> Path:
    target = parent / "sealed"
    with publishing(target) as folder:
        (folder / "weights.safetensors").write_bytes(random.Random(1).randbytes(3000))
        (folder / "state.json").write_bytes(b'{"d":[["clock",[1,2]]]}')
        (folder / "empty").write_bytes(b"")
    return target


def test_a_thousand_flipped_bits_are_seen(tmp_path: Path) -> None:
    target, dice = example(tmp_path), random.Random(2)
    files = [p for p in sorted(target.iterdir()) if p.stat().st_size]
    for k in range(1000):
        path = files[k % len(files)]
        raw = path.read_bytes()
        at = dice.randrange(len(raw) * 8)
        spoilt = bytearray(raw)
        spoilt[at // 8] ^= 1 << at % 8
        path.write_bytes(spoilt)
        with pytest.raises(Damaged):
            verify(target)
        path.write_bytes(raw)
    verify(target)


def test_truncated_missing_and_new_files_are_seen(tmp_path: Path) -> None:
    target = example(tmp_path)
    for path in sorted(target.iterdir()):
        raw = path.read_bytes()
        for cut in {0, 1, len(raw) // 2, len(raw) - 1} & set(range(len(raw))):
            path.write_bytes(raw[:cut])
            with pytest.raises(Damaged, match=path.name):
                verify(target)
        path.write_bytes(raw + b"\0")
        with pytest.raises(Damaged, match=path.name):
            verify(target)
        path.unlink()
        with pytest.raises(Damaged, match=path.name):
            verify(target)
        path.write_bytes(raw)
    (target / "more").write_bytes(b"")
    with pytest.raises(Damaged, match="more is new"):
        verify(target)


@pytest.mark.parametrize("raw", [b"", b"[]", b"1", b'{"digest":"x"}', b"[" * 100000, b"\xff\xfe", b'{"files":[1]}'])
def test_a_foreign_manifest_is_damage_and_nothing_worse(raw: bytes, tmp_path: Path) -> None:
    target = example(tmp_path)
    (target / "manifest.json").write_bytes(raw)
    with pytest.raises(Damaged, match=r"manifest.json is missing or altered; use another checkpoint"):
        verify(target)


def test_an_interrupted_writer_leaves_nothing_but_its_error(tmp_path: Path) -> None:
    def interrupted() -> None:
        with publishing(tmp_path / "x") as folder:
            (folder / "a").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    example(tmp_path)
    with pytest.raises(OSError):  # noqa: PT011, the number differs between filesystems
        example(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["sealed"]
    verify(tmp_path / "sealed")


def test_sweep_takes_only_the_leftovers_it_is_asked_for(tmp_path: Path) -> None:
    for name in ("a-0123abcd", "b-0123abcd"):
        (tmp_path / f".publishing-{name}").mkdir()
    (tmp_path / "kept").write_text("")
    assert [p.name for p in sweep(tmp_path, "a")] == [".publishing-a-0123abcd"]
    sweep(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]
