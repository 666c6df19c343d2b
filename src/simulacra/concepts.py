"""The index of concepts: a textbook's word, where it lives here, which recipes use it, where it is from."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

PLACES = (Path(__file__).with_name("concepts.md"), Path(__file__).parents[2] / "docs" / "concepts.md")
"""In an installed package, and in a checkout."""


class Concept(NamedTuple):
    """One row of the index; `symbol` is dotted, `recipes` are names, `paper` may be empty."""

    word: str
    symbol: str
    recipes: tuple[str, ...]
    paper: str

    def load(self) -> Any:
        """The class or function that the symbol names."""
        module, _, name = self.symbol.rpartition(".")
        return getattr(importlib.import_module(module), name)


def concepts() -> list[Concept]:
    """All rows of `docs/concepts.md`, in its order.

    >>> concepts()[0].word
    'generative adversarial network'
    """
    return list(_rows(next(place for place in PLACES if place.exists()).read_text(encoding="utf-8")))


def _rows(text: str) -> Iterator[Concept]:
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 4 and cells[1].startswith("`"):
            recipes = tuple(name.strip() for name in cells[2].split(",") if name.strip())
            yield Concept(cells[0], cells[1].strip("`"), recipes, cells[3])
