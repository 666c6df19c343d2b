"""Imports point one way, and files are short."""

from __future__ import annotations

import ast
from pathlib import Path

import simulacra

ROOT = Path(simulacra.__file__).parent
NOUNS = {"batch", "protocols", "random", "units", "errors", "named", "concepts"}
FAMILIES = {"gan", "flows", "diffusion", "autoregressive", "autoencoders", "classical", "markov"}
MAY = {
    **dict.fromkeys(NOUNS, NOUNS),
    "io": NOUNS | {"io"},
    "networks": NOUNS | {"networks"},
    "distributions": NOUNS | {"networks", "distributions"},
    **{family: NOUNS | FAMILIES | {"networks", "distributions", "training"} for family in FAMILIES},
    "training": NOUNS | {"io", "training", "__version__"},
    "domains": NOUNS | {"io", "domains"},
    "evaluation": NOUNS | {"io", "networks", "training", "evaluation"},
    "figures": NOUNS | {"figures"},
    "recipes": NOUNS | FAMILIES | {"networks", "distributions", "domains", "training", "recipes"},
    "testing": NOUNS | {"io", "training"},
    "surrogate": NOUNS | {"recipes", "training", "domains"},
    "workflow": NOUNS | {"recipes", "training", "domains", "io", "surrogate"},
    "claims": {path.name.removesuffix(".py") for path in ROOT.iterdir()} - {"cli", "gallery"},
    "gallery": {path.name.removesuffix(".py") for path in ROOT.iterdir()} - {"cli"},
    "report": NOUNS | {"io", "evaluation", "figures", "report", "__version__"},
}


def imports(path: Path) -> set[str]:
    """The rooms of the package that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "simulacra":
            words = node.module.split(".")[1:]
            found |= {words[0]} if words else {alias.name for alias in node.names}
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("simulacra.")}
    return found


def test_every_import_points_along_the_arrows():
    wrong = []
    for path in ROOT.rglob("*.py"):
        room = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if room in MAY:
            wrong += [f"{path.relative_to(ROOT)} -> {other}" for other in sorted(imports(path) - MAY[room])]
    assert not wrong, wrong


def test_every_room_has_its_rule():
    rooms = {p.name.removesuffix(".py") for p in ROOT.iterdir() if not p.name.startswith(("__", "py.typed"))}
    assert rooms - set(MAY) == {"cli"}


def test_files_are_readable_in_one_sitting():
    house = Path(__file__).parents[1]
    files = [path for room in (ROOT, house / "tests", house / "benchmarks") for path in room.rglob("*.py")]
    assert Path(__file__) in files
    long = {path.name: n for path in files if (n := len(path.read_text().splitlines())) > 300}
    assert not long, long
