"""The pictures that the software draws by itself, one function each: it computes the arrays, `figures` draws them.

A picture is a public function of a module here that gives a `Figure`; its name with dashes is the picture's name, its
docstring's first sentence says what is seen, and the docstring's line `Lectures:` where it was shown. It takes a
`seed`, from which everything follows, and, where it can show a run of the user's, a `run` folder.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path
from typing import TYPE_CHECKING

from simulacra.errors import UserError, nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw", "table"]


def table() -> dict[str, tuple[str, str]]:
    """Name -> what is seen, and the lectures' lines, of every picture, read without importing any.

    >>> table()["five-states"][1]
    'D:436-443'
    """
    return {name: row[1:] for name, row in _pictures().items()}


def _pictures() -> dict[str, tuple[str, str, str]]:
    """Name -> module, sentence, lecture lines."""
    out = {}
    for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            if isinstance(node.returns, ast.Name) and node.returns.id == "Figure":
                words = (ast.get_docstring(node) or "").split("\n\n")
                where = next((w.partition(":")[2].strip() for w in words if w.startswith("Lectures:")), "")
                out[node.name.replace("_", "-")] = (path.stem, " ".join(words[0].split()), where)
    return out


def draw(name: str, seed: int = 0, run: str | Path | None = None) -> Figure:
    """The picture of this name; the same for the same seed.

    Args:
        seed: of everything random.
        run: a run folder whose model is shown in place of one trained for the picture, where the picture has one.

    Raises:
        UserError: there is no such picture, it shows no run, or its data are not installed.
    """
    known = _pictures()
    if name not in known:
        raise UserError(f"expected the name of a picture, came {name!r}; {nearest(name, known)}")
    function = getattr(importlib.import_module(f"simulacra.gallery.{known[name][0]}"), name.replace("-", "_"))
    if run is None:
        return function(seed)
    if "run" not in inspect.signature(function).parameters:
        raise UserError(f"expected no run for {name}, came {run}; it trains what it shows, leave --run out")
    return function(seed, run)
