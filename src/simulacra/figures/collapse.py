"""Generators of the ring: which modes they hold, when, and whether they stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from simulacra.figures.style import MADE, OTHER, PALETTE, REAL, new, short, styled, thin


def visit_matrices(games: Mapping[str, ArrayLike]) -> Figure:
    """The share of samples in each mode at each time, [T, K] by title: a column of one colour is a collapse."""
    with styled():
        figure = new(6.4, 1.15 * len(games) + 0.5)
        axes = figure.subplots(len(games), 1, squeeze=False, sharex=True)[:, 0]
        shown: Any = None
        for axis, (name, table) in zip(axes, games.items(), strict=True):
            shares = np.asarray(table, dtype=float).T
            shown = axis.imshow(shares, aspect="auto", vmin=0, vmax=1, interpolation="nearest", origin="lower")
            axis.set(title=short(name), ylabel="mode", yticks=[0, len(shares) - 1])
            axis.set_yticklabels(["1", str(len(shares))])
        axes[-1].set_xlabel("look at the generator")
        figure.colorbar(shown, ax=list(axes), label="share of samples", pad=0.01)
    return figure


def clouds(samples: Mapping[str, ArrayLike], centres: ArrayLike, reach: float = 3.2, columns: int = 3) -> Figure:
    """Samples [N, 2] of several generators over the modes [K, 2]."""
    columns = min(columns, len(samples))
    rows = -(-len(samples) // columns)
    with styled():
        figure = new(2.15 * columns, 2.3 * rows)
        axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for axis in list(axes.flat)[len(samples) :]:
            axis.set_axis_off()
        for axis, (name, x) in zip(axes.flat, samples.items(), strict=False):
            made = np.asarray(x, dtype=float)
            axis.plot(*np.asarray(centres, dtype=float).T, "o", ms=9, mfc="none", color=OTHER)
            axis.scatter(*made.T, s=3, color=MADE, alpha=0.5, lw=0, rasterized=True)
            outside = int((np.abs(made) > reach).any(1).sum())
            axis.set(xlim=(-reach, reach), ylim=(-reach, reach), title=short(name, 32))
            if outside:
                axis.text(0.5, 0.5, f"{outside} outside", transform=axis.transAxes, ha="center", fontsize=7, color=REAL)
            axis.set_aspect("equal")
    return figure


def settles(games: Mapping[str, ArrayLike], level: float) -> Figure:
    """Exact W1 [2, T] (rounds, distances) of several games, named `KIND/NUMBER`; `level` is that of the solution."""
    with styled():
        figure = new(5.0, 3.3)
        axis = figure.subplots()
        kinds = list(dict.fromkeys(name.split("/")[0] for name in games))
        for name, pair in games.items():
            kind, number = name.split("/")
            rounds, distance = np.asarray(pair, dtype=float)
            color, label = PALETTE[kinds.index(kind)], short(kind) if number == "0" else None
            axis.plot(rounds / rounds[-1], distance, color=color, lw=0.9, label=label)
        axis.axhline(level, color=REAL, lw=0.8, ls=(0, (6, 3)))
        axis.set_yscale("log")
        axis.set(xlabel="share of the game", ylabel="exact W1")
        thin(figure.legend(loc="outside lower center", ncols=2))
    return figure


def ratios(runs: Sequence[Mapping[str, ArrayLike]]) -> Figure:
    """`W1` [K] at the end against the `ratio` [K] of widths, lines are seeds; the geometric mean with points."""
    with styled():
        figure = new(4.0, 3.0)
        axis = figure.subplots()
        x = np.asarray(runs[0]["ratio"], dtype=float)
        for run in runs:
            axis.plot(x, np.asarray(run["W1"], dtype=float), color=REAL, lw=0.6, alpha=0.6)
        mean = np.exp(np.mean([np.log(np.asarray(run["W1"], dtype=float)) for run in runs], 0))
        axis.plot(x, mean, "o-", color=MADE, ms=4)
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set(xlabel="width of the discriminator / of the generator", ylabel="exact W1 at the end")
    return figure


def tagging(arrays: Mapping[str, ArrayLike]) -> Figure:
    """Single events, which look alike, beside the spreads of minibatches, which do not.

    Args:
        arrays: `real` and `fake` [N, 2]; `spread, real` and `spread, fake` [M].
    """
    held = {name: np.asarray(v, dtype=float) for name, v in arrays.items()}
    with styled():
        figure = new(6.2, 3.0)
        left, right = figure.subplots(1, 2)
        left.scatter(*held["real"].T, s=12, color=REAL, alpha=0.4, lw=0, label="real")
        left.scatter(*held["fake"].T, s=4, color=MADE, lw=0, label="fake")
        left.set_aspect("equal")
        left.set(title="one event of each minibatch", xlabel="x", ylabel="y")
        bins = np.linspace(0, max(held["spread, real"].max(), held["spread, fake"].max()), 41)
        right.hist(held["spread, real"], bins, color=REAL, alpha=0.4, label="real")
        right.hist(held["spread, fake"], bins, color=MADE, histtype="step", label="fake")
        right.set_yscale("log")
        right.set(title="minibatches", xlabel="spread of a minibatch", ylabel="minibatches")
        thin(figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2, markerscale=1.5))
    return figure
