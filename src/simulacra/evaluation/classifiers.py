"""The two-sample test by classifier: can anyone who looks hard tell generated from real events?

`auc` asks in which order the classifier puts them, `jensen_shannon_bound` how much it knows, and `permutation_p` how
often chance alone would let it do as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression

from simulacra.errors import UserError, nearest
from simulacra.evaluation import cnns, mlps
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.measurement import Measurement
from simulacra.random import seed_of

MODELS = ("trees", "mlp", "cnn")

Statistic = Callable[[Array, Array], tuple[float, float]]
"""Scores of real and of generated events that a classifier was not trained on -> a number and its variance."""


def area(real: Array, generated: Array) -> tuple[float, float]:
    """Area under the ROC curve of a score, P(generated > real) + P(equal)/2, and its variance.

    Var = var(placements of generated)/m + var(placements of real)/n (DeLong, DeLong and Clarke-Pearson 1988).

    >>> area(np.array([0.0, 1.0]), np.array([2.0, 3.0]))
    (1.0, 0.0)
    """
    n, m = len(real), len(generated)
    both = rankdata(np.concatenate([real, generated]))
    below_generated = (both[n:] - rankdata(generated)) / n
    above_real = 1 - (both[:n] - rankdata(real)) / m
    variance = below_generated.var(ddof=1) / m + above_real.var(ddof=1) / n
    return float(below_generated.mean()), float(variance)


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
    **options: Any,
) -> Measurement:
    """AUC of a classifier between real and generated events: 0.5 where it finds no difference, 1 where it always does.

    The classifier sees features and conditions; it is trained on some folds and asked about the others, so that every
    row is asked once per cross-validation. Reference row i and generated row i share their condition and their fold.
    The value is the mean of the folds' areas over `splits` random cross-validations, its error
    1.3 sqrt(DeLong^2 + spread^2 / splits), the factor because one training set serves all.

    The floor is the same for real against real events: the reference against `floor_sample`, where that has as many
    rows as the generated sample; else against itself with the labels of random twins exchanged.

    Args:
        reference: [n, D]; generated: [m, D]; for `cnn` pictures [n, channels, height, width].
        conditions: [n, C] of the reference; `generated_conditions` [m, C], the same ones where left out.
        model: `trees` (boosted, histogram based), `mlp` or `cnn`.
        floor_sample: features [k, D] and conditions [k, C] of other real events (training rows are real, too).
        options: for the model.

    Raises:
        UserError: a number is not finite, the columns disagree, or there are fewer than 20 rows per fold.

    Lopez-Paz and Oquab, "Revisiting classifier two-sample tests" (2017, arXiv:1610.06545); Krause and Shih, CaloFlow
    (2021, arXiv:2106.05285).
    """
    shared = conditions if generated_conditions is None else generated_conditions
    return _measured(
        area, (reference, conditions), (generated, shared), floor_sample, model, folds, splits, seed, options
    )


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
    return _measured(
        _information, (reference, conditions), (generated, shared), floor_sample, model, folds, splits, seed, options
    )


def _information(real: Array, generated: Array) -> tuple[float, float]:
    """1 - BCE / log 2 of calibrated scores, and its variance; every other event calibrates the rest, in turn."""
    losses: list[list[Array]] = [[], []]
    halves = [(real[::2], generated[::2]), (real[1::2], generated[1::2])]
    for taught, asked in (halves, halves[::-1]):
        n, m = len(taught[0]), len(taught[1])
        least = 1 / (min(n, m) + 2)  # no event is certain after so few
        curve = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip")
        curve.fit(np.concatenate(taught), np.arange(n + m) >= n, sample_weight=np.repeat([0.5 / n, 0.5 / m], [n, m]))
        losses[0].append(-np.log2(1 - curve.predict(asked[0])))
        losses[1].append(-np.log2(curve.predict(asked[1])))
    a, b = (np.concatenate(part) for part in losses)
    return float(1 - a.mean() / 2 - b.mean() / 2), float(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b)) / 4


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
    found = _cross_validated(area, a, b, model, folds, 1, seed, options)[0]
    nulls = [
        _cross_validated(area, *_exchanged(a, b, seed_of(seed, k)), model, folds, 1, seed, options)[0]
        for k in range(permutations)
    ]
    return float((1 + sum(null >= found for null in nulls)) / (1 + permutations))


Sample = tuple[Any, Any]
"""Events and their conditions, or no conditions."""


def _measured(
    statistic: Statistic, reference: Sample, generated: Sample, floor_sample: Sample | None, model: str, folds: int,
    splits: int, seed: int, options: dict[str, Any],
) -> Measurement:  # fmt: skip
    a, b, options = _tables(reference, generated, model, folds, options)
    value, error = _cross_validated(statistic, a, b, model, folds, splits, seed, options)
    if floor_sample is not None and len(floor_sample[0]) >= len(b):
        other = None if floor_sample[1] is None else floor_sample[1][: len(b)]
        c, d = a, _table(floor_sample[0][: len(b)], other, "the floor sample")
    else:
        c, d = _exchanged(a, b, seed)
    floor, floor_error = _cross_validated(statistic, c, d, model, folds, splits, seed + 1, options)
    return Measurement(value, error, floor, floor_error, min(len(a), len(b)))


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
    statistic: Statistic, a: Array, b: Array, model: str, folds: int, splits: int, seed: int, options: dict[str, Any]
) -> tuple[float, float]:
    """The statistic's mean over folds and cross-validations, and its error."""
    x, n = np.concatenate([a, b]), len(a)
    y = np.arange(len(x)) >= n
    fold = np.empty((splits, len(x)), dtype=int)
    for split in range(splits):
        deal = np.random.default_rng(seed_of(seed, "folds", split)).permutation(max(n, len(b))) % folds
        fold[split] = np.concatenate([deal[:n], deal[: len(b)]])
    tasks = [(split, k) for split in range(splits) for k in range(folds)]
    parts = [np.flatnonzero(fold[split] != k) for split, k in tasks]
    if model != "trees":
        networks = mlps if model == "mlp" else cnns
        outputs = networks.scores(x, y, parts, seed=seed_of(seed, model), **options)
    else:
        outputs = [_trees(x, y, part, seed_of(seed, "trees", k) % 2**31, options) for k, part in enumerate(parts)]
    values, variances = np.empty((splits, folds)), np.empty((splits, folds))
    for (split, k), score in zip(tasks, outputs, strict=True):
        asked = fold[split] == k
        values[split, k], variances[split, k] = statistic(score[asked & ~y], score[asked & y])
    within = variances.mean() / folds
    spread = values.mean(1).var(ddof=1) / splits if splits > 1 else 0.0
    return float(values.mean()), float(1.3 * np.sqrt(within + spread))


def _trees(x: Array, y: Array, rows: Array, seed: int, options: dict[str, Any]) -> Array:
    settings = {
        "max_iter": 150,
        "learning_rate": 0.06,
        "max_leaf_nodes": 15,
        "l2_regularization": 1.0,
        "max_bins": 128,
        "early_stopping": False,  # stopped on a seventh of a fold, trees miss differences that 150 of them see
    } | options
    trees = HistGradientBoostingClassifier(random_state=seed, **settings).fit(x[rows], y[rows])
    return np.asarray(trees.decision_function(x))
