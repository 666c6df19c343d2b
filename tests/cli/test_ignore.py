"""Conditions that a run is not told: it plays as if the data had none, and its judge still knows them."""

from __future__ import annotations

import importlib
import inspect
import json

import numpy as np
import pytest
import torch

import simulacra
from simulacra import recipes, workflow
from simulacra.cli import run
from simulacra.cli.compare import gather
from simulacra.domains import calorimeter, open_data
from simulacra.domains.dataset import Without, parts_of
from simulacra.surrogate import Surrogate

TINY = {"width": 24, "batch": 16}


@pytest.fixture(scope="module")
def untold(points, tmp_path_factory):
    """A run on labelled points, which is not told the label."""
    out = tmp_path_factory.mktemp("runs") / "untold"
    words = ["--ignore", "label", "--rounds", "6", "--threads", "1", "--width", "24", "--batch", "16"]
    assert run(["train", "lsgan", "--data", str(points), "--out", str(out), *words]) == 0
    return out


def test_it_is_the_game_on_the_same_data_without_conditions(points, untold, tmp_path):
    np.savez(tmp_path / "points.npz", x=np.load(points)["x"])
    plain = simulacra.fit("lsgan", str(tmp_path / "points.npz"), tmp_path / "a", arguments=TINY, rounds=6, threads=1)
    told = simulacra.fit("lsgan", str(points), tmp_path / "b", arguments=TINY, rounds=6, threads=1)
    mine = Surrogate.load(untold)
    states = [one.experiment.learners.state_dict() for one in (mine, plain, told)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(states[0][name].shape != states[2][name].shape for name in states[0])
    assert (dict(mine.spec.given), mine.listens_to(), told.listens_to()) == ({}, [], ["label"])
    assert torch.equal(mine.sample(20, seed=3).x, plain.sample(20, seed=3).x)


def test_the_run_remembers_and_goes_on_the_same(points, untold, tmp_path):
    assert json.loads((untold / "run.json").read_text())["data"]["options"] == {"ignore": "label"}
    cut = workflow.begin(tmp_path / "c", "lsgan", str(points), TINY, rounds=6, threads=1, ignore="label").rounds()
    for step in cut:
        if step.clock.round == 3:
            cut.close()
    again = workflow.proceed(tmp_path / "c")
    assert again.experiment.clock.round == 3
    for _ in again.rounds():
        pass
    want = Surrogate.load(untold).experiment.learners.state_dict()
    have = again.experiment.learners.state_dict()
    assert all(torch.equal(want[name], have[name]) for name in want)


def test_it_is_judged_and_stands_beside_a_run_that_needs_the_condition(untold, point_run, capsys):
    assert run(["evaluate", str(untold), "--fast", "--json"]) == 0
    assert "auc/observables" in json.loads(capsys.readouterr().out)
    for order in ([untold, point_run], [point_run, untold]):
        found = gather(order, None, full=False, baselines=False, seed=0, limit=100)
        assert [entrant.name for entrant in found] == [place.name for place in order]


def test_one_of_several_is_left_aside_also_of_showers_on_disk(points, tmp_path, monkeypatch):
    held = np.load(points)
    np.savez(tmp_path / "many.npz", x=held["x"], label=held["label"], size=np.linspace(0, 1, len(held["x"])))
    whole, part = (open_data(tmp_path / "many.npz", ignore=word) for word in ("", "label"))
    assert (sorted(whole.spec.given), sorted(part.spec.given)) == (["label", "size"], ["size"])
    assert torch.equal(part[slice(3, 9)].given["size"], whole[slice(3, 9)].given["size"])
    assert torch.equal(part[slice(3, 9)].x, whole[slice(3, 9)].x)
    assert sorted(part[torch.tensor([1])].given) == ["size"]
    assert part.spec.fingerprint == whole.spec.fingerprint
    assert all(torch.equal(rows, parts_of(part)[name]) for name, rows in parts_of(whole).items())
    assert not open_data(tmp_path / "many.npz", ignore="label,size").spec.given
    calorimeter.save(tmp_path / "few.h5", calorimeter.open_bundled()[:8], calorimeter.LAR3)
    assert not hasattr(Without(open_data(tmp_path / "few.h5"), ["energy"]), "blocks")
    monkeypatch.setattr("simulacra.domains.calorimeter.format.MEMORY", 0)
    assert hasattr(Without(open_data(tmp_path / "few.h5"), ["energy"]), "blocks")


def test_what_cannot_be_ignored_is_refused(points, untold, refuse, tmp_path):
    train = ["train", "lsgan", "--out", tmp_path / "x", "--data"]
    line = refuse(*train, points, "--ignore", "lable")
    assert line == "expected a condition to ignore among: label, points has no 'lable'; did you mean 'label'?"
    assert "has no 'label'; leave --ignore out" in refuse(*train, "toys:ring8", "--ignore", "label")
    assert "expected --resume alone" in refuse("train", "lsgan", "--out", untold, "--resume", "--ignore", "label")
    needs = ["--data", points, "--ignore", "label", "--out", tmp_path / "x"]
    assert "expected data with a condition for cgan" in refuse("train", "cgan", *needs)


@pytest.mark.parametrize("name", [name for name, row in recipes.table().items() if row["family"] == "gan"])
def test_every_adversarial_recipe_says_what_becomes_of_conditions(name):
    function = getattr(importlib.import_module(f"simulacra.recipes.{name}"), name)
    text = (inspect.getdoc(function) or "").lower()
    assert "condition" in text or name in ("calorimeter_wgan", "acgan")
