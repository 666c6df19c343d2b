"""A process that has imported everything already, and forks one that runs a function: a kill costs milliseconds."""

from __future__ import annotations

import importlib
import json
import os
import select
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


class Forks:
    """Starts functions of `games` in forked processes.

    `start` gives a pid, `wait` its exit status (negative: killed by that signal; None: still alive after `timeout`).
    """

    def __init__(self) -> None:
        self.server = subprocess.Popen(
            [sys.executable, str(Path(__file__))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE
        )
        assert self._ask({}) == "ready"

    def _ask(self, question: dict[str, Any]) -> Any:
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(json.dumps(question) + "\n")
        self.server.stdin.flush()
        return json.loads(self.server.stdout.readline())

    def start(self, function: str, *arguments: Any, log: Path | None = None, **environment: str) -> int:
        return self._ask(
            {"call": function, "with": arguments, "environment": environment, "log": str(log or os.devnull)}
        )

    def wait(self, pid: int, timeout: float = 120.0) -> int | None:
        return self._ask({"wait": pid, "timeout": timeout})

    def run(self, function: str, *arguments: Any, **options: Any) -> int | None:
        return self.wait(self.start(function, *arguments, **options))

    def close(self) -> None:
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.close()
        self.server.wait(20)
        self.server.stdout.close()


def _child(question: dict[str, Any]) -> None:
    code = 1
    try:
        log = os.open(question["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.environ.update(question["environment"])
        getattr(importlib.import_module("games"), question["call"])(*question["with"])
        code = 0
    except BaseException as error:
        code = getattr(error, "exit_code", 1)
        os.write(2, (traceback.format_exc() + f"\n{error}\n").encode())
    finally:
        os._exit(code)


def _wait(pid: int, timeout: float) -> int | None:
    end = time.monotonic() + timeout
    handle = os.pidfd_open(pid)
    try:
        if not select.select([handle], [], [], max(0.0, end - time.monotonic()))[0]:
            return None
    finally:
        os.close(handle)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def serve() -> None:
    import games
    import torch
    import torch.distributed

    torch.set_num_threads(1)
    assert games.play
    for line in sys.stdin:
        question = json.loads(line)
        answer: Any = "ready"
        if "call" in question:
            answer = os.fork()
            if answer == 0:
                _child(question)
        elif "wait" in question:
            answer = _wait(question["wait"], question["timeout"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
