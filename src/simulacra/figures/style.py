"""One style for every picture: legible in print, safe for colour-blind readers."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

REAL, MADE, OTHER = "#404040", "#0072B2", "#D55E00"
"""Colours of reference events, generated events, and a third thing (after Okabe and Ito 2008)."""

RULES: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.7,
    "axes.grid": False,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.2,
    "xtick.direction": "out",
    "ytick.direction": "out",
    "svg.fonttype": "none",
    "svg.hashsalt": "simulacra",
    "image.cmap": "viridis",
}


@contextmanager
def styled() -> Iterator[None]:
    """Draws in the house style, whatever the user's own settings are."""
    with mpl.rc_context(RULES):
        yield


def new(width: float = 3.4, height: float = 2.6) -> Figure:
    """An empty figure, in inches, outside pyplot's global state."""
    return Figure(figsize=(width, height), layout="constrained")


def svg(figure: Figure) -> str:
    """The figure as an SVG element, the same bytes for the same figure."""
    box = io.StringIO()
    with styled():
        figure.savefig(box, format="svg", metadata={"Date": None, "Creator": None})
    text = box.getvalue()
    return text[text.index("<svg") :]


def png(figure: Figure, dpi: int = 130) -> bytes:
    """The figure as PNG bytes."""
    box = io.BytesIO()
    with styled():
        figure.savefig(box, format="png", dpi=dpi)
    return box.getvalue()


def data_uri(figure: Figure, dpi: int = 130) -> str:
    """The figure as a PNG inside an address, for pages that must stand alone."""
    return "data:image/png;base64," + base64.b64encode(png(figure, dpi)).decode()
