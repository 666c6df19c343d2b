"""Every other recipe for pictures, trained for equal CPU time: `python benchmarks/explicit.py` writes docs/explicit.md.

Autoencoders, flows, diffusion, autoregressive, Markov and classical models. A cell (recipe, data, CPU minutes, seed) is
kept under `benchmarks/results/explicit` with a hash of the code of which its game is made: a run that was stopped goes
on where it stood, `--page` only puts the page together, and two processes may share the work by `--seeds` or `--only`.
One thread per process.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cells import Cell, Trained, build, command, kept, longer, rounds_of, trained
from pace import crowded
from spread import numbers, over_seeds, spread

from simulacra import recipes
from simulacra.batch import Batch, join
from simulacra.errors import UserError
from simulacra.evaluation.coverage import coverage
from simulacra.evaluation.frechet import fid
from simulacra.evaluation.held_out import held_out
from simulacra.evaluation.images import accuracy, look, train_classifier
from simulacra.evaluation.kid import kid
from simulacra.evaluation.likelihood import log_likelihood
from simulacra.protocols import Bound, Codec, Density, Normalised

RESULTS = Path(__file__).parent / "results" / "explicit"
GREY, BINARY = "fashion-mnist", "mnist:binary"
TITLES = {GREY: "Fashion-MNIST, grey levels", BINARY: "MNIST, black and white"}
VAES = ("vae", "beta_vae", "beta_tcvae", "iwae", "gmvae", "vamp_vae", "categorical_vae", "cvae", "iaf_vae")
WHITE: dict[str, dict[str, Any]] = {
    **{key: {"likelihood": "bernoulli"} for key in (*VAES, "naive_bayes")},
    **{key: {} for key in ("made", "nade", "rbm")},
    **{key: {"levels": 2} for key in ("pixelcnn", "pixelrnn")},
}
"""Recipes whose probability of a black and white picture can be asked, and what they are told."""
TOLD: dict[str, dict[str, Any]] = {
    **{name: {"levels": 256, "head": "logistic"} for name in ("pixelcnn", "pixelrnn")},
    "rbm": {"binarise": "threshold"},
}
"""What recipes are told on grey levels, beside their defaults."""
APART = {
    "distilled_diffusion": "needs another run",
    "untrained": "shows what nothing gives",
    "boltzmann": "has 784 visible units without structure, by Gibbs sampling",
}
"""Recipes that are left out, and why."""
N, FEW, MANY = 5000, 1000, 10_000
"""Samples of a side; events under a bound of many draws; events under a density."""
DRAWS = 100
PATIENCE = 90.0
"""Seconds after which a measurement makes do with the events that it has seen."""
SLOW = 5.0
"""Seconds for `FEW` samples from which on they are timed once."""
PIECE = 250
"""Events that a density, or a bound of one draw, is asked of at a time; of many draws a tenth."""
INTRODUCTION = (
    f"Made by `python benchmarks/explicit.py` with torch {torch.__version__.split('+')[0]}, one thread of a CPU for"
    " each training. Every recipe plays as many rounds as fit into the CPU time, as pilots tell, so that"
    " schedules end with the training, and other seeds play as many; a fixed piece of work beside them says"
    " how slow the machine is, and minutes are those of a quiet one. Classical recipes play their own few rounds."
    " `made`, `nade` and `rbm` know black and white"
    " only: grey levels are 0 or 1, by a threshold of one half. ± is the standard error over seeds,"
    " of a single seed that of the mean over test pictures. Likelihoods are of the 10,000 test pictures, or of as many"
    f" as {PATIENCE:.0f} seconds of CPU allow (`pictures`); of a bound, K latents each (`draws`), and the number is an"
    " upper limit. A recipe that is told the class gives the probability of a picture of that class (`told`), which is"
    " no fair comparison with the others: the class is worth up to log 10 = 2.3 nats."
)


def cells(minutes: float, best: float, seeds: Sequence[int], count: int = 6) -> Iterator[Cell]:
    """All recipes of pictures for a short time, seed by seed; then those best with seed 0 for a longer one."""
    table = recipes.table()
    names = [n for n, r in table.items() if r["family"] != "gan" and "image" in r["domain"] and n not in APART]

    def cell(name: str, data: str, seed: int, budget: float) -> Cell:
        told = WHITE[name] if data == BINARY else TOLD.get(name, {})
        return Cell(name, data, 0.0 if table[name]["family"] == "classical" else budget, seed, told)

    pairs = [(n, GREY) for n in names] + [(n, BINARY) for n in names if n in WHITE]
    yield from (cell(name, data, seed, minutes) for seed in seeds for name, data in pairs)
    learnt = [name for name in names if table[name]["family"] != "classical"]
    yield from longer(RESULTS, [cell(name, GREY, 0, minutes) for name in learnt], best, seeds, count)


def measure(cell: Cell) -> dict[str, Any]:
    """Trains one cell and judges it on pictures that were held out."""
    _, dataset, rows = build(cell)
    found = trained(cell, rounds=rounds_of(RESULTS, cell))
    test = dataset[rows["test"][:MANY]]
    out: dict[str, Any] = {
        "likelihood": _likelihood(found, test),
        "seconds": found.seconds,
        "pace": found.pace,
        "images": found.images,
        "rounds": found.rounds,
        "parameters": sum(found.parameters().values()),
        "evaluations": getattr(found.experiment.model, "evaluations", None),
    }
    return out if cell.data == BINARY else {**out, **_quality(found, dataset, rows)}


def _likelihood(found: Trained, test: Batch) -> dict[str, Any] | None:
    """Nats per picture, [mean, error], of a density or of the best bound that there is time for."""
    model, codec = found.experiment.model, found.experiment.codec
    if isinstance(model, Normalised):
        return _annealed(model, codec, test)
    exact, bound = isinstance(model, Density), isinstance(model, Bound)
    if not exact and not bound:
        return None

    def nats(draws: int, most: int) -> Any:
        piece = PIECE if draws == 1 else PIECE // 10
        return _in_time(lambda part, at: log_likelihood(model, codec, part, draws=draws, seed=at), test[:most], piece)

    try:
        one = nats(1, MANY)
        many = None if exact else nats(DRAWS, FEW)
    except UserError:  # the codec is many-to-one, or there is neither for this picture
        return None
    told = not torch.equal(*(log_likelihood(model, codec, part) for part in (test[:10], _other_class(test[:10]))))
    best = one if many is None else many
    return {
        "kind": "density" if exact else "bound",
        "draws": 0 if exact else DRAWS,
        "nats": [float(-best.mean()), float(best.std() / len(best) ** 0.5)],
        "of_one_draw": None if many is None else float(-one.mean()),
        "pictures": len(best),
        "told": told,
        "dimensions": int(test.x[0].numel()),
    }


def _annealed(model: Normalised, codec: Codec, test: Batch) -> dict[str, Any] | None:
    """Nats of an energy, `E + log Z`, with the error of log Z beside that of the mean."""
    try:
        m = held_out(model, codec, test)["nll/annealed"]
    except KeyError:  # the codec is many-to-one
        return None
    nats = {"nats": [m.value, m.error], "of_one_draw": None, "pictures": m.n}
    return {"kind": "annealed", "draws": 0, "told": False, "dimensions": int(test.x[0].numel()), **nats}


def _other_class(batch: Batch) -> Batch:
    return Batch(batch.x, {**batch.given, "label": (batch.given["label"] + 1) % 10})


def _in_time(of: Callable[[Batch, int], torch.Tensor], batch: Batch, piece: int) -> torch.Tensor:
    """`of` the pieces of a batch and where they begin, until the time is over."""
    start, out = time.process_time(), []
    for at in range(0, len(batch), piece):
        out.append(of(batch[at : at + piece], at))
        if time.process_time() - start > PATIENCE:
            break
    return torch.cat(out)


def _quality(found: Trained, dataset: Any, rows: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    classifier = train_classifier(dataset[rows["train"][:N]], spec=dataset.spec)
    start = time.process_time()
    made = found.sample(FEW, dataset[rows["test"][:FEW]].given)
    once = time.process_time() - start
    n = int(min(N, max(FEW, PATIENCE / once * FEW)))
    real, spare = dataset[rows["test"][:n]], dataset[rows["train"][: 5 * N]]
    if n > FEW:
        made = join([made, found.sample(n - FEW, real[FEW:].given, "more")])
    (a, a_class), (b, b_class), (c, _) = (look(classifier, batch.x) for batch in (real, made, spare))
    near = coverage(a[:2000], b[:2000], c[:2000])
    label = real.given["label"].flatten()
    same, other = (found.sample(10, batch.given).x for batch in (real[:10], _other_class(real[:10])))
    codec, sizes = found.experiment.codec, (1, FEW) if once < SLOW else (1,)
    back = codec.decode(codec.encode(spare[:n])).x
    milliseconds = {str(size): found.milliseconds(size, 3) for size in sizes}
    return {
        "samples": n,
        "fid": numbers(fid(a, b, c)),
        "kid": numbers(kid(a, b)),
        **{name: numbers(near[name]) for name in ("precision", "recall")},
        "least_class": float((np.bincount(b_class, minlength=10) / np.bincount(a_class, minlength=10)).min()),
        "asked": float((b_class == label.numpy()).mean()) if not torch.equal(same, other) else None,
        "accuracy": accuracy(classifier, real.x, label),
        "milliseconds": {str(FEW): once / FEW * 1e3, **milliseconds},
        "finite": bool(torch.isfinite(made.x).all()),
        "encoded": None if torch.allclose(back, spare.x[:n], atol=0.01) else fid(a, look(classifier, back)[0], c).value,
    }


def page(wanted: Sequence[Cell]) -> str:
    """The document, of the cells that exist."""
    have = [(cell, kept(RESULTS, cell)) for cell in wanted]
    missing = sum(found is None for _, found in have)
    lines = ["# Explicit models of pictures", "", INTRODUCTION, ""]
    if missing:
        lines += [f"**{missing} of {len(wanted)} trainings are still to be made**; `seeds`: how many a row has.", ""]
    budgets = sorted({cell.minutes for cell in wanted if cell.minutes})
    for data, minutes in itertools.product(TITLES, budgets):
        rows: dict[str, list[dict[str, Any]]] = {}
        for cell, found in have:
            fits = cell.minutes == minutes or (not cell.minutes and minutes == budgets[0])
            if cell.data == data and fits and found is not None:
                rows.setdefault(cell.recipe, []).append(found)
        if rows:
            lines += [f"## {TITLES[data]}, {minutes:g} CPU minutes", ""]
            lines += _white(rows) if data == BINARY else _grey(rows)
    lines += ["Left out: " + "; ".join(f"`{name}`, which {why}" for name, why in APART.items()) + ".", ""]
    return "\n".join(lines)


def _white(rows: dict[str, list[dict[str, Any]]]) -> list[str]:
    good = {k: v for k, v in rows.items() if all(r.get("likelihood") for r in v)}
    order = sorted(good, key=lambda k: np.mean([r["likelihood"]["nats"][0] for r in good[k]]))
    lines = [
        "Each pixel was made white with its grey level as probability, once and for all (`mnist:binary`, seed 0). Nats"
        " per picture; `one draw`: the bound with a single latent; `annealed`: of an energy, log Z by 1,000 chains of"
        " annealed importance sampling, whose error is part of the error.",
        "",
        "| recipe | seeds | nats | kind | draws | one draw | pictures | told | parameters | images seen |",
        "|" + "---|" * 10,
    ]
    for name in order:
        found = good[name]
        held = [r["likelihood"] for r in found]
        one = f"{np.mean([h['of_one_draw'] for h in held]):.1f}" if held[0]["of_one_draw"] else ""
        words = [f"`{name}`", str(len(found)), _over(held, 1.0, 2), held[0]["kind"], str(held[0]["draws"] or ""), one]
        words += [f"{held[0]['pictures']:,}", "yes" if held[0]["told"] else "", f"{found[0]['parameters']:,}"]
        lines.append("| " + " | ".join([*words, f"{np.mean([r['images'] for r in found]):,.0f}"]) + " |")
    return [*lines, "", *crowded(good), *_failed(rows)]


def _grey(rows: dict[str, list[dict[str, Any]]]) -> list[str]:
    good = {k: v for k, v in rows.items() if all("fid" in r for r in v)}
    order = sorted(good, key=lambda k: np.mean([r["fid"][0] for r in good[k]]))
    if not order:
        return _failed(rows)
    first = good[order[0]][0]
    lossy = {name: [r["encoded"] for r in held if r.get("encoded")] for name, held in sorted(good.items())}
    told = ", ".join(f"`{name}` {np.mean(values):.2f}" for name, values in lossy.items() if values)
    coded = f"; FID of real ones that went through a codec to black and white and back: {told}" if told else ""
    lines = [
        "Features of the classifier that ships with the package, right on"
        f" {100 * first['accuracy']:.1f} % of real pictures; floor, real against real: FID {first['fid'][2]:.2f} ±"
        f" {first['fid'][3]:.2f}, precision {first['precision'][2]:.3f}, recall {first['recall'][2]:.3f}{coded}. KID"
        " is multiplied by 1,000. `least class`: the rarest class among samples, as a multiple of its share among real"
        " pictures. `as asked`: samples that the classifier sees in the class asked for. `bits/dim`: of grey levels"
        " that are blurred uniformly over one level, seed 0. `NFE`: calls of the network for a sample. `ms at 1,000`:"
        f" per picture, median of three; of samplers that take more than {SLOW:.0f} s for {FEW:,}, once.",
        "",
        "| recipe | seeds | FID | KID | precision | recall | least class | as asked | bits/dim | kind | told |"
        " NFE | parameters | images seen | samples | ms at 1 | at 1,000 |",
        "|" + "---|" * 17,
    ]
    for name in order:
        found = good[name]
        held = [r["likelihood"] for r in found if r["likelihood"]]
        words = [f"`{name}`", str(len(found)), *(spread(found, k, s, 2) for k, s in (("fid", 1.0), ("kid", 1e3)))]
        words += [spread(found, "precision", 1.0, 3), spread(found, "recall", 1.0, 3)]
        words += [f"{np.mean([r['least_class'] for r in found]):.2f}"]
        words += [f"{100 * np.mean([r['asked'] for r in found]):.1f} %" if found[0]["asked"] is not None else ""]
        size = held[0]["dimensions"] * np.log(2) if held else 1.0
        words += [_over(held, 1 / size, 3, np.log2(255)) if held else "", held[0]["kind"] if held else ""]
        words += ["yes" if held and held[0]["told"] else "", str(found[0]["evaluations"] or "")]
        words += [f"{found[0]['parameters']:,}", f"{np.mean([r['images'] for r in found]):,.0f}"]
        words += [f"{found[0]['samples']:,}"]
        words += [f"{np.median([r['milliseconds'][k] for r in found]):.2f}" if k in found[0]["milliseconds"] else ""
                  for k in ("1", "1000")]  # fmt: skip
        lines.append("| " + " | ".join(words) + " |")
    return [*lines, "", *crowded(good), *_failed(rows)]


def _failed(rows: dict[str, list[dict[str, Any]]]) -> list[str]:
    told = [f"`{k}`: {r['failed']}" for k, v in rows.items() for r in v[:1] if "failed" in r]
    return ["Failed: " + "; ".join(told), ""] if told else []


def _over(held: Sequence[dict[str, Any]], scale: float, digits: int, shift: float = 0.0) -> str:
    return over_seeds([h["nats"][0] * scale + shift for h in held], held[0]["nats"][1] * scale, digits)


if __name__ == "__main__":
    out = Path("docs/explicit.md")
    command(__doc__ or "", RESULTS, cells, measure, page, minutes=3.0, best=20.0, data=list(TITLES), out=out)
