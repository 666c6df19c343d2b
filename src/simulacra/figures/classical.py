"""Generative and discriminative classifiers: how they learn, what they turn away, what can be asked of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from simulacra.figures.style import PALETTE, new, short, styled, thin


def learning_curves(runs: Sequence[Mapping[str, ArrayLike]]) -> Figure:
    """Accuracy `KIND, MODEL` [N] against `sizes` [N], one panel for each kind of data; thin lines are seeds."""
    names = [name for name in runs[0] if name != "sizes"]
    kinds = list(dict.fromkeys(name.split(", ")[0] for name in names))
    with styled():
        figure = new(6.6, 2.9)
        axes = figure.subplots(1, len(kinds), squeeze=False, sharey=True)[0]
        for axis, kind in zip(axes, kinds, strict=True):
            for k, name in enumerate(n for n in names if n.split(", ")[0] == kind):
                look = {"color": PALETTE[k], "ls": ("-", "--")[k % 2]}
                x = np.asarray(runs[0]["sizes"], dtype=float)
                curves = np.array([np.asarray(run[name], dtype=float) for run in runs])
                axis.plot(x, curves.T, lw=0.5, alpha=0.5, **look)
                axis.plot(x, curves.mean(0), label=name.split(", ", 1)[1], **look)
            axis.set_xscale("log")
            axis.set(title=kind, xlabel="pictures of each class")
        axes[0].set_ylabel("accuracy")
        thin(axes[0].legend(loc="lower right"))
    return figure


def rejected(runs: Sequence[Mapping[str, float]]) -> Figure:
    """Shares `KNOWN learnt, strange|known: SCORE` as bars: of pictures of another kind, and of the kind learnt."""
    kinds = list(dict.fromkeys(name.split(" learnt")[0] for name in runs[0]))
    scores = list(dict.fromkeys(name.split(": ")[1] for name in runs[0]))
    with styled():
        figure = new(6.6, 2.9)
        axes = figure.subplots(1, len(kinds), squeeze=False, sharey=True)[0]
        for axis, kind in zip(axes, kinds, strict=True):
            for k, what in enumerate(("strange", "known")):
                values = np.array([[run[f"{kind} learnt, {what}: {s}"] for s in scores] for run in runs])
                place = np.arange(len(scores)) + 0.4 * k
                label = "another kind" if what == "strange" else "the same kind, held back"
                axis.bar(place, values.mean(0), 0.38, color=PALETTE[1 - k], alpha=0.6, label=label)
                for row in values:
                    axis.plot(place, row, "o", ms=2.5, color=PALETTE[1 - k])
            axis.set_xticks(np.arange(len(scores)) + 0.2, [s.replace(" of ", "\nof ") for s in scores])
            axis.set(title=f"{kind} learnt", ylim=(0, 1))
        axes[0].set_ylabel("share rejected")
        thin(axes[-1].legend(loc="upper right"))
    return figure


def asked_for(makers: Mapping[str, ArrayLike], shares: Mapping[str, float]) -> Figure:
    """Pictures [classes, few, pixels] of each maker, a row for each class that was asked for, and the share granted."""
    with styled():
        figure = new(2.2 * len(makers), 3.6)
        axes = figure.subplots(1, len(makers), squeeze=False)[0]
        for axis, (name, pictures) in zip(axes, makers.items(), strict=True):
            x = np.asarray(pictures, dtype=float)
            classes, few, pixels = x.shape
            side = round(pixels**0.5)
            apart = np.pad(x.reshape(classes, few, side, side), [(0, 0), (0, 0), (0, 1), (0, 1)], constant_values=0.6)
            side += 1
            grid = apart.transpose(0, 2, 1, 3).reshape(classes * side, few * side)[:-1, :-1]
            axis.imshow(grid, cmap="gray", interpolation="nearest", vmin=0, vmax=1)
            axis.set_title(f"{short(name, 26)}\n{shares[name]:.0%} are what was asked for", fontsize=8)
            axis.set_yticks(np.arange(classes) * side + side / 2 - 0.5, [str(k) for k in range(classes)])
            axis.set_xticks([])
    return figure
