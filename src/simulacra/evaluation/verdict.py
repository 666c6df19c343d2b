"""What the numbers say, in sentences that a physicist can act on."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

import numpy as np
from scipy.stats import norm

from simulacra.evaluation.defects import Seen, weakest
from simulacra.evaluation.gate import probabilities, shapes
from simulacra.evaluation.judge import Evaluation
from simulacra.evaluation.measurement import Measurement
from simulacra.evaluation.memorisation import copying
from simulacra.evaluation.multiple import holm

SURE = 1.645
"""Standard deviations of a one-sided 95 % statement."""
CLEAR = 4.0
"""Standard deviations from which a planted defect is found without doubt."""
WORDS = {
    "obs": "observables",
    "products": "products of observables",
    "ranges": "ranges of the condition",
    "conditional": "what neighbours leave of a cell",
    "copies": "copies of training events",
    "identical": "training events themselves",
    "repeats": "repeated events",
    "twins": "pairs of events",
}
"""What the groups of tests are called, where not by their names."""
_RANGE = re.compile(r"^(.*)/([-+.\de]+?)-([.\d]+(?:e[-+]?\d+)?)([A-Za-z]*)$")


def probability(name: str, m: Measurement) -> float:
    """How likely a perfect model is to show at least this shift or ratio, two-sided."""
    ideal = _ideal(name)
    spread = max(m.error, m.floor_error if m.floor == ideal else 0.0)
    if spread == 0:
        return float(m.value == ideal)
    return float(2 * norm.sf(abs(m.value - ideal) / spread))


def _ideal(name: str) -> float:
    return 1.0 if name.startswith(("resolution/", "spread/")) else 0.0


def verdict(evaluation: Evaluation, *, response: float = 0.005, resolution: float = 0.10) -> list[str]:
    """Sentences: what agrees within how much, what differs by how much and where, what is undecided, what is usable.

    "Agrees within x" is said at 95 % confidence (|d| + 1.645 s below x); "differs" and "fails" only where all tests
    together would give a false alarm in 1 % of cases (Holm); "undecided" comes with the number of events that would
    decide. Silence is worth what planted defects showed.

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
    out, metrics = [_header(evaluation), *evaluation.notes], evaluation.metrics
    for prefix, label, within in (
        ("response/bias", "Response", response),
        ("resolution/ratio", "Resolution", resolution),
    ):
        found = {name: m for name, m in metrics.items() if name == prefix or name.startswith(prefix + "/")}
        if prefix in found:
            out += _claim(label, found, prefix, within, "effective " if evaluation.effective else "")
    out += _usable(evaluation, response, resolution) + _gate(evaluation) + _classifiers(metrics)
    out += (
        _memory(metrics)
        + _mixture(metrics)
        + _pictures(metrics)
        + _codes(metrics)
        + _sensitivity(evaluation.sensitivity)
    )
    return out


def _header(evaluation: Evaluation) -> str:
    worth = {k: f" (effective n {n:,.0f})" for k, n in evaluation.effective.items()}
    names = [k for k in ("reference", "generated") if k in evaluation.rows]
    sides = " against ".join(f"{evaluation.rows[k]:,} {k}{worth.get(k, '')}" for k in names)
    ranges = "".join(
        f", {name} {low:.4g} to {high:.4g} {unit}".rstrip() for name, (low, high, unit) in evaluation.ranges.items()
    )
    return f"Judged on {sides or 'no'} events{ranges}."


def _percent(d: float, s: float) -> str:
    digits = min(max(1 - math.floor(math.log10(max(100 * s, 1e-9))), 0), 3)
    return f"{100 * d:+.{digits}f} ± {100 * s:.{digits}f} %"


def _claim(label: str, found: Mapping[str, Measurement], prefix: str, within: float, kind: str) -> list[str]:
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
        more = f"{need:,} {kind}events would decide" if need > whole.n else "it lies close to the limit"
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


def _gate(evaluation: Evaluation, most: int = 8) -> list[str]:
    """Pass or fail over all tests, and what differs where."""
    chances = probabilities(evaluation)
    if not chances:
        return []
    bad = holm(chances)
    groups = {} if evaluation.battery is None else evaluation.battery.groups
    known = shapes(evaluation.metrics)
    count = sum(group.features for group in groups.values()) + len(known)
    largest = max(((evaluation.metrics[f"separation/{name}"].value, name) for name in known), default=None)
    shape = "" if largest is None else f"; largest separation {largest[0]:.3f} ({largest[1]})"
    tests = f"family-wise 1 %, {count:,} tests in {len(chances)} groups{shape}"
    if not bad:
        return [f"Passes: nothing differs from real events ({tests})."]
    out = [f"Fails in {', '.join(WORDS.get(name, name) for name in bad)} ({tests})."]
    told: set[str] = set()
    clear = [name for name in bad if name in groups]
    for name in clear:
        each = max(1, min(3, most // len(clear)))
        new = [finding for finding in groups[name].worst if finding.sentence() not in told][:each]
        told |= {finding.sentence() for finding in new}
        out += [f"{finding.sentence()} ({abs(finding.t):.1f} σ)." for finding in new]
    if "shapes" in bad:
        wrong = holm(known)
        named = [f"{n} by a separation of {evaluation.metrics[f'separation/{n}']}" for n in wrong[: most // 2]]
        out.append(f"The shapes of {len(wrong)} of {len(known)} observables differ: {', '.join(named)}.")
    return out


def _sensitivity(found: Mapping[str, Seen]) -> list[str]:
    """What the silence of these tests is worth."""
    if not found:
        return []
    sure = {name: seen for name, seen in found.items() if seen.z >= CLEAR}
    rest = ", ".join(f"{name} ({seen.z:.1f} σ)" for name, seen in found.items() if name not in sure)
    out = f"Of {len(found)} defects planted in real events {len(sure)} show at {CLEAR:g} σ or more"
    if sure:
        out += f", the weakest of them, {weakest(sure)}, at {sure[weakest(sure)].z:.1f} σ"
    return [out + (f"; not seen so clearly: {rest}." if rest else ".")]


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
    same = metrics["memorisation/identical"].value
    counts = f"nearest to training : held-out events {copies.value:.0f} : {copies.floor:.0f}, identical rows {same:.0f}"
    p = copying(metrics)
    bad = holm(p)
    if "copies" in bad or "identical" in bad:
        return [f"It copies training events: {counts}, p = {min(p['copies'], p.get('identical', 1.0)):.1g}."]
    if bad:
        again = ", ".join(f"{metrics[f'memorisation/{name}'].value:.0f} {name}" for name in bad)
        return [f"It repeats itself: {again} in {copies.n:,} events; no copies of training events."]
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
    if "classified/right" in metrics:
        m = metrics["classified/right"]
        out.append(
            f"Its own classifier is right on {100 * m.value:.1f} ± {100 * m.error:.1f} % of real events"
            f" (always the commonest class: {100 * m.floor:.1f} %)."
        )
    if "classes/as_asked" in metrics:
        m = metrics["classes/as_asked"]
        out.append(f"{100 * m.value:.1f} % of samples are seen as the class asked for (real {100 * m.floor:.1f} %).")
    return out


def _codes(metrics: Mapping[str, Measurement]) -> list[str]:
    m = metrics.get("mig")
    if m is None:
        return []
    beside = metrics.get("mig/pca")
    plain = "" if beside is None else f"; as many principal components have {beside.value:.2f}"
    return [f"Mutual information gap of codes with the known factors {m}, 1 if each is one number{plain}."]
