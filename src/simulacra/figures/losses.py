"""What the players saw while they learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from simulacra.figures.style import PALETTE, new, short, styled, thin

Curve = Sequence[tuple[int, float]]
"""(round, value) pairs."""


def players(curves: Mapping[str, Curve]) -> dict[str, dict[str, Curve]]:
    """Curves named `player/quantity`, by player and quantity; those without points are left out.

    >>> players({"critic/loss": [(1, 2.0)], "critic/penalty": [], "nll": [(1, 0.5)]})
    {'critic': {'loss': [(1, 2.0)]}, 'nll': {'nll': [(1, 0.5)]}}
    """
    out: dict[str, dict[str, Curve]] = {}
    for name, curve in curves.items():
        if len(curve):
            out.setdefault(name.split("/")[0], {})[name.split("/", 1)[-1]] = curve
    return out


def curve_panel(curves: Mapping[str, Curve], title: str = "", points: int = 200) -> Figure:
    """Quantities of one player against rounds: averages over short stretches, on a pale band of their extremes."""
    with styled():
        figure = new(3.4, 2.5)
        axis = figure.subplots()
        seen = []
        for k, (name, curve) in enumerate(curves.items()):
            rounds, values = np.array(curve, dtype=float).reshape(-1, 2).T
            rounds, values = rounds[np.isfinite(values)], values[np.isfinite(values)]
            if not len(values):
                continue
            pieces = [np.array_split(v, min(points, len(values))) for v in (rounds, values)]
            x, y = ([float(p.mean()) for p in part] for part in pieces)
            low, high = ([float(f(p)) for p in pieces[1]] for f in (np.min, np.max))
            colour = PALETTE[k % len(PALETTE)]
            if len(values) > points:
                axis.fill_between(x, low, high, color=colour, alpha=0.18, lw=0)
            axis.plot(x, y, "-" if len(x) > 1 else "o", color=colour, label=short(name, 24))
            seen.append(np.quantile(values, [0.005, 0.995]))
        if seen:
            bottom, top = min(s[0] for s in seen), max(s[1] for s in seen)
            room = 0.08 * (top - bottom) or max(abs(top), 1.0) * 0.1
            axis.set_ylim(bottom - room, top + room)
            thin(axis.legend(loc="best"))
        axis.set_title(short(title, 40))
        axis.set_xlabel("round")
    return figure
