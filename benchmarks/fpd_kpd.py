"""FPD and KPD beside those of the JetNet package, same features, same process: `python benchmarks/fpd_kpd.py FILE`.

JetNet needs old libraries, so this runs in an environment of its own:

    python -m venv peers
    peers/bin/pip install torch==2.13.0
    peers/bin/pip install torch==2.13.0 jetnet==0.2.5 "numpy<2" "pyarrow<19" "coffea<2024.6" pytz python-dateutil six
    peers/bin/pip install torch==2.13.0 "numpy<2" safetensors h5py scikit-learn scipy POT defusedxml hatchling
    peers/bin/pip install --no-deps --no-build-isolation -e .
    OMP_NUM_THREADS=1 peers/bin/python benchmarks/fpd_kpd.py showers.h5

FILE holds showers; the features are their observables. The reference is compared with other showers of the same file,
and with those whose every cell is scaled by 1 + SHIFT. The programs take turns, ROUNDS times; times are the least CPU
times. `fpd_bootstrap` and `kpd_batches` are JetNet's definitions; `fpd` and `kpd` are what simulacra prints.
"""

from __future__ import annotations

import argparse
import platform
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from jetnet.evaluation import fpd as their_fpd  # type: ignore[import-not-found]
from jetnet.evaluation import kpd as their_kpd  # type: ignore[import-not-found]

from simulacra.batch import Batch
from simulacra.domains import observables, open_data
from simulacra.evaluation.arrays import Array
from simulacra.evaluation.frechet import fpd, fpd_bootstrap
from simulacra.evaluation.kid import kpd, kpd_batches

MOST, SHIFT = 20_000, 0.02


def features(batch: Batch, seen: list[Any]) -> Array:
    """Every observable as columns, [n, D]."""
    columns = [np.asarray(one(batch), dtype=np.float64).reshape(len(batch), -1) for one in seen]
    return np.concatenate(columns, axis=1)


def timed(compute: Callable[[], Any]) -> tuple[float, float, float]:
    """Value, error and CPU seconds."""
    start = time.process_time()
    found = compute()
    seconds = time.process_time() - start
    value, error = found if isinstance(found, tuple) else (found.value, found.error)
    return float(value), float(error), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--rows", type=int, default=MOST, help="of each sample, at most half of the file")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    data = open_data(asked.file)
    seen = observables(data.spec)
    n = min(asked.rows, len(data) // 2)
    order = np.random.default_rng(0).permutation(len(data))
    reference, other = data[order[:n]], data[order[n : 2 * n]]
    a = features(reference, seen)
    samples = {"same": features(other, seen), "scaled": features(other.with_x(other.x * (1 + SHIFT)), seen)}
    print(f"{n:,} against {n:,} showers, {a.shape[1]} features, numpy {np.__version__}, {platform.machine()}")
    print("| sample | distance | value x 1000 | error x 1000 | CPU s |")
    print("|---|---|---|---|---|")
    for name, b in samples.items():
        programs: dict[str, Callable[[], Any]] = {
            "jetnet fpd": lambda b=b: their_fpd(a, b),
            "simulacra fpd_bootstrap": lambda b=b: fpd_bootstrap(a, b),
            "simulacra fpd": lambda b=b: fpd(a, b),
            "jetnet kpd": lambda b=b: their_kpd(a, b),
            "simulacra kpd_batches": lambda b=b: kpd_batches(a, b),
            "simulacra kpd": lambda b=b: kpd(a, b),
        }
        found: dict[str, list[tuple[float, float, float]]] = {program: [] for program in programs}
        for _ in range(asked.rounds):
            for program, compute in programs.items():
                found[program].append(timed(compute))
        for program, runs in found.items():
            value, error, _ = runs[0]
            seconds = min(run[2] for run in runs)
            print(f"| {name} | {program} | {1e3 * value:.6g} | {1e3 * error:.2g} | {seconds:.2f} |", flush=True)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="Recommended number of samples")
    main()
