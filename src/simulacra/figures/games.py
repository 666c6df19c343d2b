"""Games of two players: where their steps lead."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from simulacra.figures.style import MADE, OTHER, PALETTE, REAL, new, short, styled, thin


def phase_portraits(paths: Mapping[str, ArrayLike], reach: float = 1.6, columns: int = 3) -> Figure:
    """Paths [N, 2] of two players in the plane, from a dot on; a diamond is the average of all positions."""
    columns = min(columns, len(paths))
    rows = -(-len(paths) // columns)
    with styled():
        figure = new(2.3 * columns, 2.6 * rows + 0.35)
        axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for axis in list(axes.flat)[len(paths) :]:
            axis.set_axis_off()
        handles = []
        for k, (axis, (name, path)) in enumerate(zip(axes.flat, paths.items(), strict=False)):
            points = np.asarray(path, dtype=float)
            mean = points.mean(0)
            axis.axhline(0, color=REAL, lw=0.4, alpha=0.5)
            axis.axvline(0, color=REAL, lw=0.4, alpha=0.5)
            handles = [
                axis.plot(*points.T, color=MADE, lw=0.7, label="path")[0],
                axis.plot(*points[0], "o", color=REAL, ms=4, label="start")[0],
                axis.plot(*mean, "D", color=OTHER, ms=4, label="average")[0],
            ]
            axis.set(xlim=(-reach, reach), ylim=(-reach, reach), title=short(name, 34))
            axis.set_aspect("equal")
            if k >= len(paths) - columns:
                axis.set_xlabel("x" if np.abs(mean).max() <= reach else "x (the average is outside)")
            if k % columns == 0:
                axis.set_ylabel("y")
        thin(figure.legend(handles=handles, loc="outside lower center", ncols=3))
    return figure


def four_parameters(games: Mapping[str, Mapping[str, ArrayLike]], level: float) -> Figure:
    """The smallest GAN under several schedules, one column each.

    From top to bottom: data, fakes and D at the end; the value of the game with its `level` at the solution; norms of
    both players' gradients; the eigenvalues of the Hessian of V, on a scale linear near 0 and logarithmic beyond.

    Args:
        games: title -> `data` [n], `fakes` [m], `line` [K] and `D` [K] on it; `value` [N], `critic` [N],
            `generator` [N] and `eigenvalues` [N, 4] at each `round` [N].
    """
    with styled():
        figure = new(2.35 * len(games), 7.6)
        axes = figure.subplots(4, len(games), squeeze=False, sharey="row")
        for column, (title, held) in zip(axes.T, games.items(), strict=True):
            game = {name: np.asarray(v, dtype=float) for name, v in held.items()}
            rounds = game["round"]
            bins = np.linspace(game["line"].min(), game["line"].max(), 36)
            column[0].hist(game["data"], bins, density=True, color=REAL, alpha=0.35, label="data")
            column[0].hist(game["fakes"], bins, density=True, histtype="step", color=MADE, label="fakes, generator")
            column[0].plot(game["line"], game["D"], color=OTHER, label="discriminator")
            column[0].set(title=short(title, 34), xlabel="x", ylim=(0, 1.05))
            column[1].plot(rounds, game["value"], color=MADE)
            column[1].axhline(level, color=REAL, lw=0.8, ls="--")
            column[2].plot(rounds, game["critic"], color=OTHER, lw=0.8)
            column[2].plot(rounds, game["generator"], color=MADE, lw=0.8)
            column[2].set_yscale("log")
            column[2].set_ylim(1e-5, 30)
            for k in range(4):
                column[3].plot(rounds, game["eigenvalues"][:, k], color=PALETTE[k], lw=0.8)
            column[3].axhline(0, color=REAL, lw=0.4)
            column[3].set_yscale("symlog", linthresh=1e-3)
            column[3].set_yticks([-10, -0.1, 0, 0.1, 10])
            for axis in column[1:]:
                axis.set_xlabel("round")
        for axis, name in zip(axes[:, 0], ("density, D", "V", "norm of the gradient", "eigenvalues"), strict=True):
            axis.set_ylabel(name)
        thin(figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3))
    return figure
