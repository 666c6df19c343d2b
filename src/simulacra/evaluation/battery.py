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
from simulacra.evaluation.features import Conditions, Range, Table, tables
from simulacra.evaluation.findings import Finding, finding_of, merged
from simulacra.evaluation.multiple import holm
from simulacra.evaluation.weights import shares
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

    Weighted events enter by the pulls u_i = +-w_i (v_i - mean) / sum w of their sample, t = sum u / sqrt(sum u^2), the
    error of Welch. Weights may follow another law in each sample, where labels may not be permuted; what chance gives
    are then random signs of the pulls (Wu 1986, the wild bootstrap).

    Args:
        reference: real events; generated: events of the model, made at the reference's conditions.
        observables: from the domain; other features are passed as an observable of K numbers.

    Raises:
        UserError: fewer than 80 (effective) events on a side or permutations, a negative weight, or a number is not
            finite.

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
        numbers(batch.x, f"the {name} events")
    if permutations < FEWEST:
        raise UserError(f"expected at least {FEWEST} permutations, came {permutations}; 200 are usual")
    n, m = len(reference), len(generated)
    conditions = Conditions(reference, generated, spec)
    if conditions.smaller < FEWEST:
        worth = f"{conditions.smaller:.0f} effective ones"
        raise UserError(f"expected weights that leave {FEWEST} events, came {worth}; give more events")
    found, skipped = tables(reference, generated, spec, observables, conditions), {}
    if "obs" not in found:
        skipped["obs"] = "no observable varies" if observables else "no observable is given"
    if spec.layout == "layers":
        last = conditional(reference, generated, spec, conditions)
        if isinstance(last, str):
            skipped["conditional"] = last
        else:
            found["conditional"] = last
    labels = _labels(conditions, permutations, seed)
    judged = {name: _group(table, labels, conditions) for name, table in found.items()}
    skipped |= {name: "nothing varies" for name, group in judged.items() if group is None}
    groups = {name: group for name, group in judged.items() if group is not None}
    return Battery(groups, n, m, permutations, skipped)


def _labels(conditions: Conditions, permutations: int, seed: int) -> Array:
    """What each event adds to a difference of means, [N, 1 + permutations]; after the first column, by chance."""
    n, m = conditions.n, conditions.m
    labels = np.empty((n + m, 1 + permutations), np.float32)
    draw = np.random.default_rng(seed)
    if conditions.weights is not None:
        a, b = shares(conditions.weights, n, m)
        labels[:, 0] = np.concatenate([-a, b])
        labels[:, 1:] = labels[:, :1] * draw.choice(np.array([-1, 1], np.float32), (n + m, permutations))
        return labels
    labels[:, 0] = np.repeat([-1 / n, 1 / m], [n, m])
    for k in range(permutations):
        labels[:, 1 + k] = draw.permutation(labels[:, 0])
    return labels


def _group(table: Table, labels: Array, conditions: Conditions) -> Group | None:
    width = max(1, _BLOCK // len(labels))
    blocks = (table.rows(slice(k, min(k + width, table.size))) for k in range(0, table.size, width))
    t = np.concatenate([_differences(block, labels, conditions.n, conditions.m, conditions.pooled) for block in blocks])
    largest = np.abs(t).max(0)
    if not largest.any():
        return None
    meff = float(np.log(0.5) / np.log1p(-2 * norm.sf(np.median(largest[1:]))))
    log_total = _log_p_total(t)
    log_p = _repeated(min(_log_p_largest(float(largest[0]), meff), log_total), 2)
    p_features = 2 * norm.sf(np.abs(t[:, 0]))
    suspects = int((false_discovery_control(p_features) <= SUSPECTED).sum())
    order = np.argsort(-np.abs(t[:, 0]))[: max(1, min(suspects, 4 * WORST))]
    worst = merged([(table.feature(int(k)), float(t[k, 0])) for k in order])[:WORST]
    return Group(
        float(np.exp(log_p)),
        float(-ndtri_exp(log_p)),
        float(largest[0]),
        table.size,
        meff,
        float(-ndtri_exp(log_total)),
        tuple(finding_of(feature, size, conditions) for feature, size in worst),
    )


def _differences(values: Array, labels: Array, n: int, m: int, weights: Array | None = None) -> Array:
    """t of every feature [k, N] for every column of labels, [k, 1 + permutations]."""
    values = values.astype(np.float32, copy=False)
    if weights is not None:
        centred = values - np.average(values, axis=1, weights=weights)[:, None].astype(np.float32)
        error = np.sqrt(np.einsum("kn,n->k", centred**2, labels[:, 0] ** 2))
        typical = np.sqrt((labels[:, 0] ** 2).sum(dtype=np.float64))
        return (centred @ labels).astype(np.float64) / np.where(error > 1e-6 * typical, error, np.inf)[:, None]
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
