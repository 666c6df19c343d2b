"""Showers as the detector sees them, layer by layer, in the plane across the beam."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, TwoSlopeNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from simulacra.figures.histograms import Array
from simulacra.figures.style import PANEL, new, short, styled

Parts = Mapping[str, tuple[int, ...]]
"""Name and (rows, columns) of each layer, in the order of the flat shower."""
Geometry = Mapping[str, Any]
"""A geometry as JSON: `layers` with `kind`, `rows` and `columns` edges."""


def _slices(parts: Parts) -> dict[str, slice]:
    out, at = {}, 0
    for name, shape in parts.items():
        out[name] = slice(at, at + math.prod(shape))
        at += math.prod(shape)
    return out


def _chosen(parts: Parts, energies: Array, most: int) -> list[str]:
    """At most `most` layers, in their order: all of them, or evenly spaced ones among those with energy."""
    names = [n for n, at in _slices(parts).items() if energies[..., at].sum() > 0] or list(parts)
    if len(names) <= most:
        return names
    return [names[k] for k in np.unique(np.linspace(0, len(names) - 1, most).round().astype(int))]


def _mesh(name: str, shape: tuple[int, ...], geometry: Geometry | None) -> tuple[Array, Array, int]:
    """Corners x and y [rows * fine + 1, columns + 1] of the cells in mm, and into how many pieces each row is cut."""
    layers = {layer["name"]: layer for layer in (geometry or {}).get("layers", [])}
    layer = layers.get(name)
    if layer is None or (len(layer["rows"]) - 1, len(layer["columns"]) - 1) != tuple(shape):
        x, y = np.meshgrid(np.arange(shape[1] + 1.0), np.arange(shape[0] + 1.0))
        return x, y, 1
    rows, columns = np.asarray(layer["rows"], dtype=float), np.asarray(layer["columns"], dtype=float)
    if layer["kind"] == "cartesian":
        return *np.meshgrid(columns, rows), 1
    fine = max(1, -(-48 // shape[0]))  # so that arcs look round
    angle = np.interp(np.arange(shape[0] * fine + 1) / fine, np.arange(shape[0] + 1), rows)
    return np.outer(np.cos(angle), columns), np.outer(np.sin(angle), columns), fine


def _draw(
    axis: Axes, cells: Array, name: str, shape: tuple[int, ...], geometry: Geometry | None, **options: Any
) -> Any:
    x, y, fine = _mesh(name, shape, geometry)
    drawn = axis.pcolormesh(x, y, np.repeat(cells.reshape(shape), fine, axis=0), rasterized=True, **options)
    axis.set_facecolor("#f3f3f3")
    if geometry:
        axis.set_aspect("equal")
    axis.set_xticks([])
    axis.set_yticks([])
    for side in axis.spines.values():
        side.set_visible(False)
    return drawn


def _energies(values: Array) -> tuple[Array, LogNorm]:
    """Energies with empty cells masked, and four and a half decades of colour below the largest."""
    high = float(np.nanmax(values)) if values.size and np.nanmax(values) > 0 else 1.0
    return np.ma.masked_less_equal(values, 0), LogNorm(high * 10**-4.5, high)


def layers(
    rows: Mapping[str, Any],
    parts: Parts,
    unit: str = "MeV",
    most: int = 6,
    geometry: Geometry | None = None,
    width: float = 7.2,
) -> Figure:
    """Showers [V], one per row of the figure under its name, one column per layer, all on one logarithmic scale.

    Args:
        rows: name -> shower.
        parts: layers of the flat shower; at most `most` of them are drawn.
        geometry: JSON of the detector, for true proportions; without it every cell is a unit square.
    """
    cells = np.stack([np.asarray(x, dtype=float).reshape(-1) for x in rows.values()])
    chosen, where = _chosen(parts, cells, most), _slices(parts)
    masked, scale = _energies(cells)
    with styled():
        column = (width - 1.6) / len(chosen)
        figure = new(width, min(column, 1.7) * len(rows) + 0.3 if geometry else 1.05 * len(rows) + 0.5)
        axes = figure.subplots(len(rows), len(chosen), squeeze=False)
        drawn = None
        for number, (line, title, shower) in enumerate(zip(axes, rows, masked, strict=True)):
            for axis, name in zip(line, chosen, strict=True):
                drawn = _draw(axis, shower[where[name]], name, parts[name], geometry, norm=scale)
                if number == 0:
                    axis.set_title(short(name, 14), loc="center")
            line[0].set_ylabel(short(title), rotation=0, ha="right", va="center")
        if drawn is not None:
            figure.colorbar(drawn, ax=axes, label=unit, shrink=0.8, pad=0.01)
    return figure


def mean_showers(
    reference: ArrayLike, generated: ArrayLike, parts: Parts, unit: str = "MeV", geometry: Geometry | None = None
) -> Figure:
    """The average shower [N, V] and [M, V], one row per layer: reference, generated, and generated - reference.

    The difference is drawn in standard errors of each cell, from -5 to 5: noise is pale, structure is a defect.
    """
    a, b = (np.asarray(v, dtype=float) for v in (reference, generated))
    means = np.stack([_means(a), _means(b)])
    error = np.sqrt(sum(v.var(0) / max(len(v), 1) if len(v) else np.zeros(v.shape[1]) for v in (a, b)))
    pull = np.where(error > 0, (means[1] - means[0]) / np.where(error > 0, error, 1.0), 0.0)
    chosen, where = _chosen(parts, means, 6), _slices(parts)
    masked, scale = _energies(means)
    sigma = TwoSlopeNorm(0, -5, 5)
    with styled():
        figure = new(2 * PANEL[0] + 0.4, 1.75 * len(chosen) + 0.8)
        axes = figure.subplots(len(chosen), 3, squeeze=False)
        drawn: list[Any] = [None, None]
        for line, name in zip(axes, chosen, strict=True):
            at, shape = where[name], parts[name]
            for axis, picture in zip(line, masked, strict=False):
                drawn[0] = _draw(axis, picture[at], name, shape, geometry, norm=scale)
            drawn[1] = _draw(line[2], pull[at], name, shape, geometry, norm=sigma, cmap="RdBu_r")
            line[0].set_ylabel(short(name, 14))
        for axis, title in zip(axes[0], ("reference", "generated", "difference"), strict=True):
            axis.set_title(title, loc="center")
        figure.colorbar(
            drawn[0], ax=axes[:, :2], label=f"mean energy / {unit}", location="bottom", shrink=0.7, aspect=35
        )
        figure.colorbar(drawn[1], ax=axes[:, 2], label="standard errors", location="bottom", shrink=0.8, aspect=17)
    return figure


def _means(values: Array) -> Array:
    return values.mean(0) if len(values) else np.zeros(values.shape[1])


def side_by_side(
    showers: Sequence[tuple[str, ArrayLike, ArrayLike]],
    parts: Parts,
    unit: str = "MeV",
    geometry: Geometry | None = None,
    names: tuple[str, str] = ("real", "generated"),
    most: int = 3,
) -> Figure:
    """Single showers in pairs: one row per (title, real [V], generated [V]), real layers left, generated right."""
    cells = np.stack([[np.asarray(v, dtype=float).reshape(-1) for v in pair] for _, *pair in showers])
    chosen, where = _chosen(parts, cells, most), _slices(parts)
    masked, scale = _energies(cells)
    with styled():
        size = 1.35
        figure = new(size * 2 * len(chosen) + 1.9, size * len(showers) + 0.55)
        grid = figure.subplots(
            len(showers),
            2 * len(chosen) + 1,
            squeeze=False,
            width_ratios=[*[1] * len(chosen), 0.12, *[1] * len(chosen)],
        )
        drawn = None
        for number, (line, (title, *_), pair) in enumerate(zip(grid, showers, masked, strict=True)):
            line[len(chosen)].set_axis_off()
            for side, (shower, who) in enumerate(zip(pair, names, strict=True)):
                for k, name in enumerate(chosen):
                    axis = line[side * (len(chosen) + 1) + k]
                    drawn = _draw(axis, shower[where[name]], name, parts[name], geometry, norm=scale)
                    if number == 0:
                        head = f"{who}\n" if k == len(chosen) // 2 else ""
                        axis.set_title(short(head + name), loc="center")
            line[0].set_ylabel(short(title), rotation=0, ha="right", va="center", fontsize=10)
        if drawn is not None:
            figure.colorbar(drawn, ax=grid, label=f"cell energy / {unit}", shrink=0.75, pad=0.01, aspect=30)
    return figure
