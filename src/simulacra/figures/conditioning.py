"""What a generator makes of a class that it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.stats import norm, spearmanr

from simulacra.figures.style import PALETTE, REAL, new, short, styled, thin


def classes(panels: Mapping[str, ArrayLike], distances: Mapping[str, float]) -> Figure:
    """Histograms of the events of two classes [2, N] over the Gaussians of unit width that they should follow.

    Args:
        panels: events by title, two in a row.
        distances: of the Gaussians' centres, by the same titles.
    """
    with styled():
        rows = -(-len(panels) // 2)
        figure = new(6.2, 2.2 * rows)
        axes = figure.subplots(rows, 2, squeeze=False, sharex="row", sharey="row")
        for axis, (name, made) in zip(axes.flat, panels.items(), strict=True):
            half = distances[name] / 2
            x = np.linspace(-half - 3.5, half + 3.5, 201)
            for events, centre, colour in zip(np.asarray(made, dtype=float), (-half, half), PALETTE, strict=False):
                bins = np.linspace(x[0], x[-1], 46)
                axis.hist(events, bins, density=True, color=colour, alpha=0.45)
                axis.plot(x, norm.pdf(x - centre), color=REAL, lw=1.0)
            axis.set(title=short(name, 32), yticks=[])
        for axis in axes[-1]:
            axis.set_xlabel("x / width of a class")
    return figure


def errors(runs: Sequence[Mapping[str, ArrayLike]], label: str) -> Figure:
    """Errors [2, T] (rounds, errors) while games are played, by kind; lines are seeds."""
    with styled():
        figure = new(4.0, 3.0)
        axis = figure.subplots()
        for k, run in enumerate(runs):
            for (kind, curve), colour in zip(run.items(), PALETTE, strict=False):
                axis.plot(*np.asarray(curve, dtype=float), color=colour, lw=0.9, label=None if k else short(kind))
        axis.set(xlabel="rounds", ylabel=label)
        thin(figure.legend(loc="outside lower center", ncols=3))
    return figure


def found_codes(arrays: Mapping[str, ArrayLike], factors: Sequence[str], games: Sequence[str]) -> Figure:
    """Each factor against the code that goes with it best, a row of panels for each game.

    Args:
        arrays: `codes, GAME` [N, K] and `FACTOR, GAME` [N].
        factors, games: by their names.
    """
    with styled():
        figure = new(2.6 * len(factors), 2.2 * len(games))
        axes = figure.subplots(len(games), len(factors), squeeze=False, sharex=True, sharey="col")
        for row, game in zip(axes, games, strict=True):
            codes = np.asarray(arrays[f"codes, {game}"], dtype=float)
            for axis, name in zip(row, factors, strict=True):
                factor = np.asarray(arrays[f"{name}, {game}"], dtype=float)
                ranks = [float(np.asarray(spearmanr(code, factor))[0]) for code in codes.T]
                best = int(np.argmax(np.abs(ranks)))
                axis.scatter(codes[:, best], factor, s=2, color=PALETTE[0], alpha=0.5, lw=0, rasterized=True)
                axis.set(title=f"{game}, rank r = {ranks[best]:.2f}", ylabel=name)
        for axis in axes[-1]:
            axis.set_xlabel("code")
    return figure


def confusions(counts: ArrayLike, names: Sequence[str], label: str) -> Figure:
    """Of the events of each true class, a row, the percentage that is taken for each class, a column.

    Args:
        counts: [K, K] events; a class without events is an empty row.
        names: of the classes.
        label: of the condition.
    """
    table = np.asarray(counts, dtype=float)
    share = table / np.maximum(table.sum(1, keepdims=True), 1)
    with styled():
        side = 1.4 + 0.3 * len(table)
        figure = new(side, side)
        axis = figure.subplots()
        axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
        if len(table) <= 20:
            for (row, column), value in np.ndenumerate(share):
                if table[row, column]:
                    colour = "white" if value > 0.6 else REAL
                    axis.text(column, row, f"{100 * value:.0f}", ha="center", va="center", color=colour, fontsize=6)
        step = -(-len(table) // 40)
        at, words = range(0, len(table), step), [short(name, 16) for name in names[::step]]
        axis.set_xticks(at, words, rotation=90)
        axis.set_yticks(at, words)
        axis.set(xlabel=f"{short(label)} taken for (%)", ylabel=f"true {short(label)}")
        axis.tick_params(length=0)
    return figure
