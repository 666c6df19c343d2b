"""Images in the space of pixels: how far random ones are, how few dimensions real ones have, who tells them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from simulacra.figures.style import PALETTE, REAL, new, short, styled, thin


def nearest(arrays: Mapping[str, ArrayLike]) -> Figure:
    """Histograms of the distance to the nearest real image, and the random images that came nearest.

    Args:
        arrays: `bins` [B + 1]; `counts, NAME` [B], shares; `limit`, a quantile of real images; `image, NAME` [S * S].
    """
    held = {name: np.asarray(v, dtype=float) for name, v in arrays.items()}
    pictures = {name.split(", ", 1)[1]: v for name, v in held.items() if name.startswith("image, ")}
    with styled():
        figure = new(6.6, 3.2)
        left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[2.6, 1])[0]
        axis = left.subplots()
        for k, (name, shares) in enumerate((n, v) for n, v in held.items() if n.startswith("counts, ")):
            axis.stairs(
                shares, held["bins"], color=PALETTE[k], ls=("-", "--", "-.")[k % 3], label=name.split(", ", 1)[1]
            )
        axis.axvline(float(held["limit"]), color=REAL, lw=0.8, ls=(0, (6, 3)), label="99.9 % of real images are nearer")
        axis.set_yscale("log")
        axis.set(xlabel="distance to the nearest real image", ylabel="share of images")
        thin(left.legend(loc="outside lower center", ncols=2, columnspacing=0.8))
        for place, (name, image) in zip(right.subplots(len(pictures), 1), pictures.items(), strict=True):
            side = round(len(image) ** 0.5)
            place.imshow(image.reshape(side, side), cmap="gray", interpolation="nearest")
            place.set_title(short(name, 30), fontsize=7, loc="center")
            place.set_axis_off()
    return figure


def dimensions(runs: Sequence[Mapping[str, ArrayLike]], pixels: int) -> Figure:
    """Variance held by the first principal components, `NAME, variance` [D], and `NAME, dimension`; lines are seeds."""
    with styled():
        figure = new(4.4, 3.2)
        axis = figure.subplots()
        names = [name.split(", ")[0] for name in runs[0] if name.endswith("variance")]
        for k, name in enumerate(names):
            for n, run in enumerate(runs):
                y = np.asarray(run[f"{name}, variance"], dtype=float)
                axis.plot(np.arange(1, len(y) + 1), y, color=PALETTE[k], lw=0.9, label=None if n else short(name))
            mean = float(np.mean([np.asarray(run[f"{name}, dimension"], dtype=float) for run in runs]))
            axis.axvline(
                mean, color=PALETTE[k], ls="--", lw=0.9, label=f"{short(name)}: intrinsic dimension {mean:.1f}"
            )
        axis.axhline(0.95, color=REAL, lw=0.6, ls=":")
        axis.set(xlabel="principal components", ylabel="share of the variance", xlim=(0, pixels), ylim=(0, 1.02))
        thin(axis.legend(loc="lower right"))
    return figure


def accuracies(runs: Sequence[Mapping[str, ArrayLike]]) -> Figure:
    """Accuracy of a fresh discriminator at each of its `steps` [T], by name; lines are seeds. Below, fakes `made`."""
    with styled():
        figure = new(4.8, 4.0)
        top, low = figure.subfigures(2, 1, squeeze=False, height_ratios=[5, 1])[:, 0]
        axis = top.subplots()
        x = np.asarray(runs[0]["steps"], dtype=float)
        for k, name in enumerate(name for name in runs[0] if name not in ("steps", "made")):
            for n, run in enumerate(runs):
                y = np.asarray(run[name], dtype=float)
                axis.plot(x, y, "o-", ms=2, color=PALETTE[k], lw=0.8, label=None if n else short(name))
        axis.set_xscale("symlog", linthresh=3)
        axis.set(xlabel="steps of a fresh discriminator", ylabel="accuracy", ylim=(0.4, 1.02))
        thin(top.legend(loc="outside right center"))
        made = np.asarray(runs[0]["made"], dtype=float)
        side = round(made.shape[1] ** 0.5)
        for place, image in zip(np.atleast_1d(low.subplots(1, len(made))), made, strict=True):
            place.imshow(image.reshape(side, side), cmap="gray", interpolation="nearest")
            place.set_axis_off()
    return figure
