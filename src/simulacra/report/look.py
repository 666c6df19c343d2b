"""A page of pictures, each under its name and a few words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from simulacra import __version__
from simulacra.report.render import render
from simulacra.report.sections import Picture, raster


class View(NamedTuple):
    """One picture of a page: its name, what is seen, and the figure."""

    name: str
    words: str
    figure: Figure


def page(title: str, views: Sequence[View]) -> str:
    """One self-contained page.

    >>> "<h2>a line</h2>" in page("lines", [View("a line", "is straight", Figure((1, 1)))])
    True
    """
    pictures = [Picture(view.name, view.words, raster(view.figure, view.words), True) for view in views]
    return render("look.html", title=title, version=__version__, pictures=pictures)
