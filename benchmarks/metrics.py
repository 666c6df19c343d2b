"""What every metric of the judge is and how it behaves: `python benchmarks/metrics.py`.

Parts, each of them `--part NAME`: `behaviour` (every metric in six situations), `pulls` (are errors and floors right?),
`defects` (planted defects against the families of tests), `null` (real against real showers through the gate) and
`classifiers`. What was computed lies as JSON under `--cache`, by the data's fingerprint, so that a run that was stopped
goes on; remove the folder where a metric has changed. The page, `docs/metrics.md`, is put together from these files and
from `metrics_definitions.md`.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import torch
from metrics_measured import behaviour, classifiers, defect_table, null
from metrics_page import page
from metrics_pulls import CASES, pulls
from metrics_showers import SITUATIONS, Pool, kept

PARTS = ("behaviour", "pulls", "defects", "null", "classifiers")
EACH, SPLITS, NULLS = 1000, 4, 40
SIZES = {2000: "", 4000: "resolution"}
"""Showers a side, and the defects that are planted there (all, or those whose name starts so)."""
LOOKS = ("shuffled", "neighbours", "resampled", *(f"real{k}" for k in range(10)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="electrons", help="showers: a name, or an HDF5 file of more of them")
    parser.add_argument("--part", choices=PARTS, action="append", help="compute only this one (may be repeated)")
    parser.add_argument("--cache", type=Path, default=Path("runs/metrics"))
    parser.add_argument("--out", type=Path, default=Path("docs/metrics.md"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    pool = Pool(asked.data)
    folder = asked.cache / pool.spec.fingerprint[:8]
    for part in asked.part or PARTS:
        start = time.process_time()
        if part == "behaviour":
            for name in SITUATIONS:
                kept(folder / part / f"{name}.json", lambda name=name: behaviour(pool, name, EACH))
        elif part == "pulls":
            for name in CASES:
                kept(folder / part / f"{name}.json", lambda name=name: pulls(pool, name))
        elif part == "defects":
            for (n, only), k in itertools.product(SIZES.items(), range(SPLITS)):
                kept(folder / part / f"{n}-{k}.json", lambda n=n, only=only, k=k: defect_table(pool, n, k, only))
        elif part == "null":
            for k in range(NULLS):
                kept(folder / part / f"{k}.json", lambda k=k: null(pool, min(SIZES), k))
        else:
            for name in LOOKS:
                kept(folder / part / f"{name}.json", lambda name=name: classifiers(pool, name, EACH))
        print(f"{part}: {time.process_time() - start:.0f} CPU s", flush=True)
    asked.out.write_text(page(folder, pool), encoding="utf-8")


if __name__ == "__main__":
    main()
