"""What is left of a cell once all other cells are known: the test that sees noise."""

from __future__ import annotations

import numpy as np

from simulacra.batch import Batch, DataSpec
from simulacra.evaluation import views
from simulacra.evaluation.arrays import Array, polynomials
from simulacra.evaluation.features import LOGARITHM, Conditions, Feature, Table, cell_name

ALWAYS, OFTEN = 0.97, 0.5
"""Share of events in which a cell must be hit to be predicted, and to help predicting."""
FALLBACK = 0.8
"""Instead of `ALWAYS` where fewer than `FEW` cells are hit as often."""
FEW, MOST_TARGETS, MOST_INPUTS, STRONGEST = 8, 40, 128, 12
RIDGE = 0.01
"""Of the number of events, added to the Gram matrix of standardised columns."""
TAIL = 2.5
"""Standard deviations at which residuals are cut before squaring: few wild ones would drown a small widening of all."""


def conditional(reference: Batch, generated: Batch, spec: DataSpec, conditions: Conditions) -> Table | str:
    """Residuals of cells that are nearly always hit, predicted from the others, as a table; why not, where none is.

    Events are folded. The logarithm of a cell's energy is predicted by ridge regression, fitted to both samples, from
    the cells that are often hit, the same times the condition, products of the strongest ones, and the condition to
    the fourth power. Compared are z = residual / spread, z^2, and the sums over cells of z^2 / spread^k, k = 0, 1, 2
    (relative noise shows most where the spread is small).

    All cells share one inverse Gram matrix P: with b = X^T y, the solution that does not use the columns S of the cell
    itself is w = P b - P_S (P_SS)^-1 (P b)_S.
    """
    x = np.concatenate([views.folded(b.x.detach().cpu().flatten(1).numpy(), spec) for b in (reference, generated)])
    share = (x > 0).mean(0)
    often = np.argsort(-share, kind="stable")
    targets = often[: int((share > ALWAYS).sum())]
    if len(targets) < FEW:
        targets = often[: int((share > FALLBACK).sum())]
    inputs = np.sort(often[: min(int((share > OFTEN).sum()), MOST_INPUTS)])
    targets = np.sort(targets[:MOST_TARGETS])
    if not len(targets) or len(inputs) < 2:
        return f"no cell is hit in {100 * FALLBACK:g} % of the events, with others in {100 * OFTEN:g} %"
    strong = np.argsort(-x[:, inputs].mean(0))[:STRONGEST]
    cells = views.cells(x[:, inputs].astype(np.float64), spec)
    rest = _residuals(cells, np.searchsorted(inputs, targets), strong, conditions)
    z, _, spread = conditions.free(rest)
    square = np.minimum(z**2, TAIL**2)
    weights = [spread**-k / (spread**-k).sum(0).mean() for k in range(3)]
    means = np.stack([(square * weight).sum(0) for weight in weights])
    count = len(targets)
    every = np.concatenate([z, square, conditions.free(means)[0]])

    def feature(k: int) -> Feature:
        if k >= 2 * count:
            power = k - 2 * count
            weighted = "" if power == 0 else f", weighted with spread^-{power}"
            return Feature((f"{count} cells together{weighted}",), "noise", means[power])
        name = cell_name(spec, int(targets[k % count])) + " (folded)"
        if k < count:
            return Feature((name,), "neighbours", rest[k], LOGARITHM)
        return Feature((name,), "noise", square[k - count])

    return Table(len(every), lambda s: every[s], feature)


def _residuals(cells: Array, targets: Array, strong: Array, conditions: Conditions) -> Array:
    """What ridge regression on all other columns leaves of the targets, [targets, N]."""
    y, scale = _standard(cells)
    i, j = np.triu_indices(len(strong))
    left, right = strong[i], strong[j]
    single = np.tile(np.arange(y.shape[1]), (2, 1))
    columns, owners = [y, y[:, left] * y[:, right]], [single, np.stack([left, right])]
    if conditions.at is not None:
        powers = polynomials(conditions.at, 4)[:, 1:]
        columns += [y * powers[:, :1], powers]
        owners += [single, np.full((2, powers.shape[1]), -1)]
    design, owner = _standard(np.concatenate(columns, axis=1))[0], np.concatenate(owners, axis=1)
    inverse = np.linalg.inv(design.T @ design + RIDGE * len(design) * np.eye(design.shape[1]))
    weights = inverse @ (design.T @ y[:, targets])
    for k, target in enumerate(targets):
        own = np.flatnonzero((owner == target).any(0))
        weights[:, k] -= inverse[:, own] @ np.linalg.solve(inverse[np.ix_(own, own)], weights[own, k])
    return (y[:, targets] - design @ weights).T * scale[targets, None]


def _standard(columns: Array) -> tuple[Array, Array]:
    """Columns with mean 0 and standard deviation 1, and what that was."""
    centred = columns - columns.mean(0)
    scale = centred.std(0)
    scale = np.where(scale > 0, scale, 1.0)
    return centred / scale, scale
