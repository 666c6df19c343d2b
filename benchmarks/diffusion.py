"""Diffusion of pictures in many steps and few, beside the best adversarial recipe: writes docs/diffusion.md.

    python benchmarks/diffusion.py

`ddpm` and `edm` are trained for the CPU minutes; for the distilled rows `edm` is trained for half of them and is the
teacher in the other half. A training is kept under `benchmarks/results/diffusion` with a hash of its code: a run that
was stopped goes on where it stood, and `--page` only puts the page together. The adversarial rows are those of
`python benchmarks/gan.py` at the same budget, whose minutes are those of a quiet machine here too. One thread.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gan
import numpy as np
import torch
from cells import PILOT, Cell, build, code, kept
from loop import hardware
from pace import pace
from spread import numbers as judged
from spread import spread

from simulacra.batch import Batch, join
from simulacra.diffusion import Ancestral, ProbabilityFlow, distillation
from simulacra.evaluation.coverage import coverage
from simulacra.evaluation.frechet import fid
from simulacra.evaluation.images import accuracy, look, train_classifier
from simulacra.evaluation.kid import kid
from simulacra.io.publish import canonical, write_atomic
from simulacra.recipes import distilled_diffusion
from simulacra.surrogate import Surrogate, generate
from simulacra.workflow import begin

RESULTS = Path(__file__).parent / "results" / "diffusion"
DATA, N = "fashion-mnist", 2048
HARNESS = 2
"""Raised where this file changes what a training measures."""


@dataclass(frozen=True)
class Row:
    """A training, and how it is sampled: name -> sampler, `None` for its own, and weight of guidance."""

    recipe: str
    samplers: dict[str, tuple[Any, float]]


ROWS = (
    Row("ddpm", {"DDPM, 100 steps": (Ancestral(100, 1.0, clip=1.0), 1.0),
                 "DDIM, 50 steps": (Ancestral(50, 0.0, clip=1.0), 1.0),
                 "DDIM, 50 steps, guidance 2": (Ancestral(50, 0.0, clip=1.0), 2.0),
                 "DDIM, 4 steps": (Ancestral(4, 0.0, clip=1.0), 1.0)}),
    Row("edm", {"Heun, 18 steps": (ProbabilityFlow(18, "heun"), 1.0),
                "Heun, 18 steps, guidance 2": (ProbabilityFlow(18, "heun"), 2.0),
                "Euler, 4 steps": (ProbabilityFlow(4, "euler"), 1.0)}),
    Row("distilled_diffusion", {"distilled, 4 steps": (None, 1.0)}),
)  # fmt: skip


def place(row: Row, minutes: float, seed: int) -> Path:
    return RESULTS / f"{row.recipe}-{DATA}-{minutes:g}min-{seed}.json"


def key(row: Row, minutes: float, seed: int) -> str:
    """A hash of the code of the training, of its samplers and of the budget."""
    first = "edm" if row.recipe == "distilled_diffusion" else row.recipe
    parts = [HARNESS, code(Cell(first, DATA, minutes, seed)), N, sorted(row.samplers)]
    if first != row.recipe:
        parts += [Path(m.__file__ or "").read_text() for m in (distillation, distilled_diffusion)]
    return hashlib.sha256(canonical(parts)).hexdigest()[:12]


def found(row: Row, minutes: float, seed: int) -> dict[str, Any] | None:
    """The numbers of a training if they are there and of today's code."""
    path = place(row, minutes, seed)
    numbers = json.loads(path.read_text()) if path.exists() else None
    return numbers if numbers and numbers["code"] == key(row, minutes, seed) else None


def play(folder: Path, recipe: str, minutes: float, seed: int, **arguments: Any) -> tuple[Surrogate, float, int]:
    """A run of as many rounds as fit into the CPU minutes, as a pilot tells; its CPU seconds and images seen.

    Minutes are those of a quiet machine: a fixed piece of work before and after the pilot says how slow it is just now.
    """

    def run(name: str, rounds: int) -> tuple[Any, float]:
        training = begin(folder / name, recipe, DATA, arguments, rounds=rounds, seed=seed, threads=1)
        start = time.process_time()
        for _ in training.rounds():
            pass
        return training, time.process_time() - start

    before = pace()
    _, pilot = run(f"{recipe}-pilot", PILOT)
    slow = (before + pace()) / 2
    training, seconds = run(recipe, max(PILOT, round(PILOT * 60 * minutes * slow / pilot)))
    stream = training.streams["data"]
    return training.surrogate(), seconds, stream.epoch * training.config.spec.rows + stream.at


def measure(row: Row, minutes: float, seed: int) -> dict[str, Any]:
    """Trains one row and judges every way of sampling it on pictures that were held out."""
    _, dataset, rows = build(Cell("edm", DATA, minutes, seed))
    classifier = train_classifier(dataset[rows["train"][:5000]], spec=dataset.spec, epochs=10)
    real, spare = dataset[rows["test"][:N]], dataset[rows["train"][: 5 * N]]
    label = real.given["label"].flatten()
    (a, _), (c, _) = (look(classifier, batch.x) for batch in (real, spare))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if row.recipe == "distilled_diffusion":
            _, before, seen = play(folder, "edm", minutes / 2, seed)
            surrogate, seconds, images = play(folder, row.recipe, minutes / 2, seed, teacher=str(folder / "edm"))
            seconds, images = seconds + before, images + seen
        else:
            surrogate, seconds, images = play(folder, row.recipe, minutes, seed)
    model: Any = surrogate.experiment.model
    ways = {}
    for way, (sampler, guidance) in row.samplers.items():
        model.sampler, model.guidance = sampler or model.sampler, guidance
        start = time.process_time()
        made: Batch = join(list(generate(model, surrogate.experiment.codec, N, real.given, seed)))
        spent = time.process_time() - start
        b, b_class = look(classifier, made.x)
        near = coverage(a, b, c[:N])
        ways[way] = {
            "calls": model.evaluations,
            "milliseconds": 1e3 * spent / N,
            "fid": judged(fid(a, b, c)),
            "kid": judged(kid(a, b)),
            **{name: judged(near[name]) for name in ("precision", "recall")},
            "asked": float((b_class == label.numpy()).mean()),
        }
    return {
        "ways": ways,
        "seconds": seconds,
        "images": images,
        "accuracy": accuracy(classifier, real.x, label),
        "parameters": sum(p.numel() for p in model.parameters()),
    }


def best_gan(minutes: float, count: int = 2) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The adversarial recipes of the smallest FID at these minutes, over the seeds that were trained."""
    names = {path.name.split("-")[0] for path in gan.RESULTS.glob(f"*-{DATA}-{minutes:g}min-*.json")}
    have = {n: [kept(gan.RESULTS, Cell(n, DATA, minutes, seed)) for seed in range(3)] for n in sorted(names)}
    good = {n: [f for f in v if f is not None and "fid" in f] for n, v in have.items()}
    yield from sorted(((n, v) for n, v in good.items() if v), key=lambda i: _mean(i[1], "fid"))[:count]


def page(budgets: Sequence[float]) -> str:
    """The document, of what exists."""
    lines = [
        "# Diffusion in many steps and few",
        "",
        f"Made by `python benchmarks/diffusion.py` with torch {torch.__version__.split('+')[0]}, one thread of a CPU."
        f" Fashion-MNIST at 28 pixels, told the class. {N:,} samples stand against {N:,} held-out pictures on the"
        " features of a classifier trained on real ones; FID is the squared distance, KID is multiplied by 1,000."
        " `calls` of the network for a sample, two a step with guidance. A distilled model shares its CPU minutes"
        " equally with its teacher, a run of `edm`. Minutes are those of a quiet machine, by"
        " how slow a fixed piece of work was before the training; milliseconds of sampling are divided by the same."
        " Adversarial rows are the best two of docs/gan.md at the same"
        " budget, of 5,000 samples. ± is the standard error over seeds, of a single seed the estimator's own.",
        "",
    ]
    for minutes in budgets:
        have = [(row, [f for seed in range(3) if (f := found(row, minutes, seed))]) for row in ROWS]
        held = [f for _, numbers in have for f in numbers]
        if not held:
            continue
        first = next(iter(held[0]["ways"].values()))
        lines += [
            f"## {minutes:g} CPU minutes",
            "",
            f"Floor: FID {first['fid'][2]:.2f} ± {first['fid'][3]:.2f}, precision {first['precision'][2]:.3f}, recall"
            f" {first['recall'][2]:.3f}. The classifier is right on"
            f" {100 * held[0]['accuracy']:.1f} % of real pictures.",
            "",
            "| recipe | sampler | seeds | calls | FID | KID | precision | recall | as asked | images seen |"
            " parameters | ms a sample |",
            "|" + "---|" * 12,
        ]
        for row, numbers in have:
            for way in row.samplers if numbers else ():
                ways = [f["ways"][way] for f in numbers]
                words = [f"`{row.recipe}`", way, str(len(ways)), str(ways[0]["calls"]), *_quality(ways)]
                words += [f"{100 * _mean(ways, 'asked'):.1f} %", f"{_mean(numbers, 'images'):,.0f}"]
                words += [f"{numbers[0]['parameters']:,}", f"{_quiet(numbers, way, minutes):.1f}"]
                lines.append("| " + " | ".join(words) + " |")
        for name, numbers in best_gan(minutes):
            asked = [100 * np.mean(f["asked"]) for f in numbers if f["asked"]]
            words = [f"`{name}`", "", str(len(numbers)), "1", *_quality(numbers)]
            words += [f"{np.mean(asked):.1f} %" if asked else "", f"{_mean(numbers, 'images'):,.0f}"]
            words += [f"{sum(numbers[0]['parameters'].values()):,}"]
            words += [f"{np.mean([f['milliseconds']['1000'] for f in numbers]):.1f}"]
            lines.append("| " + " | ".join(words) + " |")
        lines.append("")
    return "\n".join(lines)


def _quality(rows: Sequence[dict[str, Any]]) -> list[str]:
    scales: list[tuple[str, float, int]] = [("fid", 1, 2), ("kid", 1e3, 1), ("precision", 1, 3), ("recall", 1, 3)]
    return [spread(rows, name, scale, digits) for name, scale, digits in scales]


def _quiet(numbers: Sequence[dict[str, Any]], way: str, minutes: float) -> float:
    """Milliseconds a sample, divided by how much longer than its minutes the training took."""
    return float(np.mean([f["ways"][way]["milliseconds"] * 60 * minutes / f["seconds"] for f in numbers]))


def _mean(rows: Sequence[dict[str, Any]], name: str) -> float:
    return float(np.mean([r[name][0] if isinstance(r[name], list) else r[name] for r in rows]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[5.0, 20.0], help="of CPU for every row")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--page", action="store_true", help="put the page together of what exists")
    parser.add_argument("--out", type=Path, default=Path("docs/diffusion.md"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    RESULTS.mkdir(parents=True, exist_ok=True)
    for minutes in () if asked.page else asked.minutes:
        for seed in asked.seeds:
            for row in ROWS:
                if found(row, minutes, seed) is None:
                    numbers = measure(row, minutes, seed)
                    write_atomic(place(row, minutes, seed), canonical({"code": key(row, minutes, seed), **numbers}))
                    print(f"{row.recipe}, {minutes:g} min, seed {seed}", file=sys.stderr, flush=True)
    made = f"Command: `python {sys.argv[0]}`, {hardware()}, {datetime.date.today()}.\n"
    asked.out.write_text(f"{page(sorted(set(asked.minutes) | {5.0, 20.0}))}\n{made}", encoding="utf-8")


if __name__ == "__main__":
    main()
