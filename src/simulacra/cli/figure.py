"""`simulacra figure`: the pictures that the software draws by itself."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Annotated

import typer

from simulacra.cli.words import plain

INDENT = 29
"""Columns of a picture's name in the list."""


def figure(
    name: Annotated[str | None, typer.Argument(help="Of the picture; without one, all are listed.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write: .png, .svg or .pdf; by default NAME.png.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of everything random.")] = 0,
    run: Annotated[Path | None, typer.Option(help="A run folder to show, in pictures of showers.")] = None,
) -> None:
    """Draws a picture from the lectures, with what it needs trained on the way; without a name, lists them all."""
    from simulacra import gallery
    from simulacra.errors import UserError, nearest

    known = gallery.table()
    if name is None:
        for each, (sentence, where) in known.items():
            lines = textwrap.wrap(f"{sentence} [{where}]", 80 - INDENT)
            print(f"  {each:<{INDENT - 2}}{lines[0]}", *(" " * INDENT + line for line in lines[1:]), sep="\n")
        return
    if name not in known:
        raise UserError(f"expected the name of a picture, came {name!r}; {nearest(name, known)}; see simulacra figure")
    from simulacra.figures.files import NO_DATE, encoded

    path = out or Path(f"{name}.png")
    if path.suffix not in NO_DATE:
        raise UserError(
            f"expected --out ending in .png, .svg or .pdf, came {path.name!r}; {nearest(path.suffix, NO_DATE)}"
        )
    if path.is_dir():
        raise UserError(f"expected a file to write, {path} is a folder; name a file in it")
    drawn = encoded(gallery.draw(name, seed, run), path.suffix)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        from simulacra.io.publish import write_atomic

        write_atomic(path, drawn)
    except OSError as error:
        raise UserError(f"expected to write {path}, came {error.strerror or error}; choose another place") from None
    print(f"wrote {plain(path)}")
