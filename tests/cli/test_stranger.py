"""A stranger's recipe, codec and detector, as in docs/how-to, work in every verb."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
import torch

from simulacra import recipes
from simulacra.batch import Batch
from simulacra.cli import run
from simulacra.domains import calorimeter, open_data
from simulacra.surrogate import Surrogate
from simulacra.testing import check_codec, check_gradients, check_resume

from .conftest import TINY_TREE

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
RECIPE, DETECTOR = HOW_TO / "my_recipe.py", HOW_TO / "my_detector.xml"


@pytest.fixture(scope="module")
def mine(showers, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("mine") / "run"
    words = ["train", f"{RECIPE}:my_recipe", "--data", str(showers), "--out", str(out), "--lr", "0.02"]
    assert run([*words, "--rounds", "20", "--threads", "1"]) == 0
    return out


def test_thirty_lines():
    tree = ast.parse(RECIPE.read_text())
    lines = {
        node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt) and not isinstance(node, ast.ClassDef)
    } - {
        body[0].lineno
        for node in ast.walk(tree)
        if isinstance(body := getattr(node, "body", None), list) and isinstance(body[0], ast.Expr)
    }
    assert len(lines) <= 34
    assert len(RECIPE.read_text().splitlines()) <= 60


def test_the_recipe_is_explained(capsys):
    assert run(["explain", str(RECIPE)]) == 0
    out = capsys.readouterr().out
    for words in ("def my_recipe(", "class SquareRoot(", "class Linear(", "class Player"):
        assert words in out


def test_the_recipe_trains(mine):
    config = json.loads((mine / "run.json").read_text())
    assert config["recipe"] == f"{RECIPE.resolve()}:my_recipe"
    assert config["arguments"] == {"lr": 0.02, "rounds": 300}
    losses = [json.loads(line)["fit/nll"] for line in (mine / "losses.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0]


def test_the_run_is_sampled_judged_and_resumed_when_its_file_is_named(mine, refuse, tmp_path, capsys):
    target = tmp_path / "a.h5"
    words = ["sample", str(mine), "--out", str(target), "-n", "6", "--given", "energy=20GeV"]
    assert "expected --recipe" in refuse(*words)
    assert run([*words, "--recipe", str(RECIPE)]) == 0
    assert (open_data(target)[:].given["energy"] == 20_000).all()
    assert "expected --recipe" in refuse("evaluate", mine, "--fast")
    assert run(["evaluate", str(mine), "--recipe", str(RECIPE), "--fast", "--limit", "100"]) == 0
    assert (mine / "report.html").exists()
    assert run(["train", str(RECIPE), "--resume", "--out", str(mine)]) == 0
    capsys.readouterr()
    assert torch.equal(Surrogate.load(mine, str(RECIPE)).sample(5).x, Surrogate.load(mine, str(RECIPE)).sample(5).x)


def test_the_recipe_keeps_the_contracts(showers):
    dataset, found = open_data(showers), recipes.find(str(RECIPE))

    def build():
        return found.build(dataset.spec, found.resolve({}))

    check_codec(build().codec, dataset)
    check_gradients(build, dataset, 5)
    check_resume(build, dataset, 4, [1, 3])


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """Showers of the stranger's detector; the file does not say so."""
    geometry = calorimeter.read_xml(DETECTOR)
    path = tmp_path_factory.mktemp("small") / "my_showers.h5"
    torch.manual_seed(0)
    energy = torch.rand(300, 1) * 9e3 + 1e3
    x = torch.rand(300, geometry.cells).pow(6) * energy / 100
    from simulacra.io import hdf5

    hdf5.write(path, {"showers": x.numpy(), "incident_energies": energy.numpy()}, {})
    return path


def test_the_detector_is_read(small, capsys, refuse):
    assert "expected showers of a known detector" in refuse("data", small)
    assert run(["data", str(small), "--detector", str(DETECTOR)]) == 0
    out = capsys.readouterr().out
    assert "layer0: 4 x 3" in out
    assert "layer1: 8 x 4" in out


def test_the_detector_comes_back_with_a_saved_file(small, tmp_path):
    geometry = calorimeter.read_xml(DETECTOR)
    held = open_data(small, detector=str(DETECTOR))
    calorimeter.save(tmp_path / "again.h5", held[:], geometry)
    again = open_data(tmp_path / "again.h5")
    assert again.spec.geometry == geometry.to_json()
    assert isinstance(again[:], Batch)
    assert torch.equal(again[:].x, held[:].x)


@pytest.mark.parametrize("recipe", ["calorimeter_tree", str(RECIPE)])
def test_recipes_work_in_the_detector(recipe, small, tmp_path):
    out, target = tmp_path / "run", tmp_path / "a.h5"
    words = ["train", recipe, "--data", str(small), "--detector", str(DETECTOR), "--out", str(out), "--rounds", "3"]
    named = [] if recipe == "calorimeter_tree" else ["--recipe", recipe]
    assert run([*words, "--threads", "1", *([] if named else TINY_TREE)]) == 0
    assert run(["sample", str(out), "--out", str(target), "-n", "8", *named]) == 0
    assert open_data(target)[:].x.shape == (8, 44)
    assert run(["evaluate", str(out), "--fast", "--limit", "90", *named]) == 0


def test_every_command_of_the_page_is_one(capsys):
    """The page's commands name verbs, flags and files that exist."""
    page = (HOW_TO / "stranger.md").read_text()
    commands = re.findall(r"^simulacra +(\w+) +(.*)$", page, re.M)
    assert {verb for verb, _ in commands} == {"explain", "train", "sample", "evaluate", "data"}
    for verb, rest in commands:
        capsys.readouterr()
        assert run([verb, "--help"]) == 0
        shown = capsys.readouterr().out
        for flag in set(re.findall(r"--[a-z-]+", rest)) - {"--lr"}:
            assert flag in shown, (verb, flag)
    for name in re.findall(r"docs/how-to/(\w+\.\w+)", page):
        assert (HOW_TO / name).exists()
