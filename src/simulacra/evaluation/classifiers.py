"""The two-sample test by classifier: can anyone who looks hard tell generated from real events?"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier

from simulacra.errors import UserError, nearest
from simulacra.evaluation import mlps
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.measurement import Measurement
from simulacra.random import seed_of

MODELS = ("trees", "mlp")


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
        reference: [n, D]; generated: [m, D].
        conditions: [n, C] of the reference; `generated_conditions` [m, C], the same ones where left out.
        model: `trees` (boosted, histogram based) or `mlp`.
        floor_sample: features [k, D] and conditions [k, C] of other real events (training rows are real, too).
        options: for the model.

    Raises:
        UserError: a number is not finite, the columns disagree, or there are fewer than 20 rows per fold.

    Lopez-Paz and Oquab, "Revisiting classifier two-sample tests" (2017, arXiv:1610.06545); Krause and Shih, CaloFlow
    (2021, arXiv:2106.05285).
    """
    if model not in MODELS:
        raise UserError(f"expected a classifier's name, came {model!r}; {nearest(model, MODELS)}")
    a = _table(reference, conditions, "the reference")
    shared = conditions if generated_conditions is None else generated_conditions
    b = _table(generated, shared, "the generated events")
    if a.shape[1] != b.shape[1]:
        raise UserError(f"expected {a.shape[1]} columns as in the reference, came {b.shape[1]}; use the same features")
    if min(len(a), len(b)) < 20 * folds:
        raise UserError(f"expected at least {20 * folds} events, came {min(len(a), len(b))}; give more events")
    value, error = _cross_validated(a, b, model, folds, splits, seed, options)
    c, d = a, b
    if floor_sample is not None and len(floor_sample[0]) >= len(b):
        other = None if floor_sample[1] is None else floor_sample[1][: len(b)]
        d = _table(floor_sample[0][: len(b)], other, "the floor sample")
    else:
        c, d = _exchanged(a, b, seed)
    floor, floor_error = _cross_validated(c, d, model, folds, splits, seed + 1, options)
    return Measurement(value, error, floor, floor_error, min(len(a), len(b)))


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
    a: Array, b: Array, model: str, folds: int, splits: int, seed: int, options: dict[str, Any]
) -> tuple[float, float]:
    """Mean area over folds and cross-validations, and its error."""
    x, n = np.concatenate([a, b]), len(a)
    y = np.arange(len(x)) >= n
    fold = np.empty((splits, len(x)), dtype=int)
    for split in range(splits):
        deal = np.random.default_rng(seed_of(seed, "folds", split)).permutation(max(n, len(b))) % folds
        fold[split] = np.concatenate([deal[:n], deal[: len(b)]])
    tasks = [(split, k) for split in range(splits) for k in range(folds)]
    parts = [np.flatnonzero(fold[split] != k) for split, k in tasks]
    if model == "mlp":
        outputs = mlps.scores(x, y, parts, seed=seed_of(seed, "mlp"), **options)
    else:
        outputs = [_trees(x, y, part, seed_of(seed, "trees", k) % 2**31, options) for k, part in enumerate(parts)]
    values, variances = np.empty((splits, folds)), np.empty((splits, folds))
    for (split, k), score in zip(tasks, outputs, strict=True):
        asked = fold[split] == k
        values[split, k], variances[split, k] = area(score[asked & ~y], score[asked & y])
    delong = variances.mean() / folds
    spread = values.mean(1).var(ddof=1) / splits if splits > 1 else 0.0
    return float(values.mean()), float(1.3 * np.sqrt(delong + spread))


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
