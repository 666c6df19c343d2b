"""The pictures of a report, in sections that follow the kind of data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from markupsafe import Markup
from matplotlib.figure import Figure

from simulacra import figures
from simulacra.batch import Batch, DataSpec
from simulacra.errors import UserError
from simulacra.evaluation import Evaluation, Measurement
from simulacra.protocols import Observable
from simulacra.report.tables import excess, note
from simulacra.units import convert

MOST_CORRELATED = 40
"""Observables in a correlation matrix: more cannot be read."""
BUDGET = 3_000_000
"""Bytes of pictures; observables beyond are drawn as small PNGs, the most faithful last."""
ACROSS = {
    "longitudinal": "layer",
    "radial": "distance from the axis / mm",
    "spectrum": "deposited energy / MeV",
}


class Picture(NamedTuple):
    """One figure of the page: its name, a line about it, itself, and whether it takes the full width."""

    name: str
    words: str
    markup: Markup
    wide: bool = False


class Section(NamedTuple):
    title: str
    intro: str
    pictures: list[Picture]


def vector(figure: Figure, words: str) -> Markup:
    """As SVG: its words were escaped by its writer."""
    return Markup(figures.svg(figure, words))


def raster(figure: Figure, words: str, dpi: int = 130) -> Markup:
    """As PNG: for pictures of thousands of cells or points."""
    return Markup('<img alt="{}" src="{}">').format(words, figures.data_uri(figure, dpi))


def values_of(observable: Observable, batch: Batch) -> np.ndarray:
    """[B] or [B, K] in double precision."""
    with torch.no_grad():
        values = observable(batch).double().cpu().numpy()
    return values if values.ndim == 1 else values.reshape(len(values), -1)


Seen = Mapping[str, tuple[Observable, np.ndarray, np.ndarray]]
"""Observables by name with what they read off reference and generated events."""


def sections(
    reference: Batch, generated: Batch, spec: DataSpec, seen: Seen, evaluation: Evaluation, losses: Mapping[str, Any]
) -> Iterator[Section]:
    """Everything but the single observables, in the order of the page."""
    if spec.layout == "layers":
        yield from _showers(reference, generated, spec, seen)
    if spec.layout == "vector" and spec.x.size == 2:
        yield _plane(reference, generated, spec)
    if spec.layout == "image":
        yield _images(reference, generated, evaluation.metrics)
    yield from _correlations(seen)
    panels = [
        Picture(player, "", vector(figures.curve_panel(curves), f"training curves of {player}"))
        for player, curves in figures.players(losses).items()
    ]
    if panels:
        yield Section(
            "Training", "What each player saw, averaged over short stretches; the pale band is its range.", panels
        )


def _showers(reference: Batch, generated: Batch, spec: DataSpec, seen: Seen) -> Iterator[Section]:
    unit, geometry = spec.x.unit or "a.u.", spec.geometry
    sides = [_responses(batch, spec) for batch in (reference, generated)]
    if sides[0] is not None and sides[1] is not None:
        yield Section(
            "Response and resolution",
            "Visible over incident energy in bins of the incident energy. Below each: generated against reference, "
            "with statistical errors of both.",
            [
                Picture("Response", "", vector(figures.response(sides[0], sides[1]), "mean response per energy bin")),
                Picture("Resolution", "", vector(figures.resolution(sides[0], sides[1]), "resolution per energy bin")),
            ],
        )
    profiles = [
        Picture(name, o.axis, _observable(o, a, b))
        for name, (o, a, b) in seen.items()
        if a.ndim == 2 and name in ACROSS
    ]
    if profiles:
        yield Section("Profiles", "Means over all events, with statistical errors.", profiles)
    x = [b.x.flatten(1).double().numpy() for b in (reference, generated)]
    means = figures.mean_showers(x[0], x[1], spec.parts, unit, geometry)
    pictures = [Picture("Average shower", "", raster(means, "average showers layer by layer"), True)]
    if sides[0] is not None and sides[1] is not None and len(reference) and len(generated):
        low, high = float(sides[0][1].min()), float(sides[0][1].max())
        asked = sorted({float(f"{low + share * (high - low):.2g}") for share in (0.1, 0.4, 0.9)})
        pairs = figures.showcase(reference, generated, spec, asked)
        words = "The events whose energy is nearest, not chosen by eye."
        pictures.append(Picture("Single showers", words, raster(pairs, "single showers side by side"), True))
    yield Section("Showers", "Cells across the beam, one colour scale per figure. Pale grey cells are empty.", pictures)


def _responses(batch: Batch, spec: DataSpec) -> tuple[np.ndarray, np.ndarray] | None:
    """Visible over incident energy, and the incident energy in GeV; `None` where there are none."""
    if "energy" not in spec.given or "energy" not in batch.given:
        return None
    try:
        visible, incident = convert(1, spec.x.unit, "GeV"), convert(1, spec.given["energy"].unit, "GeV")
    except UserError:
        return None
    energy = batch.given["energy"].reshape(len(batch), -1)[:, 0].double().numpy() * incident
    total = batch.x.flatten(1).double().sum(1).numpy() * visible
    return total / np.maximum(energy, 1e-30), energy


def _plane(reference: Batch, generated: Batch, spec: DataSpec) -> Section:
    geometry = spec.geometry or {}
    modes, sigma = geometry.get("modes"), float(geometry.get("sigma", 0.0))
    both = figures.scatter(generated.x, reference.x, modes=modes, sigma=sigma)
    alone = figures.scatter(generated.x, modes=modes, sigma=sigma)
    return Section(
        "Samples",
        "Up to 4,000 points. Circles: three standard deviations around each mode." if modes else "Up to 4,000 points.",
        [
            Picture("Generated on reference", "", raster(both, "generated points on reference points")),
            Picture("Generated alone", "", raster(alone, "generated points")),
        ],
    )


def _images(reference: Batch, generated: Batch, metrics: Mapping[str, Measurement]) -> Section:
    pictures = [
        Picture(name, "", raster(figures.image_grid(batch.x[:100]), f"{name.lower()} images"))
        for name, batch in (("Generated", generated), ("Reference", reference))
    ]
    shares = {int(k[8:]): m for k, m in metrics.items() if k.startswith("classes/") and k[8:].isdigit()}
    if shares:
        held = [shares[k] for k in sorted(shares)]
        figure = figures.bars(
            [m.floor for m in held], [m.value for m in held], "class by a classifier", [m.error for m in held]
        )
        pictures.append(Picture("Classes", "", vector(figure, "shares of classes")))
    return Section("Samples", "The first hundred, not chosen.", pictures)


def _correlations(seen: Seen) -> Iterator[Section]:
    varying = {name: (a, b) for name, (_, a, b) in seen.items() if a.ndim == 1 and len(a) and np.ptp(a) > 0}
    chosen = list(varying)[:MOST_CORRELATED]
    if len(chosen) < 2 or min(len(v) for v in varying[chosen[0]]) < 10:
        return
    real, made = (np.stack([varying[name][side] for name in chosen], 1) for side in (0, 1))
    both, apart = (f(real, made, chosen) for f in (figures.correlations, figures.correlation_difference))
    yield Section(
        "Correlations",
        f"Between {len(chosen)} observables. The first map is symmetric where reference and generated agree; in the "
        "second, structure is a defect and pale noise is not.",
        [
            Picture(
                "Coefficients", "below the diagonal: reference; above: generated", raster(both, "correlations", 150)
            ),
            Picture("Difference", "generated − reference, in standard errors", raster(apart, "their difference", 150)),
        ],
    )


def _observable(o: Observable, a: np.ndarray, b: np.ndarray) -> Markup:
    return vector(figure_of(o, a, b), f"{o.name}: reference and generated")


def figure_of(o: Observable, a: np.ndarray, b: np.ndarray) -> Figure:
    """A histogram of single numbers, a profile of several."""
    label = f"{o.axis} / {o.unit}" if o.unit and o.unit not in o.axis.split() else o.axis
    if a.ndim == 1:
        return figures.histogram(a, b, label)
    mean = np.abs(a.mean(0)) if len(a) else np.zeros(a.shape[1])
    decades = bool((mean > 0).any()) and mean.max() > 30 * mean[mean > 0].min() and bool((a >= 0).all())
    edges: Sequence[float] = getattr(o, "edges", ())
    return figures.profile(
        a,
        b,
        f"mean / {o.unit}" if o.unit else "mean",
        log=decades,
        edges=edges,
        across=ACROSS.get(o.name, "number of the entry"),
    )


def observables(seen: Seen, metrics: Mapping[str, Measurement]) -> list[Picture]:
    """Every observable with its picture and its separation power, the least faithful first."""
    out, spent = [], 0
    for name, (o, a, b) in sorted(seen.items(), key=lambda item: -_worst(item[0], metrics)):
        m = metrics.get(f"separation/{name}")
        figure = figure_of(o, a, b)
        markup = vector(figure, f"{name}: reference and generated")
        if spent + len(markup) > BUDGET:
            markup = raster(figure, f"{name}: reference and generated", 72)
        spent += len(markup)
        words = note(m) if m else _entries(name, metrics)
        out.append(Picture(name, f"{o.axis}; {words}".rstrip("; ") if a.ndim == 2 else words, markup))
    return out


def _parts_of(name: str, metrics: Mapping[str, Measurement]) -> list[Measurement]:
    return [m for k, m in metrics.items() if k.startswith(f"separation/{name}/")]


def _worst(name: str, metrics: Mapping[str, Measurement]) -> float:
    own = metrics.get(f"separation/{name}")
    return excess(own) if own else max((excess(m) for m in _parts_of(name, metrics)), default=-1.0)


def _entries(name: str, metrics: Mapping[str, Measurement]) -> str:
    found = _parts_of(name, metrics)
    return f"largest {note(max(found, key=excess))} of {len(found)} entries" if found else ""
