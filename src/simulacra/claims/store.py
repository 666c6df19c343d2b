"""Results on disk, one folder per claim and seed, valid as long as the code that made them stands."""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from simulacra.claims.claim import Claim, Result
from simulacra.io.publish import Damaged, canonical, discard, publishing, verify


def key(experiment: Callable[[int], Result]) -> str:
    """A hash of the code of which an experiment is made.

    Counted are its definition and, of claims modules, the definitions that it names, and those that they name; of the
    rest of the package the whole modules that define what is named. Comments, docstrings and layout, the words and
    bounds of claims, and the drawing of figures are left out: to change them is not to change a result.
    """
    function: Any = experiment
    found = _Code()
    found.follow(sys.modules[function.__module__], function.__name__)
    return hashlib.sha256(canonical(sorted(found.parts))).hexdigest()[:12]


class _Code:
    """Parts of the package's code, (module, name, tree): definitions of claims modules and other modules whole."""

    def __init__(self) -> None:
        self.parts: set[tuple[str, str, str]] = set()
        self.seen: set[tuple[str, str]] = set()

    def follow(self, module: ModuleType, name: str) -> None:
        """Adds what `name` stands for in a claims module, and all that it names."""
        if (module.__name__, name) in self.seen:
            return
        self.seen.add((module.__name__, name))
        held = _pieces(module)
        for piece in [*held.get(name, []), *held[""]]:
            if isinstance(piece.node, ast.ImportFrom | ast.Import):
                self._imported(piece.node, name)
                continue
            self.parts.add((module.__name__, name, piece.text))
            for word in piece.words:
                self.follow(module, word)

    def _imported(self, node: ast.ImportFrom | ast.Import, name: str) -> None:
        alias = next(a for a in node.names if (a.asname or a.name.split(".")[0]) == name)
        place = (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        if place.split(".")[0] != "simulacra" or place.startswith(("simulacra.figures", "simulacra.claims.claim")):
            return
        home = importlib.import_module(place)
        thing = home
        if isinstance(node, ast.ImportFrom):
            there = hasattr(home, alias.name)
            thing = getattr(home, alias.name) if there else importlib.import_module(f"{place}.{alias.name}")
        owner = thing if isinstance(thing, ModuleType) else inspect.getmodule(thing) or home
        if not owner.__name__.startswith("simulacra."):
            owner = home
        if not owner.__name__.startswith("simulacra.claims."):
            pieces = [p for held in _pieces(owner).values() for p in held]
            self.parts |= {(owner.__name__, "", p.text) for p in pieces}
        elif owner is thing:
            for word in _pieces(owner):
                self.follow(owner, word)
        else:
            self.follow(home, alias.name)


class _Piece(NamedTuple):
    """A statement of a module, its tree in words, and the names in it."""

    node: ast.stmt
    text: str
    words: set[str]


def _pieces(module: ModuleType) -> dict[str, list[_Piece]]:
    """The statements of a module by the names that they give a meaning to; the others under no name."""
    path = Path(str(module.__file__))
    return _parsed(path, path.stat().st_mtime_ns)


@cache
def _parsed(path: Path, changed: int) -> dict[str, list[_Piece]]:
    held: dict[str, list[_Piece]] = {"": []}
    for node in _Bare().visit(ast.parse(path.read_text())).body:
        words = {word.id for word in ast.walk(node) if isinstance(word, ast.Name)}
        piece = _Piece(node, ast.dump(node), words)
        for name in _named(node) or [""]:
            held.setdefault(name, []).append(piece)
    return held


def _named(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [a.asname or a.name.split(".")[0] for a in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [word.id for target in targets if target for word in ast.walk(target) if isinstance(word, ast.Name)]


class _Bare(ast.NodeTransformer):
    """Takes docstrings away."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else node


def _place(out: Path, claim: Claim, seed: int) -> Path:
    return out / claim.name / f"{key(claim.experiment)}-{seed}"


def load(out: Path, claim: Claim, seed: int) -> Result | None:
    """The stored result, or `None` where there is none of today's code, or it is damaged."""
    folder = _place(out, claim, seed)
    try:
        verify(folder)
        held = json.loads((folder / "result.json").read_bytes())
        with np.load(folder / "arrays.npz", allow_pickle=False) as file:
            return Result(held["values"], held["control"], dict(file))
    except (Damaged, OSError):
        return None


def save(out: Path, claim: Claim, seed: int, result: Result, seconds: float = 0.0) -> None:
    """Publishes a result whole, in place of those that older code gave for this seed."""
    folder = _place(out, claim, seed)
    for stale in folder.parent.glob(f"*-{seed}"):
        discard(stale)
    numbers = {k: {q: float(v) for q, v in getattr(result, k).items()} for k in ("values", "control")}
    with publishing(folder) as temporary:
        (temporary / "result.json").write_bytes(canonical({**numbers, "seconds": round(seconds, 3)}))
        np.savez(temporary / "arrays.npz", **{k: np.asarray(v) for k, v in result.arrays.items()})  # pyright: ignore[reportArgumentType]


def stored(out: Path, claim: Claim) -> Sequence[Result] | None:
    """The results of all seeds, or `None` where one is missing."""
    results = [load(out, claim, seed) for seed in range(claim.seeds)]
    return None if None in results else [r for r in results if r is not None]


def run(out: Path, claim: Claim, told: Callable[[str, int, float], None] | None = None) -> Sequence[Result]:
    """The results of all seeds; those that are missing are made and stored, and `told` (name, seed, seconds) each."""
    results = []
    for seed in range(claim.seeds):
        result = load(out, claim, seed)
        if result is None:
            start = time.perf_counter()
            result = claim.experiment(seed)
            seconds = time.perf_counter() - start
            save(out, claim, seed, result, seconds)
            if told is not None:
                told(claim.name, seed, seconds)
        results.append(result)
    return results
