"""Games known to go wrong, and what `simulacra train` says: `python benchmarks/alarms.py` writes docs/alarms.md.

Every alarm is raised by a recipe that is known to suffer it; the same recipe with a remedy, or the recipe that its line
recommends, raises it not. Each training is a command line in a process of its own.
"""

from __future__ import annotations

import argparse
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import torch

from simulacra.domains import open_data
from simulacra.training.alarms import REMEDIES

CASES = {
    "vanishing gradient": (
        "minimax_gan --data toys:ring8 --steps 10 --rounds 600",
        "gan --data toys:ring8 --rounds 600",
        "The saturating loss under a discriminator of ten turns; the non-saturating loss.",
    ),
    "collapse": (
        "gan --data toys:ring8 --hidden 16 --lr 0.0003 --rounds 800",
        "wgan_gp --data toys:ring8 --rounds 600",
        "Tiny networks at a low rate; the critic with a gradient penalty.",
    ),
    "oscillation": (
        "gan --data toys:ring8 --hidden 32 --lr 0.0003 --rounds 1500",
        "r1_gan --data toys:ring8 --rounds 1500",
        "Small networks at a low rate; the penalty of the gradient at real events.",
    ),
    "divergence": (
        "wgan --data toys:ring8 --clip 100 --lr 0.005 --warm 5 --rounds 600",
        "wgan --data toys:ring8 --warm 5 --rounds 600",
        "A Wasserstein critic that nothing holds; clipped weights.",
    ),
    "overfit critic": (
        "minibatch_gan --data {few} --batch 64 --rounds 1000",
        "minibatch_gan --data {many} --batch 64 --rounds 1000",
        "1,000 pictures of Fashion-MNIST as 49 numbers each, of which 640 are trained on; all of them.",
    ),
}


def lines(command: str, seed: int, folder: Path) -> dict[str, str]:
    """The alarms that a command raises, by name."""
    words = f"train {command} --seed {seed} --threads 1 --out {folder / 'run'}".split()
    done = subprocess.run([sys.executable, "-m", "simulacra", *words], capture_output=True, text=True, check=True)
    found = re.findall(rf"^(?:.*?)(({'|'.join(REMEDIES)}) at round \d+: .*)$", done.stdout + done.stderr, re.MULTILINE)
    return {name: line for line, name in found}


@cache
def pooled(rows: int) -> np.ndarray:
    """The first pictures of Fashion-MNIST as means over squares of 4 x 4 pixels, [rows, 49]."""
    x = open_data("fashion-mnist")[torch.arange(rows)].x
    return x.reshape(-1, 7, 4, 7, 4).mean((2, 4)).flatten(1).numpy()


def tables(seeds: int) -> Iterator[str]:
    yield "| alarm | seed | command | says | with the remedy | says it |"
    yield "|---|---|---|---|---|---|"
    for name, (wrong, right, _) in CASES.items():
        for seed in range(seeds):
            said = []
            for command in (wrong, right):
                with tempfile.TemporaryDirectory() as folder:
                    places = {kind: Path(folder) / f"{kind}.npz" for kind in ("few", "many")}
                    for kind, rows in (("few", 1000), ("many", 60_000)):
                        np.savez(places[kind], x=pooled(rows))
                    said.append(lines(command.format(**places), seed, Path(folder)))
            shown = [c.format(few="few.npz", many="many.npz") for c in (wrong, right)]
            print(name, seed, said, file=sys.stderr, flush=True)
            yield (
                f"| {name} | {seed} | `{shown[0]}` | {said[0].get(name, '**nothing**')} | `{shown[1]}` |"
                f" {'**yes**' if name in said[1] else 'no'} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("docs/alarms.md"))
    asked = parser.parse_args()
    table = list(tables(asked.seeds))
    machine = f"{platform.processor() or platform.machine()}, torch {torch.__version__}, {date.today()}"
    text = [
        "# Alarms: what goes wrong in a game, and what is said of it",
        "",
        "`simulacra train` watches every game and says each of these once, in one line with its cure; it never stops a"
        " run nor changes it. Below are games known to suffer them, and the same after a remedy.",
        "",
        *(f"* **{name}.** {words}" for name, (_, _, words) in CASES.items()),
        "",
        *table,
        "",
        f"Command: `python benchmarks/alarms.py --seeds {asked.seeds}`, {machine}.",
        "",
    ]
    asked.out.write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
