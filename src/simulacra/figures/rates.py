"""What becomes of games at several learning rates, momenta and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from simulacra.figures.style import MADE, OTHER, PALETTE, REAL, new, short, styled, thin


def heat_maps(tables: Mapping[str, ArrayLike], rates: ArrayLike, momenta: ArrayLike, label: str) -> Figure:
    """Shares [R, M] of several kinds of game, by learning rate and Adam's beta1, with the number in each cell.

    >>> heat_maps({"plain": [[0.0, 1.0]]}, [1e-3], [0.0, 0.9], "diverged").axes[0].get_xlabel()
    'beta1'
    """
    with styled():
        figure = new(2.1 * len(tables) + 0.6, 2.5)
        axes = figure.subplots(1, len(tables), squeeze=False, sharey=True)[0]
        shown: Any = None
        for axis, (name, table) in zip(axes, tables.items(), strict=True):
            shares = np.asarray(table, dtype=float)
            shown = axis.imshow(shares, vmin=0, vmax=1, origin="lower", cmap="cividis", aspect="auto")
            for (row, column), share in np.ndenumerate(shares):
                color = "black" if share > 0.5 else "white"
                axis.text(column, row, f"{share:.2f}", ha="center", va="center", color=color, fontsize=8)
            axis.set(title=short(name), xlabel="beta1")
            axis.set_xticks(range(shares.shape[1]), [f"{m:g}" for m in np.asarray(momenta)])
            axis.set_yticks(range(shares.shape[0]), [f"{r:g}" for r in np.asarray(rates)])
        axes[0].set_ylabel("learning rate")
        figure.colorbar(shown, ax=list(axes), label=label, pad=0.01)
    return figure


def races(runs: Sequence[Mapping[str, ArrayLike]], costs: Mapping[str, str], level: float) -> Figure:
    """Exact W1 against several costs; a panel per cost, a colour per kind, a line per seed.

    Args:
        runs: `KIND/distance` and `KIND/COST` [T], one mapping per seed.
        costs: the name of each cost and the label of its axis.
        level: to be reached, dashed.
    """
    kinds = list(dict.fromkeys(key.split("/")[0] for key in runs[0]))
    with styled():
        figure = new(3.1 * len(costs), 3.0)
        axes = figure.subplots(1, len(costs), squeeze=False, sharey=True)[0]
        for axis, (cost, label) in zip(axes, costs.items(), strict=True):
            for k, kind in enumerate(kinds):
                for n, run in enumerate(runs):
                    x, y = (np.asarray(run[f"{kind}/{key}"], dtype=float) for key in (cost, "distance"))
                    axis.plot(x, y, color=PALETTE[k], lw=0.9, label=None if n else short(kind))
            axis.axhline(level, color=REAL, lw=0.8, ls=(0, (6, 3)))
            axis.set_yscale("log")
            axis.set_xlabel(label)
        axes[0].set_ylabel("exact W1 / sd")
        handles, names = axes[0].get_legend_handles_labels()
        thin(figure.legend(handles, names, loc="outside lower center", ncols=3))
    return figure


def effects(runs: Sequence[Mapping[str, float]], label: str) -> Figure:
    """What each change does, one row by name: a dot per seed and their mean; 0 is no change.

    >>> effects([{"without norm": 0.4}, {"without norm": 0.6}], "change").axes[0].get_xlabel()
    'change'
    """
    names = list(runs[0])
    table = np.array([[run[name] for name in names] for run in runs], dtype=float)
    with styled():
        figure = new(4.6, 0.32 * len(names) + 0.9)
        axis = figure.subplots()
        place = np.arange(len(names))[::-1]
        for row in table:
            axis.plot(row, place, "o", color=REAL, ms=3, alpha=0.6)
        axis.plot(table.mean(0), place, "D", color=MADE, ms=5)
        axis.axvline(0, color=OTHER, lw=0.8, ls=(0, (6, 3)))
        axis.set_yticks(place, [short(name) for name in names])
        axis.set_xlabel(label)
    return figure
