"""Flows and variational autoencoders beside those of zuko, nflows, normflows and pythae: writes docs/peers_explicit.md.

    python -m venv peers && peers/bin/pip install torch==2.13.0
    peers/bin/pip install -c constraints.txt -e . zuko nflows normflows imageio
    peers/bin/pip install --no-deps pythae
    OMP_NUM_THREADS=1 peers/bin/python benchmarks/peers.py

Every cell is kept under `benchmarks/results/peers`: a run that was stopped goes on where it stood, and `--page` only
puts the page together. Seed 0 of all cells comes first.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import importlib.metadata
import json
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loop import hardware
from peer_models import FLOWS, VAES, opened, sides
from peer_vaes import as_ours
from peers_page import page
from peers_speed import memory, memory_here, speed

from simulacra.evaluation.likelihood import log_likelihood
from simulacra.io.publish import canonical, write_atomic

RESULTS = Path(__file__).parent / "results" / "peers"
VECTORS, PICTURES = ("toys:moons", "toys:ring8", "showers"), "mnist:binary"
TRAINED, TIMED = ("zuko", "nflows"), ("zuko", "nflows", "normflows")
SECONDS, SLICE, LOOKS = {"vectors": 12.5, "pictures": 40.0}, 0.25, 10
"""CPU seconds of a training and of a turn of it; looks at the validation part."""
VALIDATION, TEST, SHOWN, DRAWS = 2000, 10_000, 1000, 100
"""Events of the validation and the test part; test pictures of a bound, and its codes."""


def train_in_turns(held: dict[str, Any], seconds: float, watched: torch.Tensor | None) -> dict[str, dict[str, Any]]:
    """Equal CPU seconds for all sides, by turns of a random order; the model and the steps of each.

    Of flows the averaged weights are kept that have the best validation NLL at `LOOKS` evenly spaced times.
    """
    order = np.random.default_rng(0)
    state = {name: {"seconds": 0.0, "steps": 0, "best": np.inf, "model": s.model} for name, s in held.items()}
    for turn in range(1, round(seconds / SLICE) + 1):
        for name in order.permutation(list(held)):
            side, now = held[name], state[name]
            while now["seconds"] < min(turn * SLICE, seconds):
                start = time.process_time()
                side.step(now["seconds"] / seconds)
                now["seconds"] += time.process_time() - start
                now["steps"] += 1
            if watched is not None and turn % round(seconds / SLICE / LOOKS) == 0:
                with torch.no_grad():
                    nll = -float(side.log_prob(side.model, watched).mean())
                if nll < now["best"]:
                    now |= {"best": nll, "model": copy.deepcopy(side.model)}
    return state


def flows(recipe: str, data: str, seed: int) -> dict[str, dict[str, Any]]:
    """Held-out NLL of standardised events in nats, by side."""
    held = sides(recipe, data, seed, TRAINED)
    dataset, rows = opened(data)
    codec = held["simulacra"].codec
    seen, test = (codec.encode(dataset[rows[k][:n]]).x for k, n in (("validation", VALIDATION), ("test", TEST)))
    state, nats = train_in_turns(held, SECONDS["vectors"], seen), {}
    for name, side in held.items():
        with torch.no_grad():
            nats[name] = -side.log_prob(state[name]["model"], test).double().numpy()
    return _told(held, state, nats)


def vaes(recipe: str, data: str, seed: int) -> dict[str, dict[str, Any]]:
    """Minus the importance-weighted bound of black and white pictures in nats, by side; one code computes both."""
    held = sides(recipe, data, seed, ("pythae",))
    dataset, rows = opened(data)
    state, nats = train_in_turns(held, SECONDS["pictures"], None), {}
    for name, side in held.items():
        model = side.model.eval() if name == "simulacra" else as_ours(side.model.eval(), recipe)
        test = dataset[rows["test"][:SHOWN]]
        nats[name] = -log_likelihood(model, held["simulacra"].codec, test, draws=DRAWS, block=250).numpy()
    return _told(held, state, nats)


def _told(held: dict[str, Any], state: dict[str, dict[str, Any]], nats: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What is kept of each side; `difference` is ours minus theirs over the same events, with its error."""
    out = {}
    for name, side in held.items():
        apart = nats["simulacra"] - nats[name]
        out[name] = {
            "parameters": side.parameters,
            "nll": [float(nats[name].mean()), _error(nats[name])],
            "difference": [float(apart.mean()), _error(apart)],
            "steps": state[name]["steps"],
            "seconds": state[name]["seconds"],
            "events": len(apart),
        }
    return out


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / len(values) ** 0.5)


def cells(seeds: list[int]) -> Iterator[tuple[str, ...]]:
    """kind, recipe, data and seed or batch size, in the order in which they are made."""
    for seed in sorted(seeds):
        yield from (("quality", recipe, data, str(seed)) for data in VECTORS for recipe in FLOWS)
        yield from (("quality", recipe, PICTURES, str(seed)) for recipe in VAES)
        if seed == min(seeds):
            yield from (("speed", recipe, VECTORS[-1], size) for recipe in FLOWS for size in ("64", "1024"))
            yield from (("speed", recipe, PICTURES, size) for recipe in VAES for size in ("64", "1024"))
            yield from (("memory", recipe, data, "0") for recipe in FLOWS for data in (VECTORS[0], VECTORS[-1]))


def names(cell: tuple[str, ...]) -> tuple[str, ...]:
    """The sides of a cell, each of which has a file."""
    kind, recipe = cell[:2]
    if kind == "memory":
        return ("simulacra",)
    if kind == "speed":
        return ("pythae",) if recipe in VAES else TIMED
    return ("simulacra", "pythae") if recipe in VAES else ("simulacra", *TRAINED)


def place(cell: tuple[str, ...], side: str) -> Path:
    kind, recipe, data, last = cell
    return RESULTS / f"{kind}-{recipe}-{side}-{data.replace(':', '-')}-{last}.json"


def kept(cell: tuple[str, ...]) -> dict[str, dict[str, Any]] | None:
    """What is known of a cell, by side; nothing where a side is missing."""
    paths = {side: place(cell, side) for side in names(cell)}
    if not all(path.exists() for path in paths.values()):
        return None
    return {side: json.loads(path.read_text()) for side, path in paths.items()}


def measure(cell: tuple[str, ...], pairs: int) -> dict[str, dict[str, Any]]:
    kind, recipe, data, last = cell
    if kind == "memory":
        return {"simulacra": memory(recipe, data)}
    if kind == "speed":
        return speed(recipe, data, names(cell), int(last), pairs)
    return (vaes if recipe in VAES else flows)(recipe, data, int(last))


def versions() -> dict[str, str]:
    found = {name: importlib.metadata.version(name) for name in ("torch", *TIMED, "pythae")}
    return {**found, "date": str(datetime.date.today()), "hardware": hardware()}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    words.add_argument("--pairs", type=int, default=40, help="of every comparison of speed")
    words.add_argument("--page", action="store_true", help="put the page together of what exists")
    words.add_argument("--out", type=Path, default=Path("docs/peers_explicit.md"))
    words.add_argument("--memory", nargs=2, metavar=("RECIPE", "DATA"), help="print the memory of this process")
    asked = words.parse_args()
    torch.set_num_threads(1)
    if asked.memory:
        print(json.dumps(memory_here(*asked.memory)))
        return
    RESULTS.mkdir(parents=True, exist_ok=True)
    about = RESULTS / "about.json"
    wanted = list(cells(asked.seeds))
    for cell in () if asked.page else wanted:
        if kept(cell) is None:
            start = time.process_time()
            for side, found in measure(cell, asked.pairs).items():
                write_atomic(place(cell, side), canonical(found))
            write_atomic(about, canonical(versions()))
            print(f"{' '.join(cell)}: {time.process_time() - start:.0f} CPU s", file=sys.stderr, flush=True)
    told = json.loads(about.read_text()) if about.exists() else {}
    asked.out.write_text(page([(cell, kept(cell)) for cell in wanted], told, SECONDS))


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="Inputs to the softmax are not scaled down")
    main()
