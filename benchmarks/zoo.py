"""Every recipe for points on the ring of eight Gaussians, at equal CPU time: `python benchmarks/zoo.py`, docs/zoo.md.

A cell (recipe, CPU minutes, seed) is kept under `benchmarks/results/zoo` with a hash of the code of which its game is
made: a run that was stopped goes on where it stood, and `--page` only puts the page together. One thread.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cells import Cell, Trained, build, kept, rounds_of, run, trained

from simulacra import recipes
from simulacra.diffusion import Diffusion
from simulacra.domains.toys import TOYS, Mixture
from simulacra.errors import UserError
from simulacra.evaluation.kernels import mmd
from simulacra.evaluation.likelihood import log_likelihood
from simulacra.evaluation.modes import modes
from simulacra.evaluation.transport import optimal_transport
from simulacra.figures.collapse import clouds
from simulacra.protocols import Bound, Density

RESULTS = Path(__file__).parent / "results" / "zoo"
DATA = "toys:ring8"
RING = TOYS["ring8"]
assert isinstance(RING, Mixture)
CENTRES = RING.centres
APART = {"distilled_diffusion": "needs another run", "untrained": "shows what nothing gives"}
"""Recipes that are left out, and why."""
N, FEW, DRAWS = 10_000, 2000, 100
"""Samples; events of a distance and under a bound; latents of a bound."""
FAMILIES = ("gan", "vae", "autoencoder", "flow", "diffusion", "markov", "mixture", "classical")
HEAD = ("recipe", "told", "seeds", "modes", "within 3 σ", "W1", "MMD", "nats", "kind", "ms at 1,000", "rounds", "CPU s")


def cells(minutes: float, seeds: Sequence[int]) -> list[Cell]:
    """All recipes, seed by seed; a recipe that asks for conditions is told which Gaussian each event is from."""
    out = []
    for name, row in recipes.table().items():
        if "vector" not in row["domain"] or name in APART:
            continue
        cell = Cell(name, DATA, 0.0 if row["family"] == "classical" else minutes, 0)
        try:
            build(cell)
        except UserError:
            cell = replace(cell, options={"labels": True})
        out.append(cell)
    return [replace(cell, seed=seed) for seed in seeds for cell in out]


def measure(cell: Cell) -> dict[str, Any]:
    """Trains one cell and judges 10,000 of its samples against events that were held out."""
    found = trained(cell, rounds=rounds_of(RESULTS, cell))
    test = found.dataset[found.rows["test"][:N]]
    other = found.dataset[found.rows["test"][N : 2 * N]]
    made = found.sample(N, other.given).x
    seen = modes(test.x.numpy(), made.numpy(), CENTRES, 0.02)
    near = mmd(test.x[:FEW].numpy(), made[:FEW].numpy())
    real = optimal_transport(test.x[:FEW].numpy(), other.x[:FEW].numpy()).cost
    return {
        "modes": seen["modes/covered"].value,
        "quality": seen["modes/high_quality"].value,
        "best": seen["modes/high_quality"].floor,
        "w1": [optimal_transport(test.x[:FEW].numpy(), made[:FEW].numpy()).cost, real],
        "mmd": [near.value, near.floor],
        "likelihood": _likelihood(found, test),
        "milliseconds": found.milliseconds(1000, 3),
        "rounds": found.rounds,
        "seconds": found.seconds,
        "pace": found.pace,
        "points": np.round(made[:600].numpy(), 3).tolist() if cell.seed == 0 else [],
    }


def _likelihood(found: Trained, test: Any) -> dict[str, Any] | None:
    """-log p and what the truth has on the same events, in nats."""
    model, exact = found.experiment.model, isinstance(found.experiment.model, Density)
    if not exact and not isinstance(model, Bound):
        return None
    events = test[: FEW if exact else FEW // 2]
    draws = 1 if exact else 4 if isinstance(model, Diffusion) else DRAWS  # of a chain's bound they are averaged only
    try:
        nats = -log_likelihood(model, found.experiment.codec, events, draws=draws)
    except UserError:  # the codec is many-to-one, or there is neither for these events
        return None
    return {
        "kind": "density" if exact else "bound",
        "nats": float(nats.mean()),
        "truth": float(-RING.log_prob(events.x).mean()),
    }


def page(wanted: Sequence[Cell], picture: Path | None) -> str:
    """The document, of the cells that exist."""
    have = [(cell, found) for cell in wanted if (found := kept(RESULTS, cell)) is not None]
    table: dict[str, list[tuple[Cell, dict[str, Any]]]] = {}
    for cell, found in have:
        table.setdefault(cell.recipe, []).append((cell, found))
    good = {name: rows for name, rows in table.items() if not any("failed" in found for _, found in rows)}
    first = next(iter(good.values()))[0][1] if good else None
    lines = ["# Zoo: the ring of eight Gaussians", ""]
    if first is not None:
        floors = {key: _mean([f[key][1] for rows in good.values() for _, f in rows]) for key in ("w1", "mmd")}
        truth = _mean([f["likelihood"]["truth"] for rows in good.values() for _, f in rows if f["likelihood"]])
        lines += [
            f"Radius 2, widths 0.02. Every recipe with its defaults for {max(c.minutes for c in wanted) * 60:.0f} s of"
            " CPU: as many rounds as pilots say, and other seeds play as many; classical recipes play"
            f" their own few rounds. {N:,} samples against as many events that were held out: modes with more than 0.4"
            " % of the samples"
            f" within 3 σ, the share of samples there (real events: {first['best']:.3f}), exact W1 of {FEW:,} in the"
            f" ring's units (real against real: {floors['w1']:.3f}), squared MMD of {FEW:,} (real: {floors['mmd']:.1g})"
            f" and -log p in nats (truth: {truth:.2f}); of a bound, with {DRAWS} latents if it has any, an upper limit."
            " `told`: the recipe is told which Gaussian an event is from, in training and in sampling, so that its"
            " modes are given to it, and its -log p is that of an event of this Gaussian (log 8 = 2.08 nats less)."
            " ± is the standard error over seeds.",
            "",
        ]
        if picture is not None:
            lines += [f"![The best of each family by W1]({picture.name})", ""]
    if len(have) < len(wanted):
        lines += [f"**{len(wanted) - len(have)} of {len(wanted)} trainings are still to be made.**", ""]
    families = recipes.table()
    for family in FAMILIES:
        rows = {name: found for name, found in good.items() if families[name]["family"] == family}
        if rows:
            lines += [f"## {family}", "", "| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
            order = sorted(rows, key=lambda name: _mean([f["w1"][0] for _, f in rows[name]]))
            lines += [_row(name, rows[name]) for name in order] + [""]
    failed = [f"`{name}`: {f['failed']}" for name, rows in table.items() for _, f in rows[:1] if "failed" in f]
    lines += ["Failed: " + "; ".join(failed), ""] if failed else []
    lines += ["Left out: " + "; ".join(f"`{name}`, which {why}" for name, why in APART.items()) + ".", ""]
    where = f"{platform.machine()} {platform.system()}, one of {os.cpu_count()} cores of {_processor()}"
    lines += [
        f"Command: `python {' '.join(['benchmarks/zoo.py', *sys.argv[1:]])}`, seeds"
        f" {', '.join(map(str, sorted({c.seed for c in wanted})))}, {datetime.now(UTC):%Y-%m-%d}, Python"
        f" {platform.python_version()}, PyTorch {torch.__version__}, {where}.",
        "",
    ]
    return "\n".join(lines)


def _row(name: str, rows: Sequence[tuple[Cell, Mapping[str, Any]]]) -> str:
    found = [f for _, f in rows]
    held = [f["likelihood"] for f in found if f["likelihood"]]
    words = [f"`{name}`", "yes" if rows[0][0].options else "", str(len(found))]
    words += [_over([f[key] for f in found], digits) for key, digits in (("modes", 1), ("quality", 3))]
    words += [_over([f["w1"][0] for f in found], 3), f"{_mean([f['mmd'][0] for f in found]):.1g}"]
    words += [_over([h["nats"] for h in held], 2) if held else "", held[0]["kind"] if held else ""]
    words += [f"{_mean([f['milliseconds'] for f in found]):.2g}"]
    words += [f"{_mean([f['rounds'] for f in found]):,.0f}", f"{_mean([f['seconds'] for f in found]):.0f}"]
    return "| " + " | ".join(words) + " |"


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _over(values: Sequence[float], digits: int) -> str:
    error = f" ± {np.std(values, ddof=1) / len(values) ** 0.5:.{digits}f}" if len(values) > 1 else ""
    return f"{_mean(values):.{digits}f}{error}"


def _processor() -> str:
    """The processor's maker and series, where the system tells."""
    path = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in path.read_text().splitlines() if line.startswith("model name")]
    return f"an {' '.join(names[0].split()[:2])}" if names else "the processor"


def draw(wanted: Sequence[Cell], path: Path) -> Path | None:
    """Samples of seed 0 of each family's best recipe by W1 that is told nothing."""
    best: dict[str, tuple[float, str, Any]] = {}
    table = recipes.table()
    for cell in wanted:
        found = kept(RESULTS, cell) if cell.seed == 0 and not cell.options else None
        if found is not None and "failed" not in found and cell.recipe not in ("resampler",):
            family = table[cell.recipe]["family"]
            best[family] = min(best.get(family, (np.inf, "", None)), (found["w1"][0], cell.recipe, found["points"]))
    shown = {f"{family}: {best[family][1]}": best[family][2] for family in FAMILIES if family in best}
    if not shown:
        return None
    clouds(shown, CENTRES, columns=4).savefig(path, dpi=120)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=0.5, help="of CPU for every recipe")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", help="these recipes")
    parser.add_argument("--page", action="store_true", help="put the page together of what exists")
    parser.add_argument("--out", type=Path, default=Path("docs/zoo.md"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    wanted = cells(asked.minutes, asked.seeds)
    if not asked.page:
        run(RESULTS, [c for c in wanted if c.recipe in (asked.only or [c.recipe])], measure)
    asked.out.write_text(page(wanted, draw(wanted, asked.out.with_suffix(".png"))), encoding="utf-8")


if __name__ == "__main__":
    main()
