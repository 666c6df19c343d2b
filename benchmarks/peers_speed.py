"""Speed of simulacra against other packages, and memory of densities: what `peers.py` asks for sections B and C."""

from __future__ import annotations

import contextlib
import io
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peer_models import VAES, Ours, opened, sides

from simulacra.batch import Batch
from simulacra.evaluation.likelihood import log_likelihood

WARM, POINTS, DRAWS = 3, 1_000_000, 10
"""Rounds that are not counted; points whose density is asked; codes of the bound that is timed."""


def speed(recipe: str, data: str, peers: tuple[str, ...], batch: int, pairs: int) -> dict[str, dict[str, Any]]:
    """CPU milliseconds of a step, a sample and a density of all sides, in rounds of random order; by peer."""
    found: dict[str, dict[str, Any]] = {name: {} for name in peers}
    held = sides(recipe, data, 0, peers, batch)
    for name, calls in _operations(held, recipe, data, batch).items():
        taken = _rounds(calls, pairs)
        for peer in peers:
            ratio = taken[peer] / taken["simulacra"]
            middle, low, high = interval(ratio)
            found[peer][name] = {
                "ratio": [middle, low, high],
                "ms": [1e3 * float(np.median(taken[side])) for side in ("simulacra", peer)],
                "pairs": pairs,
            }
    return found


def interval(ratio: np.ndarray, draws: int = 4000) -> tuple[float, float, float]:
    """The median and its 95 % bootstrap interval."""
    rows = np.random.default_rng(0).integers(0, len(ratio), (draws, len(ratio)))
    low, high = np.quantile(np.median(ratio[rows], axis=1), [0.025, 0.975])
    return float(np.median(ratio)), float(low), float(high)


def _operations(held: dict[str, Any], recipe: str, data: str, batch: int) -> dict[str, dict[str, Callable[[], Any]]]:
    ours: Ours = held["simulacra"]
    dataset, rows = opened(data)
    x = ours.codec.encode(dataset[rows["test"][:batch]]).x
    out: dict[str, dict[str, Callable[[], Any]]] = {
        "step": {name: lambda side=side: side.step(0.1) for name, side in held.items()},
        "sample": {name: lambda side=side: side.sample(batch) for name, side in held.items()},
    }
    if recipe not in VAES:
        out["log_prob"] = {name: _without_gradient(side.log_prob, side.model, x) for name, side in held.items()}
    elif batch <= 64:
        out["bound"] = {
            "simulacra": _without_gradient(lambda model, x: model.log_prob_bound(Batch(x), DRAWS), ours.model, x),
            "pythae": _without_gradient(_quiet_nll, held["pythae"].model, (x + 1) / 2),
        }
    return out


def _without_gradient(of: Callable[[Any, Any], Any], model: Any, x: Any) -> Callable[[], Any]:
    def call() -> Any:
        with torch.no_grad():
            return of(model, x)

    return call


def _quiet_nll(model: Any, x: Any) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):
        return model.get_nll(x, DRAWS, DRAWS)


def _rounds(calls: dict[str, Callable[[], Any]], pairs: int) -> dict[str, np.ndarray]:
    order = np.random.default_rng(0)
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for k in range(pairs + WARM):
        for name in order.permutation(list(calls)):
            start = time.process_time()
            calls[name]()
            if k >= WARM:
                taken[name].append(time.process_time() - start)
    return {name: np.array(values) for name, values in taken.items()}


def memory(recipe: str, data: str) -> dict[str, Any]:
    """Peak resident memory, in MiB, of a process of its own that asks the density of 10^6 points."""
    script = str(Path(__file__).parent / "peers.py")
    said = subprocess.run(
        [sys.executable, script, "--memory", recipe, data], capture_output=True, text=True, check=True
    )
    return json.loads(said.stdout.splitlines()[-1])


def memory_here(recipe: str, data: str) -> dict[str, Any]:
    """In this process: the peak before the density is asked, and after it."""
    ours = Ours(recipe, data, 0)
    for _ in range(2):  # off the identity
        ours.step(0.1)
    dataset, _ = opened(data)
    rows = torch.randint(len(dataset), (POINTS,), generator=torch.Generator().manual_seed(0))
    points = dataset[rows]
    before, start = _peak(), time.process_time()
    found = log_likelihood(ours.model, ours.codec, points)
    return {
        "before": before,
        "peak": _peak(),
        "seconds": time.process_time() - start,
        "points": len(found),
        "finite": bool(torch.isfinite(found).all()),
    }


def _peak() -> float:
    """MiB of this program alone where the system says so: `getrusage` also counts the process that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
