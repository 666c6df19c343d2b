"""`docs/metrics.md`, from the definitions beside this file and from what `benchmarks/metrics.py` has computed."""

from __future__ import annotations

import json
import math
import platform
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch
from metrics_pulls import CASES
from metrics_showers import SITUATIONS, Pool

from simulacra.evaluation.measurement import Measurement, digits
from simulacra.evaluation.multiple import holm

DEFINITIONS = Path(__file__).with_name("metrics_definitions.md")
CLEAR = 4.0
LOWEST, HIGHEST, INSIDE, WITHIN = 0.8, 1.25, 0.90, 2.5
OF_CELLS = ("response/", "resolution/", "auc/cells", "memorisation/", "battery/")
PUBLISHED = "as published; draws with replacement from one sample do not know how samples differ"
WHY: Mapping[str, str] = {
    "fpd_bootstrap": f"{PUBLISHED}, so its error is not one of sampling; `fpd` is the one to use",
    "kpd_batches": f"{PUBLISHED}, so its error is not one of sampling; `kpd` is the one to use",
    "battery/obs": "a significance and no size: its error is 1 where nothing differs; at a clear difference z moves by"
    " t/z > 1 with t, for many features are searched",
    "jensen_shannon_bound": "the factor 1.3 of classifiers' errors is on the safe side, and 20 times tell little",
}
"""What is known of metrics that miss their bar."""

Found = dict[str, Measurement]


def page(folder: Path, pool: Pool) -> str:
    definitions, words = DEFINITIONS.read_text(encoding="utf-8").split("\n## 3. Words\n")
    parts = [
        definitions.strip(),
        _behaviour(_read(folder / "behaviour")),
        "## 3. Words\n" + words.rstrip(),
        _pulls(_read(folder / "pulls")),
        _defects(_read(folder / "defects"), _read(folder / "null")),
        _classifiers(_read(folder / "classifiers")),
        f"Data: {pool.name}, {len(pool.table):,} Geant4 showers, {len(pool.names)} observables. Seeds are in the code."
        f" {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, PyTorch {torch.__version__},"
        f" scikit-learn {sklearn.__version__}, {platform.machine()} {platform.system()}, one thread.",
    ]
    return "\n\n".join(parts) + "\n"


def _read(folder: Path) -> dict[str, Any]:
    """Everything below a folder, by its path in it."""
    paths = sorted(folder.rglob("*.json"))
    return {str(p.relative_to(folder).with_suffix("")): json.loads(p.read_text(encoding="utf-8")) for p in paths}


def _command(part: str) -> str:
    data = [f"--data {Path(sys.argv[k + 1]).name}" for k, word in enumerate(sys.argv) if word == "--data"]
    return f"Command: `{' '.join(['python benchmarks/metrics.py', *data, '--part', part])}`."


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head), *[list(row) for row in rows]]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _shown(m: Measurement) -> str:
    """Value ± error (floor), bold where it lies clear of the floor."""
    if m.error == 0 and m.floor_error == 0 and 0 < m.value < 1e-3:
        return f"**{m.value:.0e}** ({m.floor:g})"
    count = digits(m.error, m.floor_error)
    if m.error == 0 and m.floor_error in (0, 1):  # counts
        count = 0
    text = f"{m.value:.{count}f} ± {m.error:.{count}f}"
    return (f"**{text}**" if abs(m.above_floor) > CLEAR else text) + f" ({m.floor:.{count}f})"


def _behaviour(found: Mapping[str, Any]) -> str:
    known = [name for name in SITUATIONS if name in found]
    if not known:
        return "## 2. Behaviour\n\nNot measured."
    by = {name: {k: Measurement.from_json(m) for k, m in found[name].items()} for name in known}
    rows = []
    for metric in by[known[0]]:
        mark = " †" if metric.startswith(OF_CELLS) else ""
        cells = (_shown(by[name][metric]) if metric in by[name] else "-" for name in known)
        rows.append([f"`{metric}`{mark}", *cells])
    words = "\n".join(f"* {name}: {SITUATIONS[name]}." for name in known)
    return f"""## 2. Behaviour

1,000 showers a side (500 for classifiers, 250 for Sinkhorn); NAME is the response, deposited over incident energy, of
which the energy resolution is the spread. Value ± error (floor); bold: more than {CLEAR:g} standard deviations from the
floor. Metrics without † read all observables as columns, standardised (but for distances of one number); `fid`, `kid`,
`mmd`, `energy_distance`, `sliced_wasserstein` and `sinkhorn` with columns cut at five standard deviations.

{words}

{_table(["metric", *known], rows)}

* Metrics of one number cannot see correlations, and see the dropped showers only where the observable follows the
  energy; what compares at equal conditions (mean, spread, battery/obs) does not see them by design. Products and hits
  do: correlations and occupancies follow the energy, so make events at the reference's conditions.
* Copies are seen by the metrics of memorisation and by nothing else; their ratio falls without any copy where
  generated showers have lower energies than the held-out ones, the counts do not.
* Wrong correlations show in precision, density, FID, FPD, the trees and the battery; KPD is blind to them, and networks
  of this size on so few cells see none.
* Bent marginals show in the battery and the trees (whole numbers are whole no more); most distances are too blunt.
* Sinkhorn, with a regularisation of half the median distance, tells nothing at this size.

Metrics of points, pictures, densities, posteriors and chains mean nothing for showers; they are in section 4.

{_command("behaviour")}"""


def _pull(shifted: list[Measurement], equal: list[Measurement]) -> tuple[float, float, float, float]:
    """Spread of pulls and its error; shares of equal sets within WITHIN errors of the floor, and of the value alone."""
    values, errors = (np.array([getattr(m, name) for m in shifted]) for name in ("value", "error"))
    n = len(values)
    pulls = (values - values.mean()) / np.where(errors > 0, errors, np.nan)
    spread = float(pulls.std(ddof=1))
    usable = [m for m in equal if math.isfinite(m.floor)]
    if not usable:
        return spread, spread / math.sqrt(2 * n), math.nan, math.nan
    inside = np.mean([abs(m.excess) <= WITHIN * math.hypot(m.error, m.floor_error) + 1e-12 for m in usable])
    strict = np.mean([abs(m.excess) <= WITHIN * m.error + 1e-12 for m in usable])
    return spread, spread / math.sqrt(2 * n), float(inside), float(strict)


def _pulls(found: Mapping[str, Any]) -> str:
    rows, missing = [], []
    for case in (found[name] for name in CASES if name in found):
        for metric in case["shifted"][0]:
            shifted, equal = ([Measurement.from_json(m[metric]) for m in case[k]] for k in ("shifted", "equal"))
            spread, error, inside, strict = _pull(shifted, equal)
            bad = not LOWEST <= spread <= HIGHEST
            low = math.isfinite(inside) and inside < INSIDE
            if bad or low:
                missing.append(f"* `{metric}`: {WHY.get(metric, 'not known why')}.")
            mean = np.mean([[m.value, m.error, m.floor] for m in shifted], axis=0)
            count = digits(float(mean[1]))
            shares = ("-", "-") if math.isnan(inside) else (f"{inside:.0%}", f"{strict:.0%}")
            rows.append(
                [
                    f"`{metric}`",
                    case["what"],
                    str(len(shifted)),
                    f"{mean[0]:.{count}f} ± {mean[1]:.{count}f} ({mean[2]:.{count}f})",
                    f"{spread:.2f} ± {error:.2f}" + (" **misses**" if bad else ""),
                    shares[0] + (" **misses**" if low else ""),
                    shares[1],
                ]
            )
    head = ["metric", "data and shift", "times", "mean value ± error (floor)", "spread of pulls", "equal: within"]
    text = f"{len(rows)} metrics, {len(missing)} of which miss:\n\n" + "\n".join(missing) if missing else "None misses."
    return f"""## 4. Errors and floors

At a shifted point, measured anew on other draws, (value − mean)/error must have a standard deviation of {LOWEST} to
{HIGHEST}. At equal sets |value − floor| must lie within {WITHIN} times √(error² + floor error²) in at least
{INSIDE:.0%} of the draws (the last column: within {WITHIN} times the error of the value alone). Not here:
`memorisation/p` and `normalisation`, which are not random; `nll/bound_K`, a mean as the others of its kind; and
`js/...`, which is `jensen_shannon_bound`, `calibration/NAME`, which is `coverage/LEVEL`, `auc/pixels`,
`fid/pca_gaussian` and what is given per range, which are functions that are here, of other events.
Units of `fpd`, `kpd` and `coverage/..., units anew` are those of each reference, as judged, and their errors know it;
`units kept`, and `coverage/...` without these words, are in units of the whole file.

{_table([*head, "by its error"], rows)}

{text}

{_command("pulls")}"""


def _defects(found: Mapping[str, Any], null: Mapping[str, Any]) -> str:
    out = ["## 5. Planted defects, and real against real"]
    sizes = sorted({int(name.split("-")[0]) for name in found})
    rows, families = [], list(next(iter(found.values()))["none"]) if found else []
    for size in sizes:
        runs = [v for k, v in found.items() if k.startswith(f"{size}-")]
        for defect in runs[0]:
            mean = {name: float(np.mean([run[defect][name] for run in runs])) for name in families}
            least = min(max(run[defect].values()) for run in runs)
            best = max(mean, key=lambda name: mean[name])
            cells = [f"**{mean[k]:.1f}**" if k == best and defect != "none" else f"{mean[k]:.1f}" for k in families]
            rows.append([defect, f"{size:,}", *cells, "" if defect == "none" else f"{least:.1f}"])
    if rows:
        runs = len([k for k in found if k.startswith(f"{sizes[0]}-")])
        out += [
            f"Significance in standard deviations of every family, mean of {runs} splits; bold: the family that sees a"
            " defect best; last: the least over splits of the best family. −9 stands for nothing at all.",
            _table(["defect", "n", *families, "least"], rows),
            _command("defects"),
        ]
    if null:
        bad = {k: holm(p) for k, p in null.items()}
        failed = {k: names for k, names in bad.items() if names}
        below = {name: sum(p[name] < 0.05 for p in null.values()) for name in next(iter(null.values()))}
        which = "".join(f"; split {k}: {', '.join(names)}" for k, names in failed.items())
        out += [
            f"Real against real, 2,000 showers a side, {len(null)} random splits: {len(failed)} fail the gate at 1 %"
            f" (at most 2 allowed{which}). Splits with p < 5 %, where {0.05 * len(null):.0f} are expected: "
            + ", ".join(f"{name} {count}" for name, count in below.items())
            + ".",
            _command("null"),
        ]
    return "\n\n".join(out)


def _classifiers(found: Mapping[str, Any]) -> str:
    if not found:
        return "## 6. Classifiers\n\nNot measured."
    real = [Measurement.from_json(v["auc/observables"]) for k, v in found.items() if k.startswith("real")]
    values = np.array([m.value for m in real])
    words = {
        "shuffled": "every cell of layer1 shuffled among all showers",
        "neighbours": "every cell of layer1 shuffled among 20 showers of neighbouring energy",
        "resampled": "the training shower nearest in energy, scaled to it",
    }
    rows = []
    for name, what in words.items():
        held = found.get(name, {})
        auc = [_shown(Measurement.from_json(held[k])) if k in held else "-" for k in ("auc/observables", "auc/cells")]
        rows.append([what, *auc, ", ".join(held.get("failing", [])) or "-"])
    resampled = found.get("resampled", {})
    copies = "".join(
        f" {name.removeprefix('memorisation/')} {m['value']:.3g} ({m['floor']:.3g}),"
        for name, m in resampled.items()
        if name.startswith("memorisation/")
    )
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return f"""## 6. Classifiers

Geant4 against Geant4, 1,000 showers a side, trees on observables: mean AUC {values.mean():.4f} ± {error:.4f} over
{len(values)} splits (asked: within 0.01 of 0.5); spread {values.std(ddof=1):.3f}, stated error
{np.mean([m.error for m in real]):.3f}.

{_table(["generated", "AUC, trees on observables", "AUC, network on cells", "copies: fails in"], rows)}

The resampled showers (value, floor in brackets):{copies.rstrip(",")}.

{_command("classifiers")}"""
