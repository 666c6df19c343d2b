"""Critics of the Wasserstein distance: their values, their surfaces, their weights, and what their losses follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from simulacra.figures.style import MADE, OTHER, PALETTE, REAL, new, short, styled, thin

Runs = Sequence[Mapping[str, ArrayLike]]
"""Arrays by name, once per seed."""


def values(runs: Runs, limit: float = 1.0) -> Figure:
    """A critic's value in units of W1 against its steps, by name of its constraint; thin lines are seeds."""
    with styled():
        figure = new(4.6, 3.2)
        axis = figure.subplots()
        for k, name in enumerate(runs[0]):
            for n, run in enumerate(runs):
                y = np.asarray(run[name], dtype=float)
                axis.plot(np.arange(1, len(y) + 1), y, color=PALETTE[k], lw=0.7, label=None if n else short(name))
        axis.axhline(limit, color=REAL, ls=(0, (6, 3)), lw=0.8, label="W1")
        axis.set_yscale("symlog", linthresh=1.0)
        axis.set(xlabel="step of the critic", ylabel="value / W1")
        thin(figure.legend(loc="outside lower center", ncols=3))
    return figure


def responses(runs: Runs) -> Figure:
    """Discriminator and critic of two normals at `means` [2], against `x` [N]; lines are seeds."""
    x = np.asarray(runs[0]["x"], dtype=float)
    with styled():
        figure = new(4.6, 3.3)
        axis = figure.subplots()
        twin = axis.twinx()
        twin.spines["right"].set_visible(True)
        for mean, name, color in zip(np.asarray(runs[0]["means"]), ("real", "fake"), (REAL, MADE), strict=True):
            density = np.exp(-0.5 * (x - mean) ** 2) / np.sqrt(2 * np.pi)
            axis.fill_between(x, density, color=color, alpha=0.25, lw=0, label=name)
        for k, run in enumerate(runs):
            axis.plot(x, np.asarray(run["discriminator"]), color=OTHER, lw=0.9, label=None if k else "discriminator")
            axis.plot([], [], "--", color=PALETTE[2], lw=0.9, label=None if k else "critic (right)")
            twin.plot(x, np.asarray(run["critic"]), "--", color=PALETTE[2], lw=0.9)
        axis.set(xlabel="x", ylabel="density, D")
        twin.set_ylabel("critic")
        thin(figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=4))
    return figure


def scores(groups: Mapping[str, ArrayLike], bins: int = 40) -> Figure:
    """What a critic gives to groups of events [N] by name: a histogram each, all on one axis."""
    held = {name: np.asarray(v, dtype=float).reshape(-1) for name, v in groups.items()}
    every = np.concatenate(list(held.values()))
    low, high = np.quantile(every[np.isfinite(every)], [0.002, 0.998])
    edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    with styled():
        figure = new(4.6, 3.1)
        axis = figure.subplots()
        for k, (name, values) in enumerate(held.items()):
            share = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / len(values)
            label = f"{short(name)}, mean {values.mean():.3g}"
            axis.stairs(share, edges, color=(REAL, OTHER, MADE)[k % 3], ls=("-", "--", "-")[k % 3], lw=1.4, label=label)
        axis.set(xlabel="critic's score", ylabel="share of events", ylim=(0, None))
        thin(figure.legend(loc="outside lower center", ncols=2))
    return figure


def surfaces(arrays: Mapping[str, ArrayLike], kinds: Sequence[str] = ("clipped", "penalty")) -> Figure:
    """Level lines of critics over the data, and histograms of their weights in units of the largest.

    Args:
        arrays: `line` [L]; `real` [N, 2]; and for each kind `KIND surface` [L, L] and `KIND weights` [W].
    """
    held = {name: np.asarray(v, dtype=float) for name, v in arrays.items()}
    with styled():
        figure = new(3.1 * len(kinds), 5.6)
        axes = figure.subplots(2, len(kinds), squeeze=False, height_ratios=[1.6, 1])
        for top, low, kind in zip(*axes, kinds, strict=True):
            top.contour(held["line"], held["line"], held[f"{kind} surface"], 16, linewidths=0.8)
            top.scatter(*held["real"].T, s=2, color=OTHER, lw=0, rasterized=True)
            top.set_aspect("equal")
            top.set(title=short(kind), xlabel="x", ylabel="y" if kind == kinds[0] else "")
            weights = held[f"{kind} weights"] / np.abs(held[f"{kind} weights"]).max()
            low.hist(weights, np.linspace(-1, 1, 81), weights=np.full(len(weights), 1 / len(weights)), color=MADE)
            low.set(xlabel="weight / largest", ylabel="share of weights" if kind == kinds[0] else "")
    return figure


def estimates(runs: Runs) -> Figure:
    """Critics' values [K], by name, against exact `W1` [K]; points are pairs of distributions and seeds."""
    with styled():
        figure = new(3.6, 3.3)
        axis = figure.subplots()
        most = 0.0
        for k, name in enumerate([name for name in runs[0] if name != "W1"]):
            for n, run in enumerate(runs):
                x, y = np.asarray(run["W1"], dtype=float), np.asarray(run[name], dtype=float)
                most = max(most, x.max(), y.max())
                axis.plot(x, y, "os"[k % 2], color=PALETTE[k], mfc="none", ms=4, label=None if n else name)
        axis.plot([0, most], [0, most], color=REAL, lw=0.8, ls=(0, (6, 3)), label="W1")
        axis.set(xlabel="exact W1", ylabel="critic's value", xlim=(0, None), ylim=(0, None))
        thin(axis.legend(loc="upper left"))
    return figure


def losses(arrays: Mapping[str, ArrayLike], kinds: Mapping[str, str]) -> Figure:
    """What the critic of a game says, and the exact distance of its samples, through training.

    Args:
        arrays: for each kind `KIND rounds`, `KIND critic` (a loss, or an estimate) and `KIND distance`, each [T].
        kinds: title of each kind.
    """
    with styled():
        figure = new(2.7 * len(kinds), 2.9)
        axes = figure.subplots(1, len(kinds), squeeze=False)[0]
        handles = []
        for axis, (kind, title) in zip(axes, kinds.items(), strict=True):
            x, loss, distance = (np.asarray(arrays[f"{kind} {part}"]) for part in ("rounds", "critic", "distance"))
            twin = axis.twinx()
            twin.spines["right"].set_visible(True)
            handles = [
                *axis.plot(x, distance, color=REAL, label="exact W1 (left)"),
                *twin.plot(x, loss, "--", color=OTHER, label="discriminator's loss, critic's estimate (right)"),
            ]
            axis.set(title=short(title, 34), xlabel="round", ylim=(0, None))
            axis.set_ylabel("W1" if kind == next(iter(kinds)) else "")
        thin(figure.legend(handles=handles, loc="outside lower center", ncols=2))
    return figure


def settings(runs: Runs) -> Figure:
    """Pairs [K, 2] of a critic's last estimate and the last W1, one panel for each group; colours are seeds."""
    with styled():
        figure = new(3.1 * len(runs[0]), 2.9)
        axes = figure.subplots(1, len(runs[0]), squeeze=False)[0]
        for axis, name in zip(axes, runs[0], strict=True):
            for k, run in enumerate(runs):
                pairs = np.asarray(run[name], dtype=float)
                axis.plot(*pairs.T, "o", ms=4, mfc="none", color=PALETTE[k % len(PALETTE)])
            if min(np.asarray(run[name])[:, 0].min() for run in runs) > 0:
                axis.set_xscale("log")
            else:
                axis.set_xscale("symlog", linthresh=0.5, linscale=0.5)
                axis.set_xticks([-10, -1, 0, 1, 10])
            axis.set_yscale("log")
            axis.set(title=short(f"settings of {name}"), xlabel="critic's estimate", ylabel="exact W1")
    return figure
