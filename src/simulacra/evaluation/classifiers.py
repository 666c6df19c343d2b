"""The two-sample test by classifier: can anyone who looks hard tell generated from real events?

`auc` asks in which order the classifier puts them, `jensen_shannon_bound` how much it knows, `told_apart` both, and
`permutation_p` how often chance alone would let it do as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from simulacra.errors import UserError, nearest
from simulacra.evaluation import cnns, mlps
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.measurement import Measurement
from simulacra.evaluation.roc import area, information
from simulacra.evaluation.weights import Weights, effective, shares
from simulacra.random import seed_of

MODELS = ("trees", "mlp", "cnn")

Statistic = Callable[[Array, Array, Weights], tuple[float, float]]
"""Scores of real and of generated events that a classifier was not trained on -> a number and its variance."""
Statistics = Sequence[Statistic]


def auc(
    reference: Any,
    generated: Any,
    conditions: Any = None,
    generated_conditions: Any = None,
    *,
    model: str = "trees",
    folds: int = 4,
    splits: int = 3,
    seed: int = 0,
    floor_sample: tuple[Any, Any] | None = None,
    weights: Weights = None,
    **options: Any,
) -> Measurement:
    """AUC of a classifier between real and generated events: 0.5 where it finds no difference, 1 where it always does.

    The classifier sees features and conditions; it is trained on some folds and asked about the others, so that every
    row is asked once per cross-validation. Reference row i and generated row i share their condition and their fold.
    The value is the mean of the folds' areas over `splits` random cross-validations, its error
    1.3 sqrt(DeLong^2 + spread^2 / splits), the factor because one training set serves all.

    The floor is the same for real against real events: the reference against `floor_sample`, where that has as many
    rows as the generated sample; else, and for weighted events, of both samples with random twins exchanged.

    Args:
        reference: [n, D]; generated: [m, D]; for `cnn` pictures [n, channels, height, width].
        conditions: [n, C] of the reference; `generated_conditions` [m, C], the same ones where left out.
        model: `trees` (boosted, histogram based), `mlp` or `cnn`.
        floor_sample: features [k, D] and conditions [k, C] of other real events (training rows are real, too).
        weights: of the reference and of the generated events, each [n], [m] or None, in training and in the area.
        options: for the model.

    Raises:
        UserError: a number is not finite, the columns disagree, there are fewer than 20 rows per fold, or weights for
            the `cnn`.

    Lopez-Paz and Oquab, "Revisiting classifier two-sample tests" (2017, arXiv:1610.06545); Krause and Shih, CaloFlow
    (2021, arXiv:2106.05285).
    """
    shared = conditions if generated_conditions is None else generated_conditions
    samples = (reference, conditions), (generated, shared)
    return _measured((area,), *samples, floor_sample, weights, model, folds, splits, seed, options)[0]


def jensen_shannon_bound(
    reference: Any,
    generated: Any,
    conditions: Any = None,
    generated_conditions: Any = None,
    *,
    model: str = "trees",
    folds: int = 4,
    splits: int = 3,
    seed: int = 0,
    floor_sample: tuple[Any, Any] | None = None,
    weights: Weights = None,
    **options: Any,
) -> Measurement:
    """A lower bound on the Jensen-Shannon divergence, in bits: 1 - BCE / log 2 of a calibrated classifier.

    The binary cross-entropy BCE is that of events which neither the classifier nor its calibration was trained on,
    with equal weight of both samples. Its expectation is least, log 2 - JS, for the true posterior; any classifier
    does worse, so the value is a bound from below and no estimate from above. It is negative where the classifier
    knows less than nothing, and is not clipped. Calibration is isotonic, of each half of a fold on its other half.
    Arguments, floor and the factor 1.3 of the error are those of `auc`.

    Raises:
        UserError: as `auc`.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(600, 1))
        >>> found = jensen_shannon_bound(x[:300], x[300:] + 100.0, splits=1)
        >>> 0.8 < found.value < 1
        True

    Krause et al., CaloChallenge (2024, arXiv:2410.21611); Goodfellow et al. (2014, arXiv:1406.2661) for the bound.
    """
    shared = conditions if generated_conditions is None else generated_conditions
    samples = (reference, conditions), (generated, shared)
    found = _measured((information,), *samples, floor_sample, weights, model, folds, splits, seed, options)[0]
    return replace(found, unit="bits")


def told_apart(
    reference: Any,
    generated: Any,
    conditions: Any = None,
    generated_conditions: Any = None,
    *,
    model: str = "trees",
    folds: int = 4,
    splits: int = 3,
    seed: int = 0,
    floor_sample: tuple[Any, Any] | None = None,
    weights: Weights = None,
    **options: Any,
) -> dict[str, Measurement]:
    """`auc` and `js`, the Jensen-Shannon bound in bits, of the same classifiers, trained once; arguments as of `auc`.

    Raises:
        UserError: as `auc`.

    Example:
        >>> told_apart(np.zeros((100, 1)), np.ones((100, 1)), splits=1)["auc"].value
        1.0
    """
    shared = conditions if generated_conditions is None else generated_conditions
    samples = (reference, conditions), (generated, shared)
    found = _measured((area, information), *samples, floor_sample, weights, model, folds, splits, seed, options)
    return {"auc": found[0], "js": replace(found[1], unit="bits")}


def permutation_p(
    reference: Any,
    generated: Any,
    conditions: Any = None,
    generated_conditions: Any = None,
    *,
    permutations: int = 99,
    model: str = "trees",
    folds: int = 4,
    seed: int = 0,
    **options: Any,
) -> float:
    """How often a classifier does as well on relabelled samples, p = (1 + #{AUC' >= AUC}) / (1 + permutations).

    Every relabelling (twins exchanged at random, or all rows where there are no twins) trains its own classifiers, so p
    is exact whatever the classifier; it costs `permutations` times as much as an `auc` of one split.

    Raises:
        UserError: as `auc`.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(200, 1))
        >>> permutation_p(x[:100], x[100:] + 3.0, permutations=4, max_iter=5)
        0.2

    Lopez-Paz and Oquab (2017, arXiv:1610.06545); Phipson and Smyth (2010) for the ones.
    """
    shared = conditions if generated_conditions is None else generated_conditions
    a, b, options = _tables((reference, conditions), (generated, shared), model, folds, options)
    found = _cross_validated((area,), a, b, model, folds, 1, seed, options)[0][0]
    nulls = [
        _cross_validated((area,), *_exchanged(a, b, seed_of(seed, k)), model, folds, 1, seed, options)[0][0]
        for k in range(permutations)
    ]
    return float((1 + sum(null >= found for null in nulls)) / (1 + permutations))


Sample = tuple[Any, Any]
"""Events and their conditions, or no conditions."""


def _measured(
    statistics: Statistics, reference: Sample, generated: Sample, floor_sample: Sample | None, weights: Weights,
    model: str, folds: int, splits: int, seed: int, options: dict[str, Any],
) -> list[Measurement]:  # fmt: skip
    a, b, options = _tables(reference, generated, model, folds, options)
    if weights is not None:
        return _weighted(statistics, a, b, weights, model, folds, splits, seed, options)
    found = _cross_validated(statistics, a, b, model, folds, splits, seed, options)
    if floor_sample is not None and len(floor_sample[0]) >= len(b):
        other = None if floor_sample[1] is None else floor_sample[1][: len(b)]
        c, d = a, _table(floor_sample[0][: len(b)], other, "the floor sample")
    else:
        c, d = _exchanged(a, b, seed)
    floors = _cross_validated(statistics, c, d, model, folds, splits, seed + 1, options)
    return [Measurement(*one, *floor, min(len(a), len(b))) for one, floor in zip(found, floors, strict=True)]


def _weighted(
    statistics: Statistics, a: Array, b: Array, weights: Weights, model: str, folds: int, splits: int, seed: int,
    options: dict[str, Any],
) -> list[Measurement]:  # fmt: skip
    """The same with weights, each sample summing to its effective number; they change places with their events."""
    if model == "cnn":
        raise UserError("expected events without weights for the cnn, came weighted ones; use the trees or the mlp")
    of_a, of_b = shares(weights, len(a), len(b))
    sides = of_a * effective(of_a), of_b * effective(of_b)
    found = _cross_validated(statistics, a, b, model, folds, splits, seed, options, sides)
    c, d = _exchanged(a, b, seed)
    of_c, of_d = _exchanged(sides[0][:, None], sides[1][:, None], seed)
    floors = _cross_validated(statistics, c, d, model, folds, splits, seed + 1, options, (of_c[:, 0], of_d[:, 0]))
    n = round(min(effective(share) for share in sides))
    return [Measurement(*one, *floor, n) for one, floor in zip(found, floors, strict=True)]


def _tables(
    reference: Sample, generated: Sample, model: str, folds: int, options: dict[str, Any]
) -> tuple[Array, Array, dict[str, Any]]:
    """Both samples as tables of events and conditions, and the model's options."""
    if model not in MODELS:
        raise UserError(f"expected a classifier's name, came {model!r}; {nearest(model, MODELS)}")
    a, b = _table(*reference, "the reference"), _table(*generated, "the generated events")
    if a.shape[1] != b.shape[1]:
        raise UserError(f"expected {a.shape[1]} columns as in the reference, came {b.shape[1]}; use the same features")
    if min(len(a), len(b)) < 20 * folds:
        raise UserError(f"expected at least {20 * folds} events, came {min(len(a), len(b))}; give more events")
    if model == "cnn":
        shape = tuple(np.shape(reference[0]))[1:]
        if len(shape) != 3:
            raise UserError(f"expected pictures (channels, height, width), came {shape}; use the trees or the mlp")
        options = {"shape": shape} | options
    return a, b, options


def _table(features: Any, conditions: Any, name: str) -> Array:
    columns = [numbers(v, name) for v in (features, conditions) if v is not None]
    if len({len(c) for c in columns}) > 1:
        raise UserError(f"expected one condition per row of {name}, came {len(columns[1])} for {len(columns[0])} rows")
    return np.concatenate([c.reshape(len(c), -1) for c in columns], axis=1)


def _exchanged(a: Array, b: Array, seed: int) -> tuple[Array, Array]:
    """Two samples without a difference: twins change places at random, or all rows where there are no twins."""
    draw = np.random.default_rng(seed_of(seed, "exchange"))
    if len(a) == len(b):
        change = draw.random(len(a)) < 0.5
        return np.where(change[:, None], b, a), np.where(change[:, None], a, b)
    pooled = draw.permutation(np.concatenate([a, b]))
    return pooled[: len(a)], pooled[len(a) :]


def _cross_validated(
    statistics: Statistics, a: Array, b: Array, model: str, folds: int, splits: int, seed: int,
    options: dict[str, Any], weights: tuple[Array, Array] | None = None,
) -> list[tuple[float, float]]:  # fmt: skip
    """Each statistic's mean over folds and cross-validations, and its error."""
    x, n = np.concatenate([a, b]), len(a)
    y = np.arange(len(x)) >= n
    fold = np.empty((splits, len(x)), dtype=int)
    for split in range(splits):
        deal = np.random.default_rng(seed_of(seed, "folds", split)).permutation(max(n, len(b))) % folds
        fold[split] = np.concatenate([deal[:n], deal[: len(b)]])
    tasks = [(split, k) for split in range(splits) for k in range(folds)]
    parts = [np.flatnonzero(fold[split] != k) for split, k in tasks]
    w = None if weights is None else np.concatenate(weights)
    if model == "cnn":
        outputs = cnns.scores(x, y, parts, seed=seed_of(seed, model), **options)
    elif model == "mlp":
        counts = None if w is None else w / w.mean()
        outputs = mlps.scores(x, y, parts, seed=seed_of(seed, model), weights=counts, **options)
    else:
        outputs = [_trees(x, y, w, part, seed_of(seed, "trees", k) % 2**31, options) for k, part in enumerate(parts)]
    found = np.empty((2, len(statistics), splits, folds))
    for (split, k), score in zip(tasks, outputs, strict=True):
        real, made = (fold[split] == k) & ~y, (fold[split] == k) & y
        held = None if w is None else (w[real], w[made])
        found[:, :, split, k] = np.transpose([statistic(score[real], score[made], held) for statistic in statistics])
    out = []
    for values, variances in zip(*found, strict=True):
        spread = values.mean(1).var(ddof=1) / splits if splits > 1 else 0.0
        out.append((float(values.mean()), float(1.3 * np.sqrt(variances.mean() / folds + spread))))
    return out


def _trees(x: Array, y: Array, weights: Array | None, rows: Array, seed: int, options: dict[str, Any]) -> Array:
    settings = {
        "max_iter": 150,
        "learning_rate": 0.06,
        "max_leaf_nodes": 15,
        "l2_regularization": 1.0,
        "max_bins": 128,
        "early_stopping": False,  # stopped on a seventh of a fold, trees miss differences that 150 of them see
    } | options
    trees = HistGradientBoostingClassifier(random_state=seed, **settings)
    trees.fit(x[rows], y[rows], sample_weight=None if weights is None else weights[rows])
    return np.asarray(trees.decision_function(x))
