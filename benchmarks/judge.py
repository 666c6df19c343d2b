"""What judging costs: everything but the classifiers, on as many showers as asked for, in time and memory.

    python benchmarks/judge.py --showers 20000

Showers are drawn with replacement from the bundled ones and jittered by 0.1 % per cell, so that none are equal.
"""

from __future__ import annotations

import argparse
import resource
import time

import torch

from simulacra.batch import Batch
from simulacra.domains import observables, open_data
from simulacra.evaluation import evaluate, verdict


def resampled(events: Batch, count: int, seed: int) -> Batch:
    """`count` events, each a jittered one of `events`."""
    draw = torch.Generator().manual_seed(seed)
    rows = torch.randint(len(events), (count,), generator=draw)
    x = events.x[rows] * (1 + 1e-3 * torch.randn(count, events.x.shape[1], generator=draw))
    return Batch(x, {name: value[rows] for name, value in events.given.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--showers", type=int, default=20_000)
    options = parser.parse_args()
    data = open_data("electrons")
    thirds = [data[slice(k, None, 3)] for k in range(3)]
    reference, generated, train = (resampled(part, options.showers, k) for k, part in enumerate(thirds))
    wall, cpu = time.perf_counter(), time.process_time()
    found = evaluate(reference, generated, data.spec, observables(data.spec), train, classifiers=False)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(*verdict(found), sep="\n")
    print(f"{options.showers:,} against {options.showers:,} showers of {data.spec.x.size} cells: ", end="")
    print(f"{wall:.0f} s, {cpu:.0f} s of CPU, {memory:.2f} GiB at most, {len(found.metrics)} metrics")


if __name__ == "__main__":
    main()
