"""Calorimeters described by the CaloChallenge's binning files (XML)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from simulacra.domains.calorimeter.geometry import Geometry
from simulacra.domains.calorimeter.layer import Layer, polar
from simulacra.errors import UserError, nearest

LIMIT = 1 << 20
"""Bytes of the largest binning file that is read."""

MOST = 10_000_000
"""Cells of the largest calorimeter that is built."""


def read_xml(path: str | Path, particle: str | None = None) -> Geometry:
    """The geometry in a binning file: `<Bins><Bin name="photon"><Layer id="0" r_edges="0,5" n_bin_alpha="1"/>...`.

    Sectors are equal and begin at -pi; a layer with one radial edge has no cells and is left out. No mirror is claimed:
    the file does not say whether the beam is symmetric (`dataclasses.replace(geometry, mirrors=("y",))` claims one).

    Args:
        path: of the file.
        particle: which `<Bin>` by its name; the only one where it is None.

    Raises:
        UserError: the file is missing, is not XML, holds entities, or does not describe a calorimeter.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > LIMIT:
            raise UserError(f"expected a binning file of at most {LIMIT:,} bytes, {path} has {size:,}; choose another")
        root = fromstring(path.read_bytes(), forbid_dtd=True)
    except OSError as error:
        raise UserError(f"expected a binning file, {path} cannot be read ({error.strerror}); check the path") from error
    except DefusedXmlException as error:
        raise UserError(
            f"expected plain XML without document types or entities, {path} has them; remove them"
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"expected XML such as <Bins>, {path} is not well formed ({error}); check the file") from error
    bins = {str(one.get("name", "")): one for one in root.iter("Bin")}
    if not bins:
        raise UserError(f"expected a <Bin> with layers, {path} has none; see the CaloChallenge's binning files")
    if particle is None and len(bins) > 1:
        raise UserError(f"expected one <Bin>, {path} has {', '.join(bins)}; say which particle")
    if particle is not None and particle not in bins:
        raise UserError(f"expected the particle {particle!r} in {path}; {nearest(particle, bins)}")
    chosen = bins[particle] if particle is not None else next(iter(bins.values()))
    layers = tuple(layer for one in chosen.iter("Layer") if (layer := _layer(one, path)) is not None)
    if not layers:
        raise UserError(f"expected layers with cells, {path} has none; give r_edges and n_bin_alpha")
    if sum(layer.size for layer in layers) > MOST:
        raise UserError(f"expected at most {MOST:,} cells, {path} describes more; check n_bin_alpha")
    return Geometry(path.stem, layers)


def _layer(element: Any, path: Path) -> Layer | None:
    """One `<Layer>`; None where it has no cells."""
    name = f"layer{element.get('id', '?')}"
    try:
        edges = tuple(float(word) for word in element.get("r_edges", "").split(","))
        angles = int(element.get("n_bin_alpha", ""))
    except ValueError as error:
        raise UserError(
            f"expected r_edges as numbers and n_bin_alpha as a count, {name} of {path} has others; check it"
        ) from error
    if not all(math.isfinite(e) for e in edges) or not 1 <= angles <= MOST // max(len(edges), 1):
        raise UserError(f"expected finite r_edges and a sensible n_bin_alpha, {name} of {path} has others; check it")
    return polar(name, edges, angles) if len(edges) > 1 else None
