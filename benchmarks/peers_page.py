"""The page of `peers.py`, of the cells that exist."""

from __future__ import annotations

from typing import Any

import numpy as np

Found = list[tuple[tuple[str, ...], dict[str, dict[str, Any]] | None]]
"""kind, recipe, data and seed or batch size of a cell, and what is known of its sides."""
ABOUT = (
    "The recipes of simulacra beside the same models built from the public classes of zuko, nflows, normflows and"
    " pythae: the same number of transforms, masks, permutations, hidden layers and activation. Peers are trained by a"
    " loop written by hand that does what the recipe does: Adam with the recipe's rate, weight decay, clipping and fall"
    " of the rate over the second half, and the average of the weights of a flow (the recipe's Adam is fused, the"
    " loops' is torch's default); their batches are encoded beforehand,"
    " those of simulacra in every step. simulacra's steps go through its training loop and its alarms. All sides share"
    " a process of one thread and take turns in random order; times are CPU times."
)
VECTORS = (
    "{seconds:g} CPU seconds of training for each side, in turns of a quarter of a second. NLL in nats per event of"
    " standardised numbers, on the same held-out events; of each side the averaged weights with the best validation NLL"
    " of ten looks. `showers`: twelve observables of the bundled Geant4 showers. The error of the difference is that"
    " over events and seeds together. `not worse`: not by two of these errors. `step`: time of a step of 512 events,"
    " theirs over ours; above 1, simulacra is the faster. nflows' affine layers stretch by"
    " `sigmoid(h + 2) + 0.001` from data to latent, which is always below 1.001. The network of `nsf` is told numbers"
    " cut to the spline's box, those of its peers are not."
)
PICTURES = (
    "Black and white MNIST without classes, {seconds:g} CPU seconds of training for each side, pythae with the layers"
    " of the recipe as its `BaseEncoder` and `BaseDecoder`, batches of 64. Minus the importance-weighted bound of 100"
    " codes, in nats, on the same 1,000 test pictures, computed for both by simulacra's `log_likelihood`; for a"
    " beta-VAE too it is the bound of the model, with a weight of 1. pythae makes its pseudo-inputs by a linear layer"
    " with a bias, and so has 0.5 % more parameters in `vamp_vae`; they begin almost equal, so that its prior follows"
    " a posterior that says nothing, and near 200 nats a run has ended before it left that state."
    " Seeds differ by when training leaves a plateau near 120 nats."
)
SPEED = (
    "Theirs over ours: medians over paired rounds of {pairs} with 95 % bootstrap intervals; above 1, simulacra is the"
    " faster. Flows of the twelve observables; `bound`: that of ten codes, by pythae's `get_nll`, which goes picture by"
    " picture. A masked autoregressive flow (`maf`) is slow to sample by construction, twelve passes of each transform"
    " one after another, in every package; its density is one pass. normflows' layers are wrapped in its `Reverse`"
    " where they would otherwise be slow to train; its RealNVP moves halves instead of every other number."
)
MEMORY = (
    "`simulacra.evaluation.likelihood.log_likelihood` of 10^6 points at once, in a process of its own, which holds the"
    " points and goes through them in blocks of 4,096. Peak resident memory of the whole process, Python and torch with"
    " it, before and after the call. `glow` takes pictures only."
)


def page(found: Found, about: dict[str, str], seconds: dict[str, float]) -> str:
    """The document."""
    have = {cell: sides for cell, sides in found if sides is not None}
    lines = ["# Flows and variational autoencoders beside other packages", "", ABOUT, ""]
    if len(have) < len(found):
        missing = f"**{len(found) - len(have)} of {len(found)} cells are still to be made**"
        lines += [f"{missing}; with one of `seeds` an error is that over events alone.", ""]
    vectors, pictures = [], []
    for recipe, data in dict.fromkeys(cell[1:3] for cell, _ in found if cell[0] == "quality"):
        runs = [sides for cell, sides in have.items() if cell[:3] == ("quality", recipe, data)]
        rows = pictures if data.startswith("mnist") else vectors
        rows += [_quality(recipe, data, peer, runs) for peer in (runs[0] if runs else {}) if peer != "simulacra"]
    for title, words, rows in (("vectors", VECTORS, vectors), ("pictures", PICTURES, pictures)):
        lines += [f"## Likelihood of {title}", "", words.format(seconds=seconds[title]), ""]
        lines += _table(
            "data|recipe|peer|seeds|parameters|theirs|nats|theirs|ours - theirs|not worse|step|faster", rows
        )
        lines += [_short(rows), ""]
    speeds = [row for cell, sides in have.items() if cell[0] == "speed" for row in _speed(cell, sides)]
    pairs = min((one["pairs"] for one in _timings(have)), default=0)
    lines += ["## Speed", "", SPEED.format(pairs=pairs), ""]
    lines += _table("recipe|peer|batch|operation|theirs / ours|95 %|ours, ms|theirs, ms|faster", speeds)
    slow = [row for row in speeds if row[-1] == "no"]
    lines += [f"simulacra is slower, the whole interval below 1, in {len(slow)} of {len(speeds)} rows.", ""]
    lines += ["## Memory", "", MEMORY, ""]
    memory = [_memory(cell, sides["simulacra"]) for cell, sides in have.items() if cell[0] == "memory"]
    lines += _table("recipe|data|points|before, MiB|peak, MiB|CPU s|within 1 GiB", memory)
    return "\n".join([*lines, _made(found, about), ""])


def _quality(recipe: str, data: str, peer: str, runs: list[dict[str, dict[str, Any]]]) -> list[str]:
    apart = np.array([run[peer]["difference"] for run in runs])
    error = float(np.mean(apart[:, 1] ** 2) + (apart[:, 0].var(ddof=1) / len(apart) if len(apart) > 1 else 0)) ** 0.5
    mean, first = float(apart[:, 0].mean()), runs[0]
    step = float(np.mean([_step(run[peer]) / _step(run["simulacra"]) for run in runs]))
    ours, theirs = (float(np.mean([run[side]["nll"][0] for run in runs])) for side in ("simulacra", peer))
    return [
        *(data.removeprefix("toys:"), f"`{recipe}`", peer, str(len(runs))),
        *(f"{first[side]['parameters']:,}" for side in ("simulacra", peer)),
        *(f"{ours:.3f}", f"{theirs:.3f}", f"{mean:+.3f} ± {error:.3f}", _yes(mean <= 2 * error)),
        *(f"{step:.2f}", _yes(step > 1)),
    ]


def _step(run: dict[str, Any]) -> float:
    return run["seconds"] / run["steps"]


def _short(rows: list[list[str]]) -> str:
    """What falls short, in words."""
    worse = [f"{row[1]} on {row[0]} against {row[2]}" for row in rows if row[9] == "no"]
    slower = sum(row[11] == "no" for row in rows)
    said = f"Worse by more than two errors in {len(worse)} of {len(rows)} rows"
    return f"{said}{': ' + ', '.join(worse) if worse else ''}; slower per step in {slower}."


def _speed(cell: tuple[str, ...], sides: dict[str, dict[str, Any]]) -> list[list[str]]:
    out = []
    for peer, found in sides.items():
        for operation, one in found.items():
            middle, low, high = one["ratio"]
            verdict = "yes" if low > 1 else "no" if high < 1 else "even"
            times = [f"{ms:.3g}" for ms in one["ms"]]
            out.append([f"`{cell[1]}`", peer, cell[3], operation, f"{middle:.2f}", f"{low:.2f} to {high:.2f}", *times])
            out[-1].append(verdict)
    return out


def _timings(have: dict[tuple[str, ...], dict[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [
        one for cell, sides in have.items() if cell[0] == "speed" for found in sides.values() for one in found.values()
    ]


def _memory(cell: tuple[str, ...], found: dict[str, Any]) -> list[str]:
    sizes = [f"{found[k]:.0f}" for k in ("before", "peak")]
    fits = _yes(found["peak"] < 1024 and found["finite"])
    return [
        f"`{cell[1]}`",
        cell[2].removeprefix("toys:"),
        f"{found['points']:,}",
        *sizes,
        f"{found['seconds']:.0f}",
        fits,
    ]


def _made(found: Found, about: dict[str, str]) -> str:
    seeds = sorted({cell[3] for cell, _ in found if cell[0] == "quality"})
    packages = ", ".join(f"{name} {about[name]}" for name in about if name not in ("date", "hardware", "torch"))
    return (
        f"Command: `python benchmarks/peers.py`, seeds {', '.join(seeds)} (speed and memory: seed 0);"
        f" {packages}; {about.get('date', '')}, {about.get('hardware', '')}, shared with other work."
    )


def _table(head: str, rows: list[list[str]]) -> list[str]:
    names = head.split("|")
    return [
        "| " + " | ".join(names) + " |",
        "|" + "---|" * len(names),
        *("| " + " | ".join(r) + " |" for r in rows),
        "",
    ]


def _yes(good: bool) -> str:
    return "yes" if good else "no"
