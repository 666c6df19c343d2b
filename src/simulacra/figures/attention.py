"""What belongs together far apart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from simulacra.figures.style import MADE, REAL, new, short, styled


def distant_pairs(pairs: Mapping[str, ArrayLike], labels: tuple[str, str], reach: float = 3.2) -> Figure:
    """Two numbers of each event [N, 2], one panel by title with their correlation; `data` is drawn as real events."""
    with styled():
        figure = new(1.75 * len(pairs) + 0.4, 2.9)
        axes = figure.subplots(1, len(pairs), squeeze=False, sharex=True, sharey=True)[0]
        for axis, (name, values) in zip(axes, pairs.items(), strict=True):
            both = np.asarray(values, dtype=float).T
            axis.scatter(*both, s=3, color=REAL if name == "data" else MADE, alpha=0.4, lw=0, rasterized=True)
            r = np.corrcoef(both)[0, 1]
            axis.set(xlim=(-reach, reach), ylim=(-reach, reach), title=f"{short(name, 22)}\nr = {r:.2f}")
            axis.set_aspect("equal")
        axes[0].set_ylabel(labels[1])
        figure.supxlabel(labels[0], fontsize=9)
    return figure
