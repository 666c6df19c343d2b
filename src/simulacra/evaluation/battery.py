"""The moment battery: many means compared at equal conditions, with one honest probability for all of them.

A shift of one mean uses every event, which a classifier that must find the direction first does not. Features are
computed without labels, so permuting labels is exact, and nothing is lost to a training split.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from scipy.special import gammaln, log_ndtr, ndtri_exp
from scipy.stats import chi2, false_discovery_control, norm

from simulacra.batch import Batch, DataSpec
from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.conditional import conditional
from simulacra.evaluation.features import LOGARITHM, Conditions, Feature, Range, Table, tables
from simulacra.evaluation.measurement import digits
from simulacra.evaluation.multiple import holm
from simulacra.protocols import Observable

SUSPECTED = 0.10
"""Share of false ones among the suspects (Benjamini and Hochberg 1995)."""
WORST = 5
FEWEST = 80
SURELY = -1e-3
"""The largest ln p: what fits too well stays finite in standard deviations."""
_BLOCK = 2**24
"""Numbers of a table that are held at once."""


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


@dataclass(frozen=True)
class Group:
    """What became of one group of features.

    Attributes:
        p: probability that a perfect model shows at least this, in the largest |t| or in the sum of t^2.
        z: p as standard deviations of a Gaussian, one-sided; about 0 ± 1 for a perfect model.
        statistic: the largest |t|.
        features: how many were compared.
        meff: independent features that would give the same median of the largest |t|.
        total: the sum of t^2 as standard deviations: what many small differences show together.
        worst: the suspects (false discovery rate 10 %), at most five; at least the largest difference.
    """

    p: float
    z: float
    statistic: float
    features: int
    meff: float
    total: float
    worst: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Battery:
    """What the battery found.

    Attributes:
        groups: by name: `obs`, `products`, `ranges`, `cells`, `occupancies`, `conditional`, as far as the data allow.
        reference, generated: events on each side.
        skipped: groups that could not be compared, and why.
    """

    groups: Mapping[str, Group]
    reference: int
    generated: int
    permutations: int = 200
    skipped: Mapping[str, str] = field(default_factory=dict)

    @property
    def failing(self) -> list[str]:
        """Groups that fail, with at most 1 % for any false alarm (Holm 1979)."""
        return holm({name: group.p for name, group in self.groups.items()})

    def to_json(self) -> dict[str, Any]:
        return asdict(replace(self, groups=dict(self.groups), skipped=dict(self.skipped)))

    @staticmethod
    def from_json(data: Mapping[str, Any] | str) -> Battery:
        held = dict(json.loads(data) if isinstance(data, str) else data)
        groups = {}
        for name, group in held.pop("groups").items():
            worst = []
            for found in group["worst"]:
                part = None if found["range"] is None else Range(**found["range"])
                words = {key: tuple(found[key]) for key in ("names", "axes")}
                worst.append(Finding(**{**found, **words, "range": part}))
            groups[name] = Group(**{**group, "worst": tuple(worst)})
        return Battery(groups, **held)


def battery(
    reference: Batch,
    generated: Batch,
    spec: DataSpec,
    observables: Sequence[Observable] = (),
    *,
    permutations: int = 200,
    seed: int = 0,
) -> Battery:
    """Compares means of many features of two samples, each freed of the conditions with a fit to both together.

    Groups: observables; their products (spreads and correlations); both moments in ranges of the condition; energies
    of cells; whether cells are hit; what is left of a cell once its neighbours are known. In each, t_f is the
    difference of means over the pooled error. The largest of K has the probability 1 - (1 - 2 Phi(-max|t|))^Meff, Meff
    such that permuted labels give the same median, which carries beyond 1 / permutations. The sum of t^2, where many
    small differences add up, follows a gamma law of which permutations give the parameters. A group's p is that of the
    smaller of the two.

    Args:
        reference: real events; generated: events of the model, made at the reference's conditions.
        observables: from the domain; other features are passed as an observable of K numbers.

    Raises:
        UserError: fewer than 80 events on a side or permutations, weighted events, or a number is not finite.

    Example:
        >>> import torch
        >>> from simulacra.batch import Field
        >>> draw, spec = torch.Generator().manual_seed(1), DataSpec("toy", "vector", Field((2,)))
        >>> x, y = (torch.randn(500, 2, generator=draw) for _ in range(2))
        >>> y[:, 1] = 0.6 * x[:, 0] + 0.8 * y[:, 1]
        >>> battery(Batch(x), Batch(torch.stack([x[:, 0], y[:, 1]], 1)), spec).failing
        ['products']
    """
    for name, batch in (("reference", reference), ("generated", generated)):
        if len(batch) < FEWEST:
            raise UserError(f"expected at least {FEWEST} {name} events, came {len(batch)}; give more events")
        if batch.weight is not None:
            raise UserError(f"expected {name} events without weights, came weighted ones; unweight them first")
        numbers(batch.x, f"the {name} events")
    if permutations < FEWEST:
        raise UserError(f"expected at least {FEWEST} permutations, came {permutations}; 200 are usual")
    n, m = len(reference), len(generated)
    conditions = Conditions(reference, generated, spec)
    found, skipped = tables(reference, generated, spec, observables, conditions), {}
    if "obs" not in found:
        skipped["obs"] = "no observable varies" if observables else "no observable is given"
    if spec.layout == "layers":
        last = conditional(reference, generated, spec, conditions)
        if isinstance(last, str):
            skipped["conditional"] = last
        else:
            found["conditional"] = last
    labels = np.empty((n + m, 1 + permutations), np.float32)
    labels[:, 0] = np.repeat([-1 / n, 1 / m], [n, m])
    draw = np.random.default_rng(seed)
    for k in range(permutations):
        labels[:, 1 + k] = draw.permutation(labels[:, 0])
    judged = {name: _group(table, labels, n, m) for name, table in found.items()}
    skipped |= {name: "nothing varies" for name, group in judged.items() if group is None}
    groups = {name: group for name, group in judged.items() if group is not None}
    return Battery(groups, n, m, permutations, skipped)


def _group(table: Table, labels: Array, n: int, m: int) -> Group | None:
    width = max(1, _BLOCK // len(labels))
    blocks = (table.rows(slice(k, min(k + width, table.size))) for k in range(0, table.size, width))
    t = np.concatenate([_differences(block, labels, n, m) for block in blocks])
    largest = np.abs(t).max(0)
    if not largest.any():
        return None
    meff = float(np.log(0.5) / np.log1p(-2 * norm.sf(np.median(largest[1:]))))
    log_total = _log_p_total(t)
    log_p = _repeated(min(_log_p_largest(float(largest[0]), meff), log_total), 2)
    p_features = 2 * norm.sf(np.abs(t[:, 0]))
    suspects = int((false_discovery_control(p_features) <= SUSPECTED).sum())
    order = np.argsort(-np.abs(t[:, 0]))[: max(1, min(suspects, 4 * WORST))]
    worst = _merged([(table.feature(int(k)), float(t[k, 0])) for k in order])[:WORST]
    return Group(
        float(np.exp(log_p)),
        float(-ndtri_exp(log_p)),
        float(largest[0]),
        table.size,
        meff,
        float(-ndtri_exp(log_total)),
        tuple(_finding(feature, size, n) for feature, size in worst),
    )


def _differences(values: Array, labels: Array, n: int, m: int) -> Array:
    """t of every feature [k, N] for every column of labels, [k, 1 + permutations]."""
    values = values.astype(np.float32, copy=False)
    centred = values - values.mean(1, keepdims=True, dtype=np.float64).astype(np.float32)
    spread = np.sqrt(np.einsum("kn,kn->k", centred, centred) / (values.shape[1] - 1))
    error = np.where(spread > 1e-6, spread, np.inf) * np.sqrt(1 / n + 1 / m)
    return (centred @ labels).astype(np.float64) / error[:, None]


def _repeated(log_p: float, times: float) -> float:
    """ln[1 - (1 - p)^times]: the least of as many independent probabilities."""
    if log_p < -30:
        return log_p + float(np.log(times))
    return min(float(np.log(-np.expm1(times * np.log1p(-np.exp(min(log_p, SURELY)))))), SURELY)


def _log_p_largest(largest: float, meff: float) -> float:
    """ln[1 - (1 - 2 Phi(-max))^Meff]."""
    return _repeated(float(np.log(2) + log_ndtr(-largest)), meff)


def _log_p_total(t: Array) -> float:
    """ln of the probability of the sum of t^2, which is one of lambda_i chi^2_1, by a gamma law.

    Products of permuted t around 2, 3 and 4 of them have the means sum lambda^2, sum lambda^3 and sum lambda^4. The law
    has the mean and the variance of the sum; its tail falls with sum lambda^4 / sum lambda^3, close to that of the
    largest lambda, where matching the third moment would fall too fast.
    """
    null = t[:, 1:]
    size = null.shape[1]
    gram = null.T @ null
    np.fill_diagonal(gram, 0.0)
    square = gram @ gram
    twice = float(np.trace(square)) / (size * (size - 1))
    thrice = float((square * gram).sum()) / (size * (size - 1) * (size - 2))
    circles = float((square**2).sum() - 2 * (np.diag(square) ** 2).sum() + (gram**4).sum())
    fourth = circles / (size * (size - 1) * (size - 2) * (size - 3))
    slope = max(thrice / twice, fourth / thrice) if min(thrice, fourth) > 0 else 1.0
    freedom = twice / slope**2
    mean = int(null.any(1).sum())  # under permutation each t^2 has the mean 1
    z = (float((t[:, 0] ** 2).sum()) - mean) / np.sqrt(2 * twice)
    return min(_log_sf(max(freedom + z * np.sqrt(2 * freedom), 1e-9), freedom), SURELY)


def _log_sf(x: float, freedom: float) -> float:
    """ln of the tail of chi^2; below what a double holds by x^(a-1) e^-x / (Gamma(a) (1 - (a-1)/x)), its asymptote."""
    found = float(chi2.logsf(x, freedom))
    if np.isfinite(found):
        return found
    a, y = freedom / 2, x / 2
    return float((a - 1) * np.log(y) - y - gammaln(a) - np.log1p(-(a - 1) / y))


def _merged(found: list[tuple[Feature, float]]) -> list[tuple[Feature, float]]:
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


def _finding(feature: Feature, t: float, n: int) -> Finding:
    """The difference with Welch's error; of squares, as a relative difference of their roots."""
    place = np.zeros(len(feature.values), bool)
    place[feature.events] = True
    a, b = feature.values[:n][place[:n]], feature.values[n:][place[n:]]
    d, s = float(b.mean() - a.mean()), float(np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b)))
    if feature.what in ("spread", "noise"):
        before, after = float(a.mean()) or float(feature.values.mean()), float(b.mean())
        ratio = float(np.sqrt(after / before))
        error = np.hypot(b.std(ddof=1) / np.sqrt(len(b)), ratio**2 * a.std(ddof=1) / np.sqrt(len(a))) / before
        d, s = ratio - 1, float(error) / (2 * max(ratio, 0.1))
    return Finding(feature.names, feature.what, d, s, t, feature.unit, feature.range, feature.axes)
