"""How divergences and transport distances see two distributions that are moved apart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from simulacra.figures.style import MADE, OTHER, PALETTE, REAL, new, styled, thin


def shifts(
    panels: Mapping[str, tuple[ArrayLike, Mapping[str, ArrayLike]]], level: Mapping[str, float] = {}, top: float = 2.2
) -> Figure:
    """Distances between a distribution and its shifted copy; triangles at the top where it is infinite.

    Args:
        panels: title -> shift [N], and values [N] by name.
        level: name -> height of a dotted line.
        top: the largest distance that is shown.
    """
    with styled():
        figure = new(3.3 * len(panels), 3.0)
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        handles = {}
        for axis, (title, (shift, values)) in zip(axes, panels.items(), strict=True):
            x = np.asarray(shift, dtype=float)
            for k, (name, held) in enumerate(values.items()):
                y = np.asarray(held, dtype=float)
                look = {"color": PALETTE[k % len(PALETTE)], "ls": ("-", "--", "-.", (0, (1, 1)))[k % 4]}
                handles.setdefault(name, axis.plot(x, np.where(np.isfinite(y), y, np.nan), **look, label=name)[0])
                if np.isinf(y).any():
                    axis.plot(x[np.isinf(y)], np.full(np.isinf(y).sum(), 1.0), "^", color=look["color"], ms=2.5,
                              transform=axis.get_xaxis_transform(), clip_on=False)  # fmt: skip
            for name, height in level.items():
                axis.axhline(height, color=REAL, lw=0.7, ls=":")
                axis.text(x.max(), height, name, color=REAL, fontsize=8, va="bottom", ha="right")
            axis.set(title=title, xlim=(x.min(), x.max()), ylim=(0, top), xlabel="shift")
        axes[0].set_ylabel("distance")
        thin(
            figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=6, columnspacing=1.4)
        )
    return figure


def transport(a: ArrayLike, b: ArrayLike, plan: ArrayLike, potential: ArrayLike) -> Figure:
    """Two weighted clouds of the plane with the mass that moves between them, and the slope of the dual potential.

    Args:
        a: [n, 2]; b: [m, 2]; plan: [n, m], the mass that moves from one point to another.
        potential: [n + m], a function of slope at most 1 on the points of both clouds.
    """
    x, y, mass = (np.asarray(v, dtype=float) for v in (a, b, plan))
    points, f = np.concatenate([x, y]), np.asarray(potential, dtype=float)
    far = np.linalg.norm(points[:, None] - points[None], axis=-1)
    with styled():
        figure = new(6.8, 3.3)
        left, right = figure.subplots(1, 2)
        for i, j in np.argwhere(mass > 1e-9 * mass.max()):
            left.plot(*zip(x[i], y[j], strict=True), color=REAL, lw=2.5 * mass[i, j] / mass.max(), alpha=0.6, zorder=1)
        left.scatter(*x.T, s=900 * mass.sum(1) / mass.sum(), color=MADE, lw=0, zorder=2, label="from")
        left.scatter(*y.T, s=900 * mass.sum(0) / mass.sum(), color=OTHER, lw=0, zorder=2, label="to")
        left.set(title="the plan that moves least", xlabel="x", ylabel="y")
        left.set_aspect("equal", adjustable="datalim")
        upper = np.triu_indices(len(points), 1)
        right.plot(far[upper], np.abs(f[:, None] - f[None])[upper], ".", ms=2, color=MADE, rasterized=True)
        right.plot([0, far.max()], [0, far.max()], color=REAL, lw=0.9, ls="--", label="slope 1")
        right.set(
            title="the potential of the dual", xlabel="distance of two points", ylabel="difference of their values"
        )
        thin(left.legend(loc="best", markerscale=0.6))
        thin(right.legend(loc="upper left"))
    return figure


def symmetry(names: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Figure:
    """For each distance, its value one way against the other way: on the diagonal where it is symmetric."""
    with styled():
        figure = new(1.0 + 2.1 * len(names), 2.6)
        axes = figure.subplots(1, len(names), squeeze=False)[0]
        for axis, (name, (one, other)) in zip(axes, names.items(), strict=True):
            x, y = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
            top = 1.05 * max(x.max(), y.max())
            axis.plot([0, top], [0, top], color=REAL, lw=0.9, ls="--")
            axis.plot(x, y, ".", ms=3, color=MADE, alpha=0.6)
            axis.set(title=name, xlabel="from p to q", xlim=(0, top), ylim=(0, top))
            axis.set_aspect("equal")
        axes[0].set_ylabel("from q to p")
    return figure
