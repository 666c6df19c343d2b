"""Nothing is lost: a training that is killed again and again ends as one that never was."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from games import contents

ROUNDS = 30


def test_a_training_killed_twenty_times_ends_byte_equal(tmp_path: Path, forks) -> None:
    began = time.monotonic()
    assert forks.run("play", str(tmp_path / "whole"), ROUNDS) == 0
    whole = time.monotonic() - began
    want, dice = contents(tmp_path / "whole"), random.Random(4)
    kills, lives, folder = 0, 0, tmp_path / "life0"
    while kills < 20:
        pid = forks.start("play", str(folder), ROUNDS)
        code = forks.wait(pid, dice.uniform(0, whole / 3))
        if code is None:
            os.kill(pid, signal.SIGKILL)
            code = forks.wait(pid)
        kills += code == -signal.SIGKILL
        assert code in (0, -signal.SIGKILL)
        if code == 0:
            assert contents(folder) == want
            lives += 1
            folder = tmp_path / f"life{lives}"
    assert forks.run("play", str(folder), ROUNDS) == 0
    assert contents(folder) == want


def start_both(forks, environments, folder: Path, rounds: int, log: Path) -> list[int]:
    return [forks.start("play", str(folder), rounds, log=log, **e) for e in environments]


def test_two_processes_of_which_one_is_killed_end_byte_equal(tmp_path: Path, forks, ranks) -> None:
    log = tmp_path / "log"
    began = time.monotonic()
    pids = start_both(forks, ranks(2), tmp_path / "whole", 14, log)
    assert [forks.wait(p) for p in pids] == [0, 0], log.read_text()
    whole = time.monotonic() - began
    want, dice = contents(tmp_path / "whole"), random.Random(5)
    assert any(name.endswith("rank1.safetensors") for name in want)
    kills, lives, folder = 0, 0, tmp_path / "life0"
    while kills < 20:
        victim = dice.randrange(2)
        pids = start_both(forks, ranks(2), folder, 14, log)
        code = forks.wait(pids[victim], dice.uniform(0, whole / 2))
        if code is None:
            os.kill(pids[victim], signal.SIGKILL)
            code = forks.wait(pids[victim])
        kills += code == -signal.SIGKILL
        other = forks.wait(pids[1 - victim], 120)  # one who died before they met is missed after 60 s
        assert other is not None, "the other process hangs"
        if other == code == 0:
            assert contents(folder) == want
            lives += 1
            folder = tmp_path / f"life{lives}"
    pids = start_both(forks, ranks(2), folder, 14, log)
    assert [forks.wait(p) for p in pids] == [0, 0], log.read_text()
    assert contents(folder) == want


@pytest.mark.parametrize("who", [0, 1])
def test_a_stuck_process_ends_the_job_with_its_name(who: int, tmp_path: Path, forks, ranks) -> None:
    log = tmp_path / "log"
    pids = [forks.start("stuck", "", who, log=log, **e) for e in ranks(2)]
    try:
        assert forks.wait(pids[1 - who], 20) == 1
        assert f"process {1 - who} of 2 lost process {who}:" in log.read_text()
    finally:
        os.kill(pids[who], signal.SIGKILL)
        forks.wait(pids[who])


def test_two_processes_give_the_gradients_of_one_on_the_joined_batch(tmp_path: Path, forks, ranks) -> None:
    log = tmp_path / "log"
    assert forks.run("gradients", str(tmp_path), log=log) == 0, log.read_text()
    pids = [forks.start("gradients", str(tmp_path), log=log, **e) for e in ranks(2)]
    assert [forks.wait(p) for p in pids] == [0, 0], log.read_text()
    for case in ("plain", "weighted", "unused"):
        one, two = (json.loads((tmp_path / f"{case}-{n}.json").read_text()) for n in (1, 2))
        for a, b in zip(one[0], two[0], strict=True):
            assert a == pytest.approx(b, abs=1e-9), case
        assert any(abs(v) > 1e-3 for v in one[0][0])
        assert any(abs(v) > 1e-3 for v in one[0][-1]) == (case == "unused")
        for name in one[1]:
            assert one[1][name] == pytest.approx(two[1][name], abs=1e-9), (case, name)


def test_a_file_size_limit_keeps_the_last_good_checkpoint_and_names_it(tmp_path: Path, forks) -> None:
    log = tmp_path / "log"
    folder = tmp_path / "run"
    assert forks.run("limited", str(folder), 3000, log=log) == 2, log.read_text()
    assert f"the last good checkpoint is {folder / 'checkpoints' / '000004'}" in log.read_text()
    assert len(log.read_text().splitlines()) == 1
    assert not list(folder.rglob(".publishing-*"))
    assert forks.run("play", str(tmp_path / "whole"), 8) == 0
    assert forks.run("play", str(folder), 8, log=log) == 0, log.read_text()
    assert contents(folder) == contents(tmp_path / "whole")
