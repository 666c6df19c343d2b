"""`simulacra data`: what a data set is, and how it is dealt into parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from simulacra.cli.words import plain


def data(
    name: Annotated[
        str, typer.Argument(help="A name such as fashion-mnist, shapes, faces, toys:grid25, electrons, or a path.")
    ],
    fetch: Annotated[bool, typer.Option(help="Download it from its canonical address where it is missing.")] = False,
    repack: Annotated[Path | None, typer.Option(help="Write showers again, checksummed and compressed, here.")] = None,
    detector: Annotated[str | None, typer.Option(help="Geometry of a shower file: a name or an XML file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Describes a data set: shape, conditions, units, fingerprint, and the training, validation and test parts."""
    from simulacra.domains import open_data
    from simulacra.domains.dataset import parts_of

    options: dict[str, Any] = {"fetch": True} if fetch else {}
    if detector is not None:
        options["detector"] = detector
    dataset = open_data(name, **options)
    spec = dataset.spec
    if repack is not None:
        from simulacra.domains import calorimeter
        from simulacra.errors import UserError

        if spec.layout != "layers":
            raise UserError(f"expected showers to repack, came {spec.layout} data; leave --repack out")
        calorimeter.save(
            repack, dataset[slice(None)], calorimeter.Geometry.from_json(spec.geometry or {}), given=spec.given
        )
    parts = {part: len(rows) for part, rows in parts_of(dataset).items()}
    if as_json:
        print(json.dumps({**spec.to_json(), "events": len(dataset), "parts_rows": parts}))
        return
    unit = f" {spec.x.unit}" if spec.x.unit else ""
    print(f"{plain(spec.name)}: {len(dataset):,} events, {spec.layout} of shape {spec.x.shape}{unit}")
    for part, shape in spec.parts.items():
        print(f"  {part}: {' x '.join(map(str, shape))}")
    for given, field in spec.given.items():
        span = "" if field.range is None else f" from {field.range[0]:g} to {field.range[1]:g} {field.unit}"
        levels = f" of {field.levels} levels" if field.levels else ""
        levels += f": {plain(', '.join(field.names))}" if field.names else ""
        print(f"  given {plain(given)}: {field.kind}{levels}{span}")
    for known, (low, high) in (spec.geometry or {}).get("factors", {}).items():
        if known not in spec.given:
            print(f"  known {known}: real from {low:g} to {high:g}, not told to models")
    print("  parts: " + ", ".join(f"{part} {count:,}" for part, count in parts.items()))
    print(f"  fingerprint: {spec.fingerprint}")
