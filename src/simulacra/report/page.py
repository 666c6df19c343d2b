"""The report: a verdict first, then every number with its error, then every picture. One file, opens offline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from simulacra import __version__, figures
from simulacra.batch import Batch, DataSpec
from simulacra.evaluation import Evaluation, Measurement
from simulacra.io.publish import write_atomic
from simulacra.protocols import Observable
from simulacra.units import convert

LEADING = (
    ("Response", ("response/bias", "resolution/ratio")),
    ("Classifiers", ("auc/",)),
    ("Memorisation", ("memorisation/",)),
    ("Modes", ("modes/",)),
    ("Images", ("fid", "classes/")),
)
NOTES = {
    "Response": "Mean and spread of visible over incident energy: relative bias, and spread of generated over real.",
    "Classifiers": "Area under the curve of classifiers that try to tell generated from real events at the same "
    "conditions. The floor is what they reach between two sets of real events.",
    "Memorisation": "Distance to the nearest training event, generated over held-out. Copies: generated events twice "
    "as near to a training event as to a held-out one; the floor counts held-out ones likewise.",
    "Modes": "A mode counts where it holds more than 0.4 % of the samples within three standard deviations.",
    "Images": "FID is the squared Fréchet distance between features of a classifier trained on the training part.",
}


def write_report(
    path: Path,
    *,
    title: str,
    config: Mapping[str, Any] | None,
    evaluation: Evaluation,
    verdict: Sequence[str],
    reference: Batch,
    generated: Batch,
    spec: DataSpec,
    observables: Sequence[Observable],
    losses: Mapping[str, Sequence[tuple[int, float]]],
    speed: Mapping[str, float],
) -> None:
    """Writes the page in one step.

    Args:
        config: what was run: recipe, arguments, seed, versions.
        verdict: sentences, first things first.
        reference: real events [N, *event], physical; `generated` at the same conditions.
        losses: quantity -> (round, value) pairs.
        speed: name -> number, milliseconds per event and the ratio to the simulator.
    """
    environment = Environment(
        loader=PackageLoader("simulacra.report", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    overview = list(_overview(evaluation, reference, generated, spec))
    if losses:
        overview.append(("What the players saw", _svg(figures.training(losses))))
    page = environment.get_template("template.html").render(
        title=title,
        version=__version__,
        verdict=verdict,
        evaluation=evaluation,
        speed=[(name, f"{value:,.3g}") for name, value in speed.items()],
        tables=list(_tables(evaluation.metrics)),
        overview=overview,
        observables=list(_observables(evaluation, reference, generated, observables)),
        config=_flat(config or {}),
    )
    write_atomic(Path(path), page.encode())


def _svg(figure: Any) -> Markup:
    return Markup(figures.svg(figure))  # made by our own figures; their words were escaped by the SVG writer


def _tables(metrics: Mapping[str, Measurement]) -> Iterator[tuple[str, str, list[tuple[str, ...]]]]:
    for title, prefixes in LEADING:
        rows = [
            (name, *str(m).removesuffix(")").split(" (floor "), f"{m.n:,}")
            for name, m in metrics.items()
            if name.startswith(prefixes)
        ]
        if rows:
            yield title, NOTES[title], rows


def _overview(
    evaluation: Evaluation, reference: Batch, generated: Batch, spec: DataSpec
) -> Iterator[tuple[str, Markup]]:
    if spec.layout == "layers" and "energy" in spec.given:
        gev = [
            batch.given["energy"][:, 0] * convert(1, spec.given["energy"].unit, "GeV")
            for batch in (reference, generated)
        ]
        total = [batch.x.sum(1) / batch.given["energy"][:, 0] for batch in (reference, generated)]
        yield "Response and resolution", _svg(figures.response((total[0], gev[0]), (total[1], gev[1])))
        middle = int((gev[0] - gev[0].median()).abs().argmin())
        rows = {
            "real, mean": reference.x.mean(0),
            "made, mean": generated.x.mean(0),
            f"real, {gev[0][middle]:.0f} GeV": reference.x[middle],
            f"made, {gev[1][middle]:.0f} GeV": generated.x[middle],
        }
        yield "Showers, layer by layer", _picture(figures.layers(rows, spec.parts, spec.x.unit), "showers by layer")
    if spec.layout == "vector" and spec.x.size == 2:
        yield "Points", _picture(figures.scatter(generated.x, reference.x), "points of the plane")
    if spec.layout == "image":
        yield "Generated", _picture(figures.image_grid(generated.x[:100]), "generated images")
        yield "Real", _picture(figures.image_grid(reference.x[:100]), "real images")
        shares = {
            name: m for name, m in evaluation.metrics.items() if name.startswith("classes/") and name[8:].isdigit()
        }
        if shares:
            real = [m.floor for m in shares.values()]
            yield (
                "Classes",
                _svg(figures.bars(real, [m.value for m in shares.values()], "class by a held-out classifier")),
            )


def _picture(figure: Any, words: str) -> Markup:
    return Markup('<img alt="{}" src="{}">').format(words, figures.data_uri(figure))


def _observables(
    evaluation: Evaluation, reference: Batch, generated: Batch, observables: Sequence[Observable]
) -> Iterator[tuple[str, str, Markup]]:
    """Every observable with its picture, the least faithful first."""

    def excess(o: Observable) -> float:
        m = evaluation.metrics.get(f"separation/{o.name}")
        return -(m.value - m.floor) if m else 0.0

    for o in sorted(observables, key=excess):
        with torch.no_grad():
            a, b = o(reference).double().numpy(), o(generated).double().numpy()
        label = f"{o.axis} / {o.unit}" if o.unit and f"/ {o.unit}" not in o.axis else o.axis
        m = evaluation.metrics.get(f"separation/{o.name}")
        words = f"separation {m.value:.4f} ± {m.error:.4f} (floor {m.floor:.4f})" if m else ""
        if a.ndim == 1:
            yield o.name, words, _svg(figures.histogram(a, b, label))
        else:
            positive = bool((a.mean(0) > 0).all())
            yield (
                o.name,
                words,
                _svg(figures.profile(a, b, label, log=positive and a.mean(0).max() > 100 * a.mean(0).min())),
            )


def _flat(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in config.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{name}.")
        elif value is not None:
            rows.append((f"{prefix}{name}", str(value)))
    return rows
