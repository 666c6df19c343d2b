"""What the numbers say, in sentences that a physicist can act on."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

import numpy as np
from scipy.stats import chi2, norm

from simulacra.evaluation.judge import Evaluation
from simulacra.evaluation.measurement import Measurement

SURE = 1.645
"""Standard deviations of a one-sided 95 % statement."""
FAMILY = 0.01
"""Probability that any of many tests fails for a perfect model."""
_RANGE = re.compile(r"^(.*)/([-+.\de]+?)-([.\d]+(?:e[-+]?\d+)?)([A-Za-z]*)$")


def holm(probabilities: Mapping[str, float], level: float = FAMILY) -> list[str]:
    """Names of the tests that fail, with at most `level` for any false alarm under whatever dependence (Holm 1979).

    >>> holm({"a": 0.001, "b": 0.2, "c": 0.004})
    ['a', 'c']
    """
    out: list[str] = []
    for k, (name, p) in enumerate(sorted(probabilities.items(), key=lambda item: item[1])):
        if p > level / (len(probabilities) - k):
            break
        out.append(name)
    return out


def probability(name: str, m: Measurement) -> float:
    """How likely a perfect model is to show at least this; two-sided for shifts and ratios."""
    kind = name.split("/")[0]
    if kind == "separation":  # chi-square of 20 bins, told by its own spread
        return float(chi2.sf(19 + m.value / m.floor_error * np.sqrt(38), 19)) if m.floor_error else float(m.value <= 0)
    ideal = _ideal(name)
    spread = max(m.error, m.floor_error if m.floor == ideal else 0.0)
    if spread == 0:
        return float(m.value == ideal)
    return float(2 * norm.sf(abs(m.value - ideal) / spread))


def _ideal(name: str) -> float:
    return 1.0 if name.startswith(("resolution/", "spread/")) else 0.0


def verdict(evaluation: Evaluation, *, response: float = 0.005, resolution: float = 0.10) -> list[str]:
    """Sentences: what agrees within how much, what differs by how much and where, what is undecided, what is usable.

    "Agrees within x" is said at 95 % confidence (|d| + 1.645 s below x); "differs" only where all tests together would
    give a false alarm in 1 % of cases (Holm); "undecided" comes with the number of events that would decide.

    Args:
        response: relative bias of the response that is asked for; resolution: relative error of the resolution.

    Example:
        >>> from simulacra.evaluation.judge import Evaluation
        >>> found = {"response/bias": Measurement(0.0004, 0.0005, n=2500)}
        >>> for line in verdict(Evaluation(found, {"reference": 2500})):
        ...     print(line)
        Judged on 2,500 reference events.
        Response agrees within 0.12 % (95 %): +0.040 ± 0.050 %.
    """
    out, metrics = [_header(evaluation)], evaluation.metrics
    for prefix, label, within in (
        ("response/bias", "Response", response),
        ("resolution/ratio", "Resolution", resolution),
    ):
        found = {name: m for name, m in metrics.items() if name == prefix or name.startswith(prefix + "/")}
        if prefix in found:
            out += _claim(label, found, prefix, within)
    out += _usable(evaluation, response, resolution) + _observables(metrics) + _classifiers(metrics)
    out += _memory(metrics) + _mixture(metrics) + _pictures(metrics)
    return out


def _header(evaluation: Evaluation) -> str:
    sides = " against ".join(f"{evaluation.rows[k]:,} {k}" for k in ("reference", "generated") if k in evaluation.rows)
    ranges = "".join(
        f", {name} {low:.4g} to {high:.4g} {unit}".rstrip() for name, (low, high, unit) in evaluation.ranges.items()
    )
    return f"Judged on {sides or 'no'} events{ranges}."


def _percent(d: float, s: float) -> str:
    digits = min(max(1 - math.floor(math.log10(max(100 * s, 1e-9))), 0), 3)
    return f"{100 * d:+.{digits}f} ± {100 * s:.{digits}f} %"


def _claim(label: str, found: Mapping[str, Measurement], prefix: str, within: float) -> list[str]:
    whole = found[prefix]
    d, s = whole.value - _ideal(prefix), whole.error
    failing = holm({name: probability(name, m) for name, m in found.items()})
    out, supported = [], abs(d) + SURE * s
    if prefix in failing:
        place = "inside" if supported <= within else "beyond" if abs(d) - SURE * s > within else "near"
        out.append(f"{label} differs by {_percent(d, s)} over all energies, {place} the {100 * within:g} % asked for.")
    elif supported <= within:
        out.append(f"{label} agrees within {100 * supported:.2g} % (95 %): {_percent(d, s)}.")
    else:
        need = int(np.ceil(whole.n * (SURE * s / within) ** 2 / 100) * 100)
        more = f"{need:,} events would decide" if need > whole.n else "it lies close to the limit"
        out.append(f"{label} is undecided at {100 * within:g} %: {_percent(d, s)}; {more}.")
    bad = [parsed for parsed in _bins(found, prefix) if parsed[3] in failing]
    for low, high, unit, together in _merged(bad, found):
        out.append(
            f"{label} differs by {_percent(together[0] - _ideal(prefix), together[1])} at {low:g} to {high:g} {unit}."
        )
    return out


def _bins(metrics: Iterable[str], prefix: str) -> list[tuple[float, float, str, str]]:
    """(low, high, unit, name) of the entries of a metric per energy bin, in their order."""
    out = []
    for name in metrics:
        match = _RANGE.match(name)
        if match and match[1] == prefix:
            out.append((float(match[2]), float(match[3]), match[4], name))
    return sorted(out)


def _merged(
    bins: list[tuple[float, float, str, str]], metrics: Mapping[str, Measurement]
) -> list[tuple[float, float, str, tuple[float, float]]]:
    """Adjacent bins that differ in the same direction as one, with their weighted mean."""
    runs: list[list[tuple[float, float, str, str]]] = []
    for entry in bins:
        last = runs[-1][-1] if runs else None
        same = last is not None and last[1] == entry[0] and _sign(last[3], metrics) == _sign(entry[3], metrics)
        runs[-1].append(entry) if same else runs.append([entry])
    out = []
    for run in runs:
        weight = np.array([1 / max(metrics[name].error, 1e-12) ** 2 for *_, name in run])
        value = float((weight * [metrics[name].value for *_, name in run]).sum() / weight.sum())
        out.append((run[0][0], run[-1][1], run[0][2], (value, float(weight.sum() ** -0.5))))
    return out


def _sign(name: str, metrics: Mapping[str, Measurement]) -> bool:
    return metrics[name].value > _ideal(name)


def _usable(evaluation: Evaluation, response: float, resolution: float) -> list[str]:
    """The longest run of energy bins in which neither response nor resolution surely misses what was asked."""
    metrics, none = evaluation.metrics, (-math.inf, math.inf, "GeV")
    seen = evaluation.ranges.get("energy", none)
    seen = seen if seen[2] == "GeV" else none
    limits = {"response/bias": response, "resolution/ratio": resolution}
    bins = _bins(metrics, "response/bias")
    if not bins:
        return []
    names = {b: {p: f"{p}{b[3].removeprefix('response/bias')}" for p in limits} for b in bins}
    known = {name: metrics[name] for group in names.values() for name in group.values() if name in metrics}
    # How likely a difference no larger than the limit is to look at least like this.
    beyond = {
        name: float(norm.sf((abs(m.value - _ideal(name)) - limits[name.rsplit("/", 1)[0]]) / max(m.error, 1e-12)))
        for name, m in known.items()
    }
    sure = set(holm(beyond))
    runs: list[list[tuple[float, float, str, str]]] = [[]]
    for entry in bins:
        misses = bool(sure & set(names[entry].values()))
        if misses or (runs[-1] and runs[-1][-1][1] != entry[0]):
            runs.append([])
        if not misses:
            runs[-1].append(entry)
    best = max(runs, key=lambda run: run[-1][1] - run[0][0] if run else 0.0)
    if not best:
        return ["Usable nowhere: every energy bin misses the response or the resolution asked for."]
    worst = {
        p: max(abs(m.value - _ideal(p)) + SURE * m.error for b in best if (m := known.get(names[b][p])) is not None)
        for p in limits
        if any(names[b][p] in known for b in best)
    }
    said = " and ".join(f"the {p.split('/')[0]} within {100 * v:.2g} %" for p, v in worst.items())
    low, high = max(best[0][0], seen[0]), min(best[-1][1], seen[1])
    return [f"Usable at {low:.3g} to {high:.3g} {best[0][2]} where {said} per energy bin (95 %) will do."]


def _observables(metrics: Mapping[str, Measurement], most: int = 5) -> list[str]:
    names = [name.removeprefix("separation/") for name in metrics if name.startswith("separation/")]
    tests = {
        f"{k}/{name}": metrics[f"{k}/{name}"]
        for name in names
        for k in ("mean", "spread", "separation")
        if f"{k}/{name}" in metrics
    }
    if not tests:
        return []
    chances = {name: probability(name, m) for name, m in tests.items()}
    failing = holm(chances)
    worst = max((metrics[f"separation/{n}"].value, n) for n in names)
    shape = f"largest separation {worst[0]:.3f} ({worst[1]})"
    if not failing:
        return [f"None of {len(names)} observables differs (family-wise 1 %, {len(tests)} tests); {shape}."]
    bad = list(dict.fromkeys(name.split("/", 1)[1] for name in failing))
    out = [f"{len(bad)} of {len(names)} observables differ (family-wise 1 %, {len(tests)} tests); {shape}."]
    for name in bad[:most]:
        kinds = [k for k in ("mean", "spread", "separation") if f"{k}/{name}" in failing]
        parts = []
        for kind in kinds:
            m = metrics[f"{kind}/{name}"]
            if kind == "mean":
                parts.append(
                    f"mean by {m.value:+.3g} ± {m.error:.1g}{' ' + m.unit if m.unit else ''}{_where(metrics, name)}"
                )
            elif kind == "spread":
                parts.append(f"spread by {_percent(m.value - 1, m.error)}")
            else:
                parts.append(f"shape by a separation of {m.value:.3f} ± {m.error:.3f}")
        out.append(f"{name} differs: {', '.join(parts)}.")
    return out


def _where(metrics: Mapping[str, Measurement], name: str) -> str:
    """The ranges of the condition in which a mean differs, where not all of them."""
    bins = _bins(metrics, f"mean/{name}")
    found = {entry[3]: probability(entry[3], metrics[entry[3]]) for entry in bins}
    bad = [entry for entry in bins if entry[3] in holm(found)]
    if not bad or len(bad) == len(bins):
        return ""
    return " (" + ", ".join(f"{lo:g} to {hi:g} {unit}".strip() for lo, hi, unit, _ in _merged(bad, metrics)) + ")"


def _classifiers(metrics: Mapping[str, Measurement]) -> list[str]:
    words = {"observables": "Trees on observables", "observables_mlp": "A network on observables"}
    words |= {"cells": "A network on cells", "pixels": "A network on pixels"}
    out = []
    for name, subject in words.items():
        m = metrics.get(f"auc/{name}")
        if m is not None:
            verb = "tell" if subject.startswith("Trees") else "tells"
            can = (
                f"{verb} the two apart"
                if m.above_floor > 3
                else f"can{'not' if m.above_floor < 2 else ' hardly'} tell the two apart"
            )
            out.append(f"{subject} {can}: AUC {m}.")
    return out


def _memory(metrics: Mapping[str, Measurement]) -> list[str]:
    copies = metrics.get("memorisation/copies")
    if copies is None:
        return []
    p, same = metrics["memorisation/p"].value, metrics["memorisation/identical"].value
    counts = f"nearest to training : held-out events {copies.value:.0f} : {copies.floor:.0f}, identical rows {same:.0f}"
    if p < FAMILY or same > metrics["memorisation/identical"].floor:
        return [f"It copies training events: {counts}, p = {p:.1g}."]
    return [f"No copies of training events: {counts}; distance ratio {metrics['memorisation/ratio']}."]


def _mixture(metrics: Mapping[str, Measurement]) -> list[str]:
    if "modes/covered" not in metrics:
        return []
    m, good = metrics["modes/covered"], metrics["modes/high_quality"]
    return [
        f"{m.value:.0f} {m.unit} modes covered; {100 * good.value:.1f} % of samples lie in one "
        f"(real {100 * good.floor:.1f} %)."
    ]


def _pictures(metrics: Mapping[str, Measurement]) -> list[str]:
    out = []
    if "fid" in metrics:
        baseline = metrics.get("fid/pca_gaussian")
        beside = "" if baseline is None else f"; a Gaussian in principal components has {baseline.value:.1f}"
        out.append(f"FID on a classifier's features {metrics['fid']}{beside}.")
    if "classes/as_asked" in metrics:
        m = metrics["classes/as_asked"]
        out.append(f"{100 * m.value:.1f} % of samples are seen as the class asked for (real {100 * m.floor:.1f} %).")
    return out
