"""Figures as files that stand alone."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

from simulacra.figures.style import styled

NO_DATE = {".png": {"Software": None}, ".svg": {"Date": None, "Creator": None}, ".pdf": {"CreationDate": None}}
"""What a file would otherwise tell of the hour and the program; by suffix, the suffixes there are."""


def encoded(figure: Figure, suffix: str, dpi: int = 200) -> bytes:
    """The bytes of a .png, .svg or .pdf file: the same for the same figure.

    >>> encoded(Figure(), ".svg")[:5]
    b'<?xml'
    """
    box = io.BytesIO()
    with styled():
        figure.savefig(box, format=suffix.removeprefix("."), dpi=dpi, metadata=NO_DATE[suffix])
    return box.getvalue()
