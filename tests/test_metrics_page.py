"""`docs/metrics.md` names every metric there is, and the tests that it names exist."""

import ast
import inspect
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest
import torch

import simulacra.evaluation
from simulacra.batch import Batch, DataSpec, Field
from simulacra.evaluation.judge import evaluate

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
DEFINED = PAGE.split("\n## 2.")[0]
STANDS_FOR = {
    "NAME": r"[^/]+(/\d+)?",
    "LOW-HIGHUNIT": r"[-+.\de]+-[-+.\de]+[A-Za-z]*",
    "GROUP": r"[a-z]+",
    "LEVEL": r"[.\d]+",
    "K": r"\d+",
}


def patterns() -> list[re.Pattern[str]]:
    """The names of the first table."""
    first = DEFINED.split("| function |")[0]
    names = re.findall(r"^\| `([^`]+)` \|", first, re.MULTILINE)
    assert len(names) > 30
    return [re.compile(re.sub("|".join(STANDS_FOR), lambda m: STANDS_FOR[m[0]], name)) for name in names]


def unknown(metrics: list[str]) -> list[str]:
    known = patterns()
    return [name for name in metrics if not any(pattern.fullmatch(name) for pattern in known)]


@dataclass(frozen=True)
class Shares:
    name: str = "share"
    unit: str = ""
    axis: str = "share"

    def __call__(self, batch: Batch) -> torch.Tensor:
        flat = batch.x.flatten(1)
        return flat[:, :2] / flat.sum(1, keepdim=True)


def showers(n: int, seed: int) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    energy = 1e3 + 2e4 * torch.rand(n, 1, generator=draw)
    return Batch(energy * (torch.rand(n, 16, generator=draw) + 0.1 * seed), {"energy": energy})


def points(n: int, seed: int) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    centre = torch.randint(2, (n, 1), generator=draw) * torch.tensor([[4.0, 0.0]])
    return Batch(centre + 0.1 * torch.randn(n, 2, generator=draw))


def pictures(n: int, seed: int) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    label = torch.randint(2, (n,), generator=draw)
    return Batch((torch.rand(n, 1, 8, 8, generator=draw) + label[:, None, None, None]) / 2, {"label": label})


LAYERS = {"layer0": (2, 4), "layer1": (2, 4)}
ENERGY = {"energy": Field((1,), unit="MeV")}
MODES = {"modes": [[0.0, 0.0], [4.0, 0.0]], "sigma": 0.1}
TINY: dict[str, tuple[Callable[[int, int], Batch], DataSpec, set[str]]] = {
    "showers": (
        showers,
        DataSpec("showers", "layers", Field((16,), unit="MeV"), ENERGY, parts=LAYERS),
        {"auc/cells", "response/bias", "memorisation/twins", "battery/obs", "separation/share/1"},
    ),
    "points": (
        points,
        DataSpec("points", "vector", Field((2,)), geometry=MODES),
        {"modes/covered", "ks/x1", "auc/observables_mlp", "coverage/recall"},
    ),
    "pictures": (
        pictures,
        DataSpec("pictures", "image", Field((1, 8, 8)), {"label": Field((), "class", 2)}),
        {"auc/pixels", "fid", "classes/1", "classes/as_asked", "battery/cells"},
    ),
}


@pytest.mark.parametrize("name", TINY)
def test_the_page_names_every_metric_of_an_evaluation(name):
    make, spec, some = TINY[name]
    reference, generated, train = (make(160, seed) for seed in (1, 2, 3))
    found = evaluate(reference, generated, spec, [] if name == "points" else [Shares()], train, fast=name != "points")
    assert some <= set(found.metrics)
    assert unknown(list(found.metrics)) == [], "add a row to benchmarks/metrics_definitions.md and to docs/metrics.md"


def test_names_of_no_metric_are_not_known():
    assert unknown(["separation", "response/bias/10", "mean/E_tot/5-10GeV", "fidelity", "classes/K"]) == [
        "separation",
        "response/bias/10",
        "fidelity",
        "classes/K",
    ]


def test_every_function_that_measures_is_on_the_page():
    names = set()
    for module in pkgutil.iter_modules(simulacra.evaluation.__path__, "simulacra.evaluation."):
        if module.name.endswith(".looks"):  # the judge's own
            continue
        for name, held in inspect.getmembers(import_module(module.name), inspect.isfunction):
            told = str(held.__annotations__.get("return"))
            if held.__module__ == module.name and not name.startswith("_") and "Measurement" in told:
                names.add(name)
    assert len(names) > 40
    assert {name for name in names if not re.search(rf"\b{name}\b", DEFINED)} == set()


def test_the_tests_that_it_names_exist():
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", DEFINED)
    assert len(named) > 60
    for file, test in set(named):
        tree = ast.parse((ROOT / "tests" / "evaluation" / file).read_text(encoding="utf-8"))
        assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, f"{file}::{test}"


def test_the_page_holds_the_definitions_that_it_is_made_from():
    source = (ROOT / "benchmarks" / "metrics_definitions.md").read_text(encoding="utf-8")
    first, words = source.split("\n## 3. Words\n")
    assert first.strip() in PAGE
    assert words.strip() in PAGE
