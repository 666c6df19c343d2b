"""The numbers of a report as rows of text: every value with its error, and the floor beside it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from simulacra.evaluation import Measurement
from simulacra.evaluation.held_out import DRAWS

LABELS = {
    "response/bias": "Response: bias",
    "resolution/ratio": "Resolution: generated / real",
    "auc/observables": "AUC of trees on observables",
    "auc/observables_mlp": "AUC of a network on observables",
    "auc/cells": "AUC of a network on cells",
    "auc/pixels": "AUC of a network on pixels",
    "js/observables": "Jensen-Shannon divergence at least, trees on observables",
    "js/cells": "The same, a network on cells",
    "js/pixels": "The same, a network on pixels",
    "memorisation/ratio": "Distance to the nearest training event, median, over held-out",
    "memorisation/ratio/1%": "The same for the 1 % quantile",
    "memorisation/copies": "Copies: events twice as near to training (floor: to held-out) ones",
    "memorisation/p": "Probability of these counts for an honest model",
    "memorisation/identical": "Events identical to training events",
    "memorisation/repeats": "Events that repeat an earlier one",
    "memorisation/twins": "Pairs far nearer to each other than to all others",
    "coverage/precision": "Precision: generated events where real ones are",
    "coverage/recall": "Recall: real events where generated ones are",
    "coverage/density": "Density: generated events around real ones",
    "coverage/coverage": "Coverage: real events with a generated one near",
    "fpd": "Fréchet distance of all observables, without its bias",
    "kpd": "Kernel distance of all observables",
    "modes/covered": "Modes covered",
    "modes/high_quality": "Share of samples within 3 σ of a mode",
    "modes/reverse_kl": "KL divergence of the modes' shares",
    "quality/sharpness": "Sharpness: variance of the Laplacian",
    "quality/spectrum": "Power spectrum: decades off, mean over rings",
    "quality/likeness": "MS-SSIM among generated pictures",
    "fid": "FID on a classifier's features",
    "kid": "KID on a classifier's features",
    "fid/pca_gaussian": "FID of a Gaussian in principal components, for comparison",
    "classes/as_asked": "Samples seen as the class asked for",
    "classified/right": "Real events whose class the run reads right; floor: always the commonest",
    "classified/surprise": "Minus the log-probability of their class; floor: by the classes' shares alone",
    "classified/overconfidence": "How sure it is, less how often it is right",
    "nll": "Minus the log-likelihood of held-out events",
    f"nll/bound_{DRAWS}": f"Upper limit of minus their log-likelihood, {DRAWS} draws each",
    "nll/annealed": "Minus their log-likelihood, log Z by annealing",
    "nll/impossible": "Held-out events that are impossible under the model",
    "mig": "Mutual information gap: 1 where each known factor is one number of the code",
    "mig/pca": "The same for as many principal components, for comparison",
}
"""What the leading metrics are called, in the order of the table."""
ABOVE = ("fid/pca_gaussian", "mig", "mig/pca", "classified/right", "classified/surprise")
"""What is meant to lie far from its floor, or is there for comparison."""
COUNTS = (*(f"memorisation/{name}" for name in ("copies", "identical", "repeats", "twins")), "modes/covered")
SPEEDS = {
    "ms at batch 1": "ms per event, one at a time, one thread",
    "ms at batch 1000": "ms per event, 1,000 at a time, one thread",
    "times faster than the simulator": "times faster than the simulator, on one core",
}
KINDS = ("separation", "wasserstein", "ks", "mean", "spread")
_BIN = re.compile(r"^(response/bias|resolution/ratio)/(.+)$")


class Row(NamedTuple):
    """One line of a table; `far` is how many standard deviations the value lies from its floor, as text."""

    label: str
    value: str
    floor: str
    far: str
    n: str
    baseline: str = ""
    alarming: bool = False


def amount(value: float, error: float, unit: str = "") -> str:
    """`value ± error` with the digits that the error allows, and a minus as long as a plus.

    >>> amount(0.61234, 0.0041), amount(-12345.6, 321.0, "MeV"), amount(2.3e-07, 4e-08)
    ('0.612 ± 0.004', '−12,350 ± 320 MeV', '(2.3 ± 0.4) × 10⁻⁷')
    >>> amount(float("nan"), 1.0), amount(3.0, 0.0)
    ('undefined', '3')
    """
    return _amount(value, error, unit).replace("-", "−")


def _amount(value: float, error: float, unit: str = "") -> str:
    tail = f" {unit}" if unit else ""
    if not (math.isfinite(value) and math.isfinite(error)):
        return "undefined"
    if error <= 0:
        return f"{value:,.4g}{tail}"
    power = math.floor(math.log10(error))
    digits = -power + (1 if error / 10.0**power < 1.5 or power >= 1 else 0)
    if max(abs(value), error) < 1e-4 or max(abs(value), error) >= 1e7:
        tens = math.floor(math.log10(max(abs(value), error)))
        shown = max(0, digits + tens)
        scale = 10.0**tens
        power_text = str(tens).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"({value / scale:.{shown}f} ± {error / scale:.{shown}f}) × 10{power_text}{tail}"
    if digits >= 0:
        return f"{value:,.{digits}f} ± {error:,.{digits}f}{tail}"
    return f"{round(value, digits):,.0f} ± {round(error, digits):,.0f}{tail}"


def row(name: str, m: Measurement, label: str = "", baseline: Measurement | None = None) -> Row:
    """A measurement as a line: counts as counts, probabilities in full, all else with errors."""
    title = label or LABELS.get(name, name)
    n = f"{m.n:,}" if m.n else ""
    beside = "" if baseline is None else amount(baseline.value, baseline.error, baseline.unit)
    if name == "memorisation/p":
        return Row(title, f"{m.value:.2g}", "", "", n, beside, m.value < 0.01)
    if name in COUNTS:
        beside = "" if baseline is None else f"{baseline.value:,.0f}"
        return Row(title, f"{m.value:,.0f} {m.unit}".strip(), f"{m.floor:,.0f}", "", n, beside)
    if name == "response/bias":
        m = replace(
            m, value=100 * m.value, error=100 * m.error, floor=100 * m.floor, floor_error=100 * m.floor_error, unit="%"
        )
        beside = "" if baseline is None else amount(100 * baseline.value, 100 * baseline.error, "%")
    far = m.above_floor
    text = f"{far:+.1f} σ".replace("-", "−") if math.isfinite(far) and abs(far) < 1000 else ""
    alarming = math.isfinite(far) and abs(far) > 3 and name not in ABOVE
    return Row(
        title,
        amount(m.value, m.error, m.unit),
        "" if math.isnan(m.floor) else amount(m.floor, m.floor_error, m.unit if m.unit == "%" else ""),
        text,
        n,
        beside,
        alarming,
    )


def leading(metrics: Mapping[str, Measurement], baseline: Mapping[str, Measurement] | None = None) -> list[Row]:
    """The metrics that summarise all others, in the order of `LABELS`, and the largest and mean separation."""
    beside = baseline or {}
    out = [row(name, metrics[name], baseline=beside.get(name)) for name in LABELS if name in metrics]
    separations = {k.removeprefix("separation/"): m for k, m in metrics.items() if k.startswith("separation/")}
    if separations:
        worst = max(separations, key=lambda name: separations[name].value)
        at = 2 if "response/bias" in metrics else 0
        title = f"Separation power, largest of {len(separations)} ({worst})"
        out.insert(at, row(f"separation/{worst}", separations[worst], title, beside.get(f"separation/{worst}")))
    known = {*LABELS, *(f"separation/{name}" for name in separations)}
    rest = [
        n
        for n in metrics
        if n not in known and n.split("/")[0] not in (*KINDS, "response", "resolution", "classes", "battery")
    ]
    return out + [row(name, metrics[name], baseline=beside.get(name)) for name in rest]


def by_energy(metrics: Mapping[str, Measurement]) -> list[tuple[str, str, str, str, bool, bool]]:
    """Per energy bin: bin, bias in percent, resolution ratio, events; whether each is over 3 σ from its ideal."""
    bins: dict[str, dict[str, Measurement]] = {}
    for name, m in metrics.items():
        if found := _BIN.match(name):
            bins.setdefault(found[2], {})[found[1]] = m
    out = []
    for label, held in bins.items():
        b, r = held.get("response/bias"), held.get("resolution/ratio")
        held_by = b or r
        pretty = re.sub(r"(?<=[\d.])-(?=[\d.])", " to ", label)
        out.append(
            (
                re.sub(r"(?<=\d)(?=[A-Za-z])", " ", pretty),
                "" if b is None else amount(100 * b.value, 100 * b.error, "%"),
                "" if r is None else amount(r.value, r.error),
                f"{held_by.n:,}" if held_by else "",
                b is not None and abs(b.value) > 3 * b.error,
                r is not None and abs(r.value - 1) > 3 * r.error,
            )
        )
    return out


def by_observable(metrics: Mapping[str, Measurement], names: Sequence[str]) -> list[tuple[str, dict[str, str], bool]]:
    """Per observable, the least faithful first: its name, its numbers by kind, whether one is alarming."""
    entries = list(dict.fromkeys(k.split("/", 1)[1] for k in metrics if k.startswith("separation/")))
    entries += [n for n in names if n not in entries and not any(e.startswith(f"{n}/") for e in entries)]
    out = []
    for name in sorted(entries, key=lambda n: -excess(metrics.get(f"separation/{n}"))):
        held = {kind: metrics[f"{kind}/{name}"] for kind in KINDS if f"{kind}/{name}" in metrics}
        m = held.get("separation")
        out.append((name, {k: amount(v.value, v.error, v.unit) for k, v in held.items()}, _far(m)))
    return out


def excess(m: Measurement | None) -> float:
    """How far above its floor, for sorting; what is not known comes last."""
    return m.excess if m is not None and math.isfinite(m.excess) else -1.0


def _far(m: Measurement | None) -> bool:
    return m is not None and m.floor_error > 0 and m.excess > 4 * m.floor_error


def note(m: Measurement | None) -> str:
    """The line above an observable's picture."""
    if m is None:
        return ""
    return f"separation {amount(m.value, m.error)} (floor {amount(m.floor, m.floor_error)})"


def speeds(speed: Mapping[str, float]) -> list[tuple[str, str]]:
    """Numbers and what they count: `0.42`, `ms per event, ...`."""
    return [(f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}", SPEEDS.get(k, k)) for k, value in speed.items()]


def flat(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A nested mapping as dotted names and values; what is not set is left out."""
    rows: list[tuple[str, str]] = []
    for name, value in config.items():
        if isinstance(value, Mapping):
            rows += flat(value, f"{prefix}{name}.")
        elif value is not None and value != "":
            rows.append((f"{prefix}{name}", str(value)))
    return rows


_WORDS = (
    ("note", ("defects planted",)),
    ("undecided", ("undecided", "hardly")),
    ("agrees", ("agrees", "Passes", "No copies", "cannot tell", "Usable at")),
    (
        "differs",
        ("differ", "Fails", "Usable nowhere", "tell the two apart", "tells the two apart", "It copies", "It repeats"),
    ),
)


def sorted_verdict(lines: Sequence[str]) -> list[tuple[str, str]]:
    """Each sentence of a verdict with what it says: `usable`, `agrees`, `differs`, `undecided` or `note`.

    >>> sorted_verdict(["Usable at 5 to 50 GeV: ...", "Response agrees within 0.1 %."])
    [('usable', 'Usable at 5 to 50 GeV: ...'), ('agrees', 'Response agrees within 0.1 %.')]
    """
    out = []
    for line in lines:
        kind = next((kind for kind, words in _WORDS if any(word in line for word in words)), "note")
        out.append(("usable" if line.startswith("Usable") else kind, line))
    return out
