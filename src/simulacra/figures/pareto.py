"""Fidelity against speed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from simulacra.figures.style import MADE, OTHER, REAL, new, styled


class Entry(NamedTuple):
    """One model: its name, what an event costs in ms, its distance from real events with error; whether a baseline."""

    name: str
    cost: float
    value: float
    error: float
    baseline: bool = False


def front(entries: Sequence[Entry]) -> list[Entry]:
    """Those that no other beats in both cost and value, from the cheapest on.

    >>> [e.name for e in front([Entry("a", 1, 0.9, 0), Entry("b", 2, 0.6, 0), Entry("c", 3, 0.7, 0)])]
    ['a', 'b']
    """
    out: list[Entry] = []
    for entry in sorted(entries, key=lambda e: (e.cost, e.value)):
        if not out or entry.value < out[-1].value:
            out.append(entry)
    return out


def pareto(entries: Sequence[Entry], floor: tuple[float, float] | None = None, axis: str = "AUC of trees") -> Figure:
    """Distance from real events against milliseconds per event; a line joins the models that no other model beats.

    Args:
        entries: models and baselines.
        floor: what real events give, and its spread.
        axis: what the distance is.
    """
    with styled():
        figure = new(5.6, 3.6)
        axes = figure.subplots()
        if floor is not None:
            axes.axhspan(floor[0] - floor[1], floor[0] + floor[1], color=REAL, alpha=0.15, lw=0)
            axes.axhline(floor[0], color=REAL, lw=0.8, label="real against real")
        best = front([e for e in entries if not e.baseline])
        axes.step([e.cost for e in best], [e.value for e in best], where="post", color=MADE, lw=0.8, ls="--")
        for k, entry in enumerate(sorted(entries, key=lambda e: e.cost)):
            color, marker = (OTHER, "s") if entry.baseline else (MADE, "o")
            axes.errorbar(entry.cost, entry.value, entry.error, fmt=marker, color=color, capsize=2, ms=4)
            axes.annotate(
                entry.name,
                (entry.cost, entry.value),
                xytext=(5, -10 if k % 2 else 3),
                textcoords="offset points",
                fontsize=8,
            )
        axes.set_xscale("log")
        costs = np.array([e.cost for e in entries])
        axes.set_xlim(costs.min() / 2, costs.max() * 5)
        axes.set_xlabel("ms per event, 10,000 at a time, one thread")
        axes.set_ylabel(axis)
        axes.margins(y=0.08)
        axes.plot([], [], "o", color=MADE, label="models, dashed: not beaten in both")
        if any(e.baseline for e in entries):
            axes.plot([], [], "s", color=OTHER, label="baselines")
        axes.legend(loc="best")
    return figure
