"""One difference between generated and reference events: where it is, how large, and in words."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from simulacra.evaluation.features import LOGARITHM, Conditions, Feature, Range
from simulacra.evaluation.measurement import digits
from simulacra.evaluation.weights import among, summary


@dataclass(frozen=True)
class Finding:
    """One difference between generated and reference events at equal conditions.

    Attributes:
        names: of the quantity, or of both where their correlation differs.
        what: `mean`, `spread`, `correlation`, `occupancy`, `cell` (its mean logarithm), `neighbours`
            (the same, given the other cells) or `noise` (what the other cells leave of it).
        difference: generated minus reference, in `unit`; of spread and noise the relative difference.
        error: one standard deviation of it.
        t: the difference in units of the pooled error, as tested.
        range: of the condition; `None` for all.
        axes: the names in words.
    """

    names: tuple[str, ...]
    what: str
    difference: float
    error: float
    t: float
    unit: str = ""
    range: Range | None = None
    axes: tuple[str, ...] = ()

    def sentence(self) -> str:
        """What differs, by how much and where.

        >>> Finding(("layer2 cell row 3 column 5",), "cell", -0.21, 0.02, -10.5, LOGARITHM).sentence()
        'layer2 cell row 3 column 5: mean log10(E/MeV+0.1) differs by -0.21 ± 0.02'
        >>> Finding(("f_layer0", "depth"), "correlation", -0.35, 0.02, -17.0).sentence()
        'correlation of f_layer0 and depth differs by -0.35 ± 0.02'
        """
        name, unit, scale = self.names[0], self.unit, 1
        if self.what in ("spread", "noise"):
            unit, scale = "%", 100
        elif self.unit == LOGARITHM:
            unit = ""
        words = f" ({self.axes[0]})" if self.axes and self.axes[0] else ""
        subject = {
            "correlation": f"correlation of {' and '.join(self.names)}",
            "cell": f"{name}: mean {LOGARITHM}" if self.unit == LOGARITHM else f"{name}: mean",
            "neighbours": f"{name}: mean {LOGARITHM} given the other cells",
            "noise": f"{name}: spread around what the other cells tell",
        }.get(self.what, f"{name}{words}: {self.what}")
        d, s = scale * self.difference, scale * self.error
        shown = digits(s)
        place = f" at {self.range}" if self.range is not None else ""
        return f"{subject} differs by {d:+.{shown}f} ± {s:.{shown}f} {unit}".rstrip() + place


def merged(found: list[tuple[Feature, float]]) -> list[tuple[Feature, float]]:
    """Findings of one quantity in adjacent ranges as one, largest first."""
    out: list[tuple[Feature, float]] = []
    for feature, t in found:
        for k, (other, size) in enumerate(out):
            a, b = feature.range, other.range
            alike = (feature.names, feature.what) == (other.names, other.what) and (t > 0) == (size > 0)
            if alike and a is not None and b is not None and a.low != a.high and (a.low == b.high or a.high == b.low):
                whole = replace(a, low=min(a.low, b.low), high=max(a.high, b.high))
                events = np.concatenate([np.asarray(feature.events), np.asarray(other.events)])
                out[k] = replace(other, events=np.sort(events), range=whole), float(np.hypot(t, size) * np.sign(t))
                break
        else:
            out.append((feature, t))
    return sorted(out, key=lambda item: -abs(item[1]))


def finding_of(feature: Feature, t: float, conditions: Conditions) -> Finding:
    """The difference with Welch's error; of squares, as a relative difference of their roots."""
    n, place = conditions.n, np.zeros(len(feature.values), bool)
    place[feature.events] = True
    a, b = feature.values[:n][place[:n]], feature.values[n:][place[n:]]
    of_a, of_b = among(conditions.weights, place[:n], place[n:]) or (None, None)
    (mean_a, var_a, na), (mean_b, var_b, nb) = summary(a, of_a), summary(b, of_b)
    d, s = float(mean_b - mean_a), float(np.sqrt(var_a / na + var_b / nb))
    if feature.what in ("spread", "noise"):
        before, after = float(mean_a) or float(feature.values.mean()), float(mean_b)
        ratio = float(np.sqrt(after / before))
        error = np.hypot(np.sqrt(var_b) / np.sqrt(nb), ratio**2 * np.sqrt(var_a) / np.sqrt(na)) / before
        d, s = ratio - 1, float(error) / (2 * max(ratio, 0.1))
    return Finding(feature.names, feature.what, d, s, t, feature.unit, feature.range, feature.axes)
