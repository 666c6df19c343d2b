"""Showers for `benchmarks/metrics.py`: a pool of real ones, random parts of it, and what may be wrong with a model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from simulacra.batch import Batch
from simulacra.domains import observables, open_data
from simulacra.evaluation import views
from simulacra.evaluation.arrays import Array
from simulacra.evaluation.measurement import Measurement
from simulacra.protocols import Observable
from simulacra.random import seed_of

NEIGHBOURS = 20
"""Showers of neighbouring energy among which values are shuffled."""
POWER = 1.1
"""Of the monotone distortion."""


@dataclass(frozen=True)
class Sample:
    """Events, and their observables as columns [n, D]."""

    batch: Batch
    table: Array

    @property
    def energy(self) -> Array:
        return self.batch.given["energy"].double().numpy().reshape(-1)

    def __len__(self) -> int:
        return len(self.table)


class Pool:
    """All showers of a file.

    Attributes:
        names: of the columns.
    """

    def __init__(self, name: str) -> None:
        data = open_data(name)
        self.name, self.spec = Path(name).name, data.spec
        self.batch: Batch = data[torch.arange(len(data))]
        self.observables: list[Observable] = list(observables(data.spec))
        self.names = list(views.observed(self.batch[:2], self.spec, self.observables))
        self.table = self.columns(self.batch)

    def columns(self, batch: Batch) -> Array:
        seen = views.observed(batch, self.spec, self.observables)
        return np.stack([values for values, _ in seen.values()], axis=1)

    @cached_property
    def energy(self) -> Array:
        return self.batch.given["energy"].double().numpy().reshape(-1)

    def parts(self, seed: object, *sizes: int) -> list[Sample]:
        """Disjoint random parts of the pool."""
        order = np.random.default_rng(seed_of("metrics", seed)).permutation(len(self.table))[: sum(sizes)]
        return [self.at(part) for part in np.split(order, np.cumsum(sizes)[:-1])]

    def at(self, rows: Array) -> Sample:
        return Sample(self.batch[torch.from_numpy(rows)], self.table[rows])

    def of(self, batch: Batch) -> Sample:
        return Sample(batch, self.columns(batch))

    def scaled(self, sample: Sample, factor: float) -> Sample:
        return self.of(sample.batch.with_x(factor * sample.batch.x))


def among_neighbours(values: Array, energy: Array, draw: np.random.Generator, block: int = NEIGHBOURS) -> Array:
    """Every column shuffled by itself among showers of neighbouring energy; among all of them where block is 0."""
    order = np.argsort(energy, kind="stable")
    out = values.copy()
    for start in range(0, len(order), block or len(order)):
        rows = order[start : start + (block or len(order))]
        out[rows] = draw.permuted(values[rows], axis=0)
    return out


def uncorrelated(sample: Sample, draw: np.random.Generator) -> Sample:
    """Right marginals at every energy, wrong correlations; columns and cells are each shuffled by themselves."""
    x = among_neighbours(sample.batch.x.numpy(), sample.energy, draw)
    table = among_neighbours(sample.table, sample.energy, draw)
    return Sample(sample.batch.with_x(torch.from_numpy(x)), table)


def distorted(sample: Sample) -> Sample:
    """Right rank correlations, wrong marginals; the energy of all showers together stays."""
    x = sample.batch.x.double()
    bent = x**POWER
    bent = bent * (x.sum() / bent.sum())
    mean, spread = sample.table.mean(0), np.maximum(sample.table.std(0), 1e-12)
    z = (sample.table - mean) / spread
    return Sample(sample.batch.with_x(bent.float()), mean + spread * np.sign(z) * np.abs(z) ** POWER)


SITUATIONS: Mapping[str, str] = {
    "identical": "other real showers",
    "shift": "the same with every energy 2 % higher",
    "dropped": "no showers above 40 GeV, in the conditions neither",
    "copied": "the training showers themselves",
    "uncorrelated": f"every column (†: every cell) shuffled among {NEIGHBOURS} showers of neighbouring energy",
    "distorted": f"every column (†: every cell) bent by a power of {POWER}, the order kept",
}


def situation(pool: Pool, name: str, n: int) -> tuple[Sample, Sample, Sample]:
    """Reference, generated and training showers, n of each."""
    order = np.random.default_rng(seed_of("metrics", "behaviour")).permutation(len(pool.table))
    reference, generated, train = (pool.at(order[k * n : (k + 1) * n]) for k in range(3))
    if name == "shift":
        generated = pool.scaled(generated, 1.02)
    elif name == "dropped":
        rest = np.concatenate([order[n : 2 * n], order[3 * n :]])
        generated = pool.at(rest[pool.energy[rest] < 40_000][:n])
    elif name == "copied":
        generated = train
    elif name == "uncorrelated":
        generated = uncorrelated(generated, np.random.default_rng(seed_of("metrics", name)))
    elif name == "distorted":
        generated = distorted(generated)
    return reference, generated, train


def kept(path: Path, compute: Callable[[], Any]) -> Any:
    """What `compute` gives as JSON, from the file where it was computed before."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".part")
        temporary.write_text(json.dumps(compute()), encoding="utf-8")
        temporary.replace(path)
        print(path, flush=True)
    return json.loads(path.read_text(encoding="utf-8"))


def plain(found: Mapping[str, Measurement]) -> dict[str, Any]:
    return {name: m.to_json() for name, m in found.items()}
