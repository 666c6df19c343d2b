"""One style for every picture: legible in print and on a phone, safe for colour-blind readers."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend

REAL, MADE, OTHER = "#404040", "#0072B2", "#D55E00"
"""Colours of reference events, generated events, and a third thing (after Okabe and Ito 2008)."""
PALETTE = (MADE, OTHER, "#009E73", "#CC79A7", REAL, "#E69F00", "#56B4E9")
"""Colours of curves, in their order."""
PANEL = 3.4, 2.9
"""Width and height in inches of a panel: as wide as a phone's screen, two on a page of paper, three on a desk."""

RULES: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.linewidth": 0.7,
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.formatter.limits": (-4, 5),
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.handlelength": 1.4,
    "lines.linewidth": 1.2,
    "lines.markersize": 3,
    "xtick.direction": "out",
    "ytick.direction": "out",
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "simulacra",
    "image.cmap": "viridis",
}


@contextmanager
def styled() -> Iterator[None]:
    """Draws in the house style, whatever the user's own settings are; they come back afterwards."""
    with mpl.rc_context(RULES):
        yield


def new(width: float = PANEL[0], height: float = PANEL[1]) -> Figure:
    """An empty figure, in inches, outside pyplot's global state, whose parts find room for themselves."""
    return Figure(figsize=(width, height), layout="constrained")


def stacked(lower: float = 1.0) -> tuple[Figure, Axes, Axes]:
    """A panel of two axes above one another, 3 : `lower`, at the same place in every figure, so that panels align."""
    figure = Figure(figsize=PANEL)
    top, low = figure.subplots(2, 1, sharex=True, height_ratios=[3, lower])
    figure.subplots_adjust(0.2, 0.145, 0.98, 0.965, hspace=0.09)
    for axis in (top, low):
        axis.yaxis.set_label_coords(-0.2, 0.5)
    return figure, top, low


def thin(legend: Legend | None) -> None:
    """Makes the names in a legend as quiet as the axes' numbers."""
    for text in legend.get_texts() if legend else []:
        text.set_color(REAL)


def short(text: str, most: int = 50) -> str:
    """A label that fits under a panel: its end is cut where it is longer, and a dollar is a dollar, not mathematics.

    >>> short("share of the energy", 10)
    'share of…'
    """
    cut = text if len(text) <= most else text[: most - 1].rstrip() + "…"
    return cut.replace("\\", "/").replace("$", r"\$")


_METADATA = re.compile(r"<metadata>.*?</metadata>", re.S)
_ID = re.compile(r' id="([^"]*)"')
_TAG = re.compile(r"<[^>]*>")  # numbers in tags are coordinates, between them they are what readers read
_NUMBER = re.compile(r"(\d+\.\d{2})\d+")
_NAMESPACE = re.compile(r' xmlns(?::xlink)?="[^"]*"')


def svg(figure: Figure, words: str = "") -> str:
    """The figure as an SVG element for an HTML page, the same bytes for the same figure.

    Coordinates keep two decimals (a hundredth of a point), and what nobody refers to is left out.

    Args:
        words: what the picture shows, for those who hear the page; escaped.
    """
    from markupsafe import escape

    box = io.StringIO()
    with styled():
        figure.savefig(box, format="svg", metadata={"Date": None, "Creator": None})
    text = box.getvalue()
    text = _METADATA.sub("", text[text.index("<svg") :])
    used = set(re.findall(r"#([A-Za-z_][\w.-]*)", text))
    text = _ID.sub(lambda found: found[0] if found[1] in used else "", text)
    text = _NAMESPACE.sub("", _TAG.sub(lambda found: _NUMBER.sub(r"\1", found[0]), text)).replace(
        "'DejaVu Sans'", "system-ui, 'DejaVu Sans'"
    )
    text = re.sub(r"\n\s*", "\n", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(words)}"', 1) if words else text


def png(figure: Figure, dpi: int = 130, about: Mapping[str, Any] | None = None) -> bytes:
    """The figure as PNG bytes; what it is `about` stands in the file's comment, as JSON."""
    box = io.BytesIO()
    with styled():
        words = {} if about is None else {"Comment": json.dumps(dict(about))}
        figure.savefig(box, format="png", dpi=dpi, metadata=words)
    return box.getvalue()


def data_uri(figure: Figure, dpi: int = 130) -> str:
    """The figure as a PNG inside an address, for pages that must stand alone."""
    return "data:image/png;base64," + base64.b64encode(png(figure, dpi)).decode()
