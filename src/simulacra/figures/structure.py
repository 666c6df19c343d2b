"""Pictures that are right in their parts and wrong as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from simulacra.figures.style import MADE, REAL, new, styled, thin


def counts(runs: Sequence[Mapping[str, ArrayLike]]) -> Figure:
    """How many parts pictures have, lines are seeds, beside pictures of the first of them.

    Args:
        runs: `count, real` and `count, made`, shares [K] of pictures with 0, 1, ... parts; `blobs` and `mirrored`
            [16, S, S] in [0, 1].
    """
    with styled():
        figure = new(6.6, 2.6)
        left, middle, right = figure.subplots(1, 3, width_ratios=[1.3, 1, 1])
        for k, run in enumerate(runs):
            for name, colour in (("real", REAL), ("made", MADE)):
                share = np.asarray(run[f"count, {name}"], dtype=float)
                left.step(np.arange(len(share)), share, where="mid", color=colour, lw=1.0, label=None if k else name)
        left.set(xlabel="blobs in a picture", ylabel="share of pictures", ylim=(0, None))
        thin(left.legend(loc="best"))
        for axis, name in ((middle, "blobs"), (right, "mirrored")):
            pictures = np.pad(np.asarray(runs[0][name], dtype=float), ((0, 0), (1, 0), (1, 0)), constant_values=1.0)
            side = pictures.shape[1]
            wall = pictures.reshape(4, 4, side, side).transpose(0, 2, 1, 3).reshape(4 * side, 4 * side)
            axis.imshow(wall, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axis.set_axis_off()
            axis.set_title(f"made: {name}")
    return figure
