"""Every adversarial recipe for pictures, trained for equal CPU time: `python benchmarks/gan.py` writes docs/gan.md.

A cell (recipe, data, CPU minutes, seed) is kept under `benchmarks/results/gan` with a hash of the code of which its
game is made: a run that was stopped goes on where it stood, `--page` only puts the page together, and two processes may
share the work by `--seeds` or `--only`. One thread per process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cells import Cell, Trained, build, command, kept, longer, played, rounds_of, trained
from pace import crowded
from sklearn.metrics import normalized_mutual_info_score
from spread import numbers, spread
from torch import Tensor

from simulacra import recipes
from simulacra.batch import Batch
from simulacra.evaluation.coverage import coverage
from simulacra.evaluation.frechet import fid, frechet
from simulacra.evaluation.images import accuracy, look, train_classifier
from simulacra.evaluation.kid import kid
from simulacra.evaluation.latent import decode
from simulacra.evaluation.memorisation import memorisation, nearest_distance
from simulacra.random import draws, seed_of

MARKS = (10_000, 20_000, 40_000, 80_000, 160_000, 320_000)
"""Images seen at which the Fréchet distance is looked at."""
N, FEW = 5000, 2000
"""Pictures on a side at the end, and at the marks."""
MEANT = {
    "category": "mutual information of the code's category and its picture's class, as a share of their mean entropy",
    "critic right": "share of real test pictures that the critic itself names; `sgan` saw ten labels of each class",
    "labels only": "the same where nobody but the classifier plays, for as many rounds: what ten labels alone give",
}
"""What only some recipes have, and what it is."""
DATA = {"fashion-mnist": "Fashion-MNIST", "mnist": "MNIST", "emoji": "Emoji of 16 x 16 in colour"}
ON_EMOJI = ("progan", "stylegan", "stylegan2")
ON_MNIST = ("cgan", "acgan", "projection_gan", "infogan", "sgan")
BELOW = 0.03
"""How far the share of samples as asked may stay below the classifier's accuracy on real pictures."""
LEAST = 0.5
"""What it must be of every class."""
ENOUGH = {"mnist": 0.95}
"""A share that is enough, whatever the classifier says of real pictures."""
INTRODUCTION = (
    f"Made by `python benchmarks/gan.py` with torch {torch.__version__.split('+')[0]}, one thread of a CPU for each"
    " training. Every recipe plays at its default arguments; as many rounds as fit into the CPU time, as pilots of 40"
    " and 80 rounds tell, so that schedules end with the training, and other seeds play as many; a fixed piece of"
    " work beside them says how slow the machine is, and minutes, images a second and milliseconds a sample are those"
    f" of a quiet one. Samples come from averaged weights where a recipe has them. {N:,} samples stand against {N:,}"
    " held-out pictures on the features of the classifier that ships with the package; FID is the squared distance, KID"
    " is multiplied by 1,000. ± is the standard error over seeds, of one seed the estimator's own. The floor is"
    " real against real at the same sizes."
)
FEW_PICTURES = (
    "One picture of each emoji by Twitter (Twemoji, CC-BY 4.0), {rows:,} for training and {held:,} held out, as many"
    " samples as these. No classifier of emoji ships: the features are those of one trained for ten epochs on the"
    " training pictures. So few pictures can be learnt by heart. `copies`: samples less than half as far, in pixels,"
    " from a training picture as from every held-out one, against those of which the opposite is true, over blocks of"
    " as many training as held-out pictures; an honest model gives a fair coin's counts. `p`: the exact sign test's,"
    " the smallest of blocks and seeds times their number; where one sample in ten is a copy with noise of 0.1, it was"
    " below 1 % in 16 of 20 trials, and in none where no sample is. `near training`: samples that lie nearer to a"
    " training picture than the median held-out picture does, 50 % for an honest model of pictures as rich and sharp;"
    " more alone is no copying, for flat and blurred pictures lie near to many."
)
RESULTS = Path(__file__).parent / "results" / "gan"


def cells(minutes: float, best: float, seeds: Sequence[int], count: int = 5) -> Iterator[Cell]:
    """All recipes of pictures for a short time, seed by seed; then those best with seed 0 for a longer one."""
    table = recipes.table()
    names = [name for name, row in table.items() if row["family"] == "gan" and "image" in row["domain"]]
    for data, some in (("fashion-mnist", names), ("mnist", ON_MNIST), ("emoji", ON_EMOJI)):
        yield from (Cell(name, data, minutes, seed) for seed in seeds for name in some)
    yield from longer(RESULTS, [Cell(name, "fashion-mnist", minutes, 0) for name in names], best, seeds, count)


def measure(cell: Cell) -> dict[str, Any]:
    """Trains one cell and judges it on pictures that were held out."""
    curve: dict[str, float] = {}

    def look_at(images: int, so_far: Trained) -> None:
        rows = so_far.rows["test"][:FEW]
        real, made = so_far.dataset[rows], so_far.sample(len(rows), so_far.dataset[rows].given)
        (a, _), (b, _) = (look(classifier, batch.x) for batch in (real, made))
        curve[str(images)] = frechet(a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False))

    _, dataset, rows = build(cell)
    classifier = train_classifier(dataset[rows["train"][:N]], spec=dataset.spec, epochs=10)
    found = trained(cell, MARKS, look_at, rounds_of(RESULTS, cell))
    real, spare = dataset[rows["test"][:N]], dataset[rows["train"][: 5 * N]]
    made = found.sample(len(real), real.given)
    (a, a_class), (b, b_class), (c, _) = (look(classifier, batch.x) for batch in (real, made, spare))
    near = coverage(a[:FEW], b[:FEW], c[:FEW])
    label = real.given["label"].flatten()
    levels = dataset.spec.given["label"].levels
    shares = np.bincount(b_class, minlength=levels) / np.maximum(np.bincount(a_class, minlength=levels), 1)
    other = found.sample(256, {**real.given, "label": real.given["label"].flip(0)}).x
    hears = not torch.equal(other, made.x[:256])
    asked = [float((b_class == label.numpy())[label == k].mean()) for k in range(levels)] if hears else None
    return {
        "fid": numbers(fid(a, b, c)),
        "kid": numbers(kid(a, b)),
        **{name: numbers(near[name]) for name in ("precision", "recall")},
        "least_class": float(shares.min()),
        "asked": asked,
        "accuracy": accuracy(classifier, real.x, label),
        "curve": curve,
        "seconds": found.seconds,
        "pace": found.pace,
        "images": found.images,
        "rounds": found.rounds,
        "parameters": found.parameters(),
        "milliseconds": {str(size): found.milliseconds(size) for size in (1, 1000)},
        "finite": bool(torch.isfinite(made.x).all()),
        **_meant(cell, found, classifier, real),
        **(_copying(made.x, real.x, spare.x) if cell.data == "emoji" else {}),
    }


def _meant(cell: Cell, found: Trained, classifier: Any, real: Batch) -> dict[str, float]:
    """How far a category among the codes says the class of its pictures, and a critic's own classifier that of real."""
    experiment: Any = found.experiment
    out = {}
    with torch.no_grad(), draws(seed_of(found.seed, "meant")):
        noise = experiment.model.noise(len(real))
        if "category" in noise:
            _, seen = look(classifier, decode(experiment.model, experiment.codec, noise, real.given).x)
            out["category"] = float(normalized_mutual_info_score(noise["category"].argmax(1).numpy(), seen))
    judge = getattr(experiment.learners["game"], "judge", None)
    with torch.no_grad():
        if judge is not None and "label" in judge(experiment.codec.encode(real[:2])).guess:
            out["critic right"] = _right(experiment, real)
    if "labelled" in experiment.streams:
        out["labels only"] = _right(played(cell, found.rounds, alone="classifier").experiment, real)
    return out


@torch.no_grad()
def _right(experiment: Any, real: Batch) -> float:
    """The share of these pictures whose class the critic names."""
    guess = experiment.learners["game"].judge(experiment.codec.encode(real)).guess["label"]
    return float((guess.argmax(1) == real.given["label"].flatten()).double().mean())


def _copying(made: Tensor, held: Tensor, train: Tensor) -> dict[str, Any]:
    """Whether training pictures were learnt by heart, seen in pixels."""
    a, b, c = (x.flatten(1) for x in (made, held, train))
    found = memorisation(a, b, c)
    near = nearest_distance(a, c) < np.median(nearest_distance(b, c))
    copies = found["memorisation/copies"]
    return {
        "rows": [len(c), len(b)],
        "copies": [copies.value, copies.floor],
        "p": found["memorisation/p"].value,
        "identical": found["memorisation/identical"].value,
        "near": float(near.mean()),
    }


def page(wanted: Sequence[Cell]) -> str:
    """The document, of the cells that exist."""
    have = [(cell, kept(RESULTS, cell)) for cell in wanted]
    groups: dict[tuple[str, float], dict[str, list[dict[str, Any]]]] = {}
    for cell, found in have:
        if found is not None:
            groups.setdefault((cell.data, cell.minutes), {}).setdefault(cell.recipe, []).append(found)
    missing = sum(found is None for _, found in have)
    lines = ["# Generative adversarial networks for pictures", "", INTRODUCTION, ""]
    if missing:
        lines += [f"**{missing} of {len(wanted)} trainings are still to be made**; `seeds`: how many a row has.", ""]
    for (data, minutes), rows in groups.items():
        lines += _table(data, minutes, rows)
    return "\n".join(lines)


def _table(data: str, minutes: float, rows: dict[str, list[dict[str, Any]]]) -> list[str]:
    good = {k: [r for r in v if "fid" in r] for k, v in rows.items()}
    good = {k: v for k, v in sorted(good.items(), key=lambda i: np.mean([r["fid"][0] for r in i[1]] or [1e9])) if v}
    if not good:
        return []
    first = next(iter(good.values()))[0]
    marks = set.intersection(*(set(r["curve"]) for v in good.values() for r in v))
    common = max(marks, key=int, default="")
    heard = any(r["asked"] for v in good.values() for r in v)
    heads = ["recipe", "seeds", "FID", "KID", "precision", "recall", "least class"]
    heads += ["as asked", "least asked"] if heard else []
    meant = [name for name in MEANT if any(name in r for v in good.values() for r in v)]
    heads += meant
    heads += ["copies", "p", "near training"] if "copies" in first else []
    heads += [f"FID at {int(common):,} images"] if common else []
    heads += ["images seen", "images/s", "parameters G", "critic", "ms at 1", "at 1,000"]
    floor = "FID {:.2f} ± {:.2f}, KID {:.2f} ± {:.2f}, precision {:.3f}, recall {:.3f}".format(
        *first["fid"][2:], *(1e3 * v for v in first["kid"][2:]), first["precision"][2], first["recall"][2]
    )
    lines = [
        f"## {DATA[data]}, {minutes:g} CPU minutes",
        "",
        f"Floor: {floor}. The classifier is right on {100 * first['accuracy']:.1f} % of real pictures. `least class`:"
        " the rarest class among samples, as a multiple of its share among real pictures. `as asked`: samples that the"
        " classifier sees in the class asked for; `least asked`: of the worst class. A recipe without them is told no"
        " class, and has a harder game." + "".join(f" `{name}`: {MEANT[name]}." for name in meant),
        "",
        *([FEW_PICTURES.format(rows=first["rows"][0], held=first["rows"][1]), ""] if "copies" in first else []),
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
    ]
    for name, found in good.items():
        cells = [f"`{name}`", str(len(found)), spread(found, "fid", 1, 2), spread(found, "kid", 1e3, 2)]
        cells += [spread(found, "precision", 1, 3), spread(found, "recall", 1, 3)]
        cells += [f"{np.mean([r['least_class'] for r in found]):.2f}"]
        if heard:
            asked = [r["asked"] for r in found if r["asked"]]
            cells += [f"{100 * np.mean(asked):.1f} %", f"{np.min(np.mean(asked, 0)):.2f}"] if asked else ["", ""]
        for name in meant:
            there = [r[name] for r in found if name in r]
            cells += [f"{np.mean(there):.3f}" if there else ""]
        if "copies" in first:
            cells += ["{:.0f} : {:.0f}".format(*np.sum([r["copies"] for r in found], 0))]
            cells += [f"{min(1, len(found) * min(r['p'] for r in found)):.2g}"]
            cells += [f"{100 * np.mean([r['near'] for r in found]):.0f} %"]
        if common:
            cells += [f"{np.mean([r['curve'][common] for r in found]):.1f}"]
        moved = found[0]["parameters"]  # of a pair of networks, and of the levels of a pyramid, together
        parts = [
            sum(count for player, count in moved.items() if player.startswith(kind))
            for kind in (("generator", "pair"), ("critic", "discriminator"))
        ]
        cells += [f"{np.mean([r['images'] for r in found]):,.0f}"]
        cells += [f"{np.mean([r['images'] / r['seconds'] * r.get('pace', 1) for r in found]):,.0f}"]
        cells += [f"{p:,}" if p else "" for p in parts]
        cells += [f"{np.median([r['milliseconds'][k] / r.get('pace', 1) for r in found]):.2f}" for k in ("1", "1000")]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", _hearing(data, good)] if heard and data != "emoji" else []
    failed = [f"`{k}`: {v[0]['failed']}" for k, v in rows.items() if v and "failed" in v[0]]
    lines += ["", *crowded(good)]
    return [*lines, "", *(["Failed: " + "; ".join(failed), ""] if failed else [])]


def _hearing(data: str, good: dict[str, list[dict[str, Any]]]) -> str:
    """Which of the recipes that are told a class do as they are told, of the means over seeds."""
    asked = {name: np.mean([r["asked"] for r in found], 0) for name, found in good.items() if found[0]["asked"]}
    enough = ENOUGH[data] if data in ENOUGH else next(iter(good.values()))[0]["accuracy"] - BELOW
    reached = [f"`{name}`" for name, share in asked.items() if share.mean() >= enough and share.min() >= LEAST]
    return (
        f"At least {100 * enough:.1f} % as asked, and {100 * LEAST:.0f} % of every class, by {len(reached)} of the"
        f" {len(asked)} that are told one: {', '.join(reached) or 'none'}."
    )


if __name__ == "__main__":
    command(
        __doc__ or "", RESULTS, cells, measure, page, minutes=5.0, best=20.0, data=list(DATA), out=Path("docs/gan.md")
    )
