"""Results on disk, one folder per claim and seed, valid as long as the code that made them stands."""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import json
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np

from simulacra.claims.claim import Claim, Result
from simulacra.io.publish import Damaged, canonical, discard, publishing, verify

WORDS = {"statement", "lecture", "paper", "bounds", "control", "budget", "figure", "seeds", "fast", "note"}
"""What may change in a claim without changing its results."""


@cache
def key(module_name: str) -> str:
    """A hash of the code of a claims module and of the modules that it imports from the package.

    Names imported from a package count with the module that defines them; of other claims modules count their imports
    as well. Comments, docstrings and layout, the words
    and bounds of a claim, and the drawing of figures are left out: to change them is not to change a result.
    """
    used: dict[str, ModuleType] = {}
    waiting = [importlib.import_module(module_name)]
    while waiting:
        module = waiting.pop()
        used[module.__name__] = module
        for other in _imports(module):
            if other.__name__.startswith("simulacra.claims.") and other.__name__ not in used:
                waiting.append(other)
            used[other.__name__] = other
    parts = [(name, ast.dump(_Bare().visit(_tree(used[name])))) for name in sorted(used)]
    return hashlib.sha256(canonical(parts)).hexdigest()[:12]


def _imports(module: ModuleType) -> Iterator[ModuleType]:
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ImportFrom):
            names, things = [node.module or ""], [alias.name for alias in node.names]
        else:
            names, things = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [], []
        for name in names:
            if name.split(".")[0] == "simulacra" and not name.startswith(
                ("simulacra.figures", "simulacra.claims.claim")
            ):
                home = importlib.import_module(name)
                yield home
                for word in things:
                    there = hasattr(home, word)
                    thing = getattr(home, word) if there else importlib.import_module(f"{name}.{word}")
                    owner = thing if isinstance(thing, ModuleType) else inspect.getmodule(thing)
                    if owner is not None and owner.__name__.startswith("simulacra."):
                        yield owner


class _Bare(ast.NodeTransformer):
    """Takes away what changes no result."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id == "Claim":
            node.keywords = [word for word in node.keywords if word.arg not in WORDS]
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else node  # docstrings


def _tree(module: ModuleType) -> ast.Module:
    return ast.parse(Path(str(module.__file__)).read_text())


def _place(out: Path, claim: Claim, seed: int) -> Path:
    experiment = getattr(claim.experiment, "func", claim.experiment)  # what functools.partial wraps
    return out / claim.name / f"{key(experiment.__module__)}-{seed}"


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
