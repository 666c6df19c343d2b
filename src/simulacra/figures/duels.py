"""How generator and discriminator move each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from numpy.typing import ArrayLike

from simulacra.figures.style import MADE, OTHER, PALETTE, REAL, new, styled, thin

Curve = Sequence[tuple[float, float]]
"""(round, value) pairs."""


@dataclass(frozen=True)
class Moment:
    """A moment of a one-dimensional game, on a grid [N].

    Attributes:
        title: above the panel.
        data: density of the data [N]; made: of the generator [N].
        discriminator: probability that x is real [N].
        z: latents [K] in units of x's axis; x: what the generator makes of them [K].
    """

    title: str
    data: ArrayLike
    made: ArrayLike
    discriminator: ArrayLike
    z: ArrayLike
    x: ArrayLike


def moments(grid: ArrayLike, panels: Sequence[Moment]) -> Figure:
    """Densities and discriminator above the map from latents to events, one panel per moment.

    Source of the layout: Goodfellow et al. (2014), arXiv 1406.2661, figure 1.
    """
    x = np.asarray(grid, dtype=float)
    with styled():
        figure = new(2.15 * len(panels), 2.9)
        axes = figure.subplots(2, len(panels), squeeze=False, height_ratios=[3, 1.3], sharex="row", sharey="row")
        for top, low, panel in zip(*axes, panels, strict=True):
            top.plot(x, np.asarray(panel.data), ":", color="black", lw=1.8, label="data p")
            top.plot(x, np.asarray(panel.made), "-", color="#009E73", label="generator q")
            top.plot(x, np.asarray(panel.discriminator), "--", color=MADE, label="discriminator D")
            top.set_title(panel.title, fontsize=8)
            top.set_xlabel("x")
            z, made = np.asarray(panel.z, dtype=float), np.asarray(panel.x, dtype=float)
            for start, end in zip(z, made, strict=True):
                low.annotate("", (end, 1), (start, 0), arrowprops={"arrowstyle": "->", "color": REAL, "lw": 0.7})
            low.set_xlim(x[0], x[-1])
            low.set_ylim(-0.05, 1.05)
            low.set_yticks([0, 1], ["z", "x"])
            low.set_xticks([])
            for side in ("left", "bottom"):
                low.spines[side].set_visible(False)
            low.axhline(0, color=REAL, lw=0.6)
            low.axhline(1, color=REAL, lw=0.6)
            low.tick_params(length=0)
            low.set_xlabel("z → x = G(z)")
        axes[0][0].set_ylabel("density, probability")
        handles, names = axes[0][0].get_legend_handles_labels()
        thin(figure.legend(handles, names, loc="outside lower center", ncols=3))
    return figure


def quadrants(path: ArrayLike) -> Figure:
    """The game V(x, y) = x y by the signs of x and y: what each player does, and the path [N, 2] that this draws.

    x is moved to make V small, y to make it large. The states are numbered in the order in which they are passed.
    """
    points = np.asarray(path, dtype=float)
    reach = 1.6 * float(np.abs(points).max())
    states = (
        (1, 1, "1 = 5", "x > 0, y > 0: V > 0", "y up, x down"),
        (-1, 1, "2", "x < 0, y > 0: V < 0", "y down, x down"),
        (-1, -1, "3", "x < 0, y < 0: V > 0", "y down, x up"),
        (1, -1, "4", "x > 0, y < 0: V < 0", "y up, x up"),
    )
    with styled():
        figure = new(4.3, 4.4)
        axis = figure.add_subplot()
        for right, up, number, where, what in states:
            colour = "#FBE5D6" if right * up > 0 else "#DCEBF5"
            axis.fill_between([0, right * reach], 0, up * reach, color=colour, lw=0)
            axis.text(
                right * 0.9 * reach, up * 0.93 * reach, number, ha="center", va="center", fontsize=11, weight="bold"
            )
            axis.text(right * 0.4 * reach, up * 0.88 * reach, f"{where}\n{what}", ha="center", va="center", fontsize=8)
            start = (0.36 * right * reach, 0.36 * up * reach)
            for move in ((-up, 0), (0, right)):  # descent in x, ascent in y
                axis.annotate(
                    "", (start[0] + 0.2 * move[0] * reach, start[1] + 0.2 * move[1] * reach), start,
                    arrowprops={"arrowstyle": "-|>", "color": OTHER if move[0] else MADE, "lw": 1.6},
                )  # fmt: skip
        axis.plot(*points.T, color=REAL, lw=1.2)
        for k in np.linspace(0, len(points) - 2, 8).astype(int):
            style = {"arrowstyle": "-|>", "color": REAL, "lw": 0.8}
            axis.annotate("", tuple(points[k + 1]), tuple(points[k]), arrowprops=style)
        axis.plot([], [], color=OTHER, label="x: descent")
        axis.plot([], [], color=MADE, label="y: ascent")
        axis.plot([], [], color=REAL, label="both at once: ever outward")
        axis.plot(0, 0, "k*", ms=9, label="equilibrium", ls="none")
        axis.axhline(0, color="white", lw=2, zorder=0.9)
        axis.axvline(0, color="white", lw=2, zorder=0.9)
        axis.set_xlim(-reach, reach)
        axis.set_ylim(-reach, reach)
        axis.set_aspect("equal")
        axis.set(xlabel="x, minimises V = x y", ylabel="y, maximises V")
        thin(figure.legend(loc="outside lower center", ncols=2))
    return figure


def losses_and_quality(games: Mapping[str, tuple[Mapping[str, Curve], Curve, str]], quality: str) -> Figure:
    """Losses of the players against rounds, with the quality of the samples over them on an axis of its own.

    Args:
        games: title -> (losses by name, quality over rounds, a note).
        quality: the label of the second axis.
    """
    with styled():
        figure = new(4.1 * len(games), 3.1)
        axes = figure.subplots(1, len(games), squeeze=False)[0]
        handles = {}
        names = list(dict.fromkeys(name for losses, _, _ in games.values() for name in losses))
        for axis, (title, (losses, curve, note)) in zip(axes, games.items(), strict=True):
            for name, points in losses.items():
                x, y = np.array(points, dtype=float).T
                mean = [[part.mean() for part in np.array_split(v, min(len(x), 120))] for v in (x, y)]
                k = names.index(name)
                handles[name] = axis.plot(*mean, lw=1.0, color=PALETTE[k % 7], ls=("-", "--", "-.")[k % 3])[0]
            axis.set(title=f"{title}: {note}", xlabel="round", ylabel="loss")
            other = axis.twinx()
            other.spines["right"].set_visible(True)
            x, y = np.array(curve, dtype=float).T
            line = other.plot(x, y, "o-", color="black", ms=2.5, lw=1.6)[0]
            other.set_yscale("log")
            other.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            other.yaxis.set_major_formatter("{x:g}")
            other.yaxis.set_minor_formatter("")
            other.set_ylabel(quality)
            handles[quality] = line
        thin(figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=4))
    return figure
