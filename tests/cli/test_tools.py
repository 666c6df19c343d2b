"""Grids, inversion, a look inside, and several conditions at once: each by its verb."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from simulacra.cli import run
from simulacra.domains import open_data
from simulacra.surrogate import Surrogate
from simulacra.training import run as runs

from .conftest import trained


@pytest.fixture(scope="module")
def digit_run(digits, tmp_path_factory) -> Path:
    return trained(tmp_path_factory.mktemp("digit_run") / "run", digits)


def test_a_grid_has_a_row_for_each_class_to_which_the_run_listens(digit_run, tmp_path, capsys):
    assert run(["sample", str(digit_run), "--out", str(tmp_path / "a.png"), "-n", "47"]) == 0
    assert "wrote 40 events" in (said := capsys.readouterr().out)
    assert "of 47, since a grid has full rows" in said
    from simulacra.cli.grid import write_grid
    from simulacra.figures import images

    seen = {}
    keep = images.image_grid
    import simulacra.figures as figures

    def note(x, columns, width, names, beside, words):
        seen.update(x=x, columns=columns, names=names, beside=beside, words=words)
        return keep(x, columns, width, names, beside, words)

    surrogate = Surrogate.load(digit_run)
    figures.image_grid, before = note, figures.image_grid
    try:
        assert write_grid(tmp_path / "b.png", surrogate, 1000, {}, nearest=True) == 60
    finally:
        figures.image_grid = before
    assert (seen["columns"], seen["names"][3]) == (6, "three")
    label = torch.arange(10).repeat_interleave(6)
    assert torch.equal(seen["x"], surrogate.sample(60, {"label": label}).x)
    train = open_data(surrogate.config.data["name"])
    from simulacra.domains.dataset import parts_of

    real = train[parts_of(train)["train"]].x
    gaps = torch.cdist(seen["x"].flatten(1), real.flatten(1))
    assert torch.allclose(gaps.min(1).values, (seen["x"] - seen["beside"]).flatten(1).norm(dim=1), atol=1e-4)


def test_classes_have_names(digit_run, points, refuse, tmp_path):
    out = tmp_path / "a.npz"
    assert run(["sample", str(digit_run), "--out", str(out), "-n", "5", "--given", "label=seven"]) == 0
    made = open_data(out)
    assert made[:].given["label"].tolist() == [7] * 5
    assert made.spec.given["label"].names[7] == "seven"
    assert "did you mean 'seven'" in refuse("sample", digit_run, "--out", tmp_path / "b.npz", "--given", "label=sevn")
    assert "pictures and a .png" in refuse("sample", digit_run, "--out", tmp_path / "b.npz", "--nearest")


def test_events_are_inverted(digit_run, digits, points, refuse, tmp_path, capsys):
    out = tmp_path / "inverted.npz"
    words = ["invert", digit_run, digits, "--out", out, "-n", 4, "--starts", 2, "--steps", 20, "--encoder", 20]
    assert run([str(word) for word in words]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("search, 2 starts", "encoder", "search from the encoder", "floor"))
    with np.load(out) as found:
        assert found["z"].shape == (4, 4)
        encoded = 2 * (found["made"] - found["x"])  # from [0, 1] to [-1, 1]
        assert np.allclose(np.sqrt((encoded**2).mean((1, 2, 3))), found["distance"], atol=1e-3)
    assert (
        run(["invert", str(digit_run), "--out", str(tmp_path / "a.png"), "-n", "3", "--steps", "3", "--encoder", "0"])
        == 0
    )
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "expected events of shape" in refuse("invert", digit_run, points, "--out", tmp_path / "b.png")
    assert "did you mean '.png'" in refuse("invert", digit_run, "--out", tmp_path / "b.pg")


def test_inversion_needs_latents(shower_run, points, refuse, tmp_path):
    assert "has none" in refuse("invert", shower_run, "--out", tmp_path / "a.png")


def test_a_look_shows_what_the_run_can(digit_run, point_run, shower_run, digits, refuse, tmp_path, capsys):
    style = trained(tmp_path / "style", digits, "--depth", "1", recipe="stylegan", rounds=2)
    always = {"Scores", "Attribute vectors"}
    pictures = {"Saliency", "What raises the score", "Latent walk", "Truncation", "Latent arithmetic"}
    for folder, want in ((style, always | pictures | {"Style mixing"}), (point_run, always)):
        capsys.readouterr()
        assert run(["look", str(folder), "-n", "50"]) == 0
        assert {line.strip() for line in capsys.readouterr().out.splitlines() if line.startswith("  ")} == want
        page = (folder / "look.html").read_text()
        assert all(f"<h2>{name}</h2>" in page for name in want)
        assert "http" not in page.replace("http://www.w3.org", "")
    assert "neither" in refuse("look", shower_run)
    assert "name a page" in refuse("look", digit_run, "--out", tmp_path / "a.png")


def test_a_look_at_points_without_conditions_has_the_surface(tmp_path, capsys):
    words = ["train", "gan", "--data", "toys:ring8", "--out", tmp_path / "run", "--rounds", 2, "--threads", 1]
    assert run([str(word) for word in words]) == 0
    capsys.readouterr()
    before = runs.latest(tmp_path / "run")
    assert run(["look", str(tmp_path / "run"), "-n", "60"]) == 0
    assert "The critic's surface" in capsys.readouterr().out
    assert runs.latest(tmp_path / "run") == before


@pytest.mark.parametrize("recipe", ["calorimeter_wgan", "calorimeter_tree"])
def test_several_conditions_at_once(recipe, joint, refuse, tmp_path, capsys):
    small = {
        "calorimeter_wgan": ["--width", "16", "--latent", "4"],
        "calorimeter_tree": ["--hidden", "8", "--flow-hidden", "8", "--flow-steps", "2", "--pairs", "256"],
    }[recipe]
    out = tmp_path / "run"
    words = ["train", recipe, "--data", joint, "--out", out, "--rounds", 3, "--threads", 1, "--batch-size", 32]
    assert run([str(word) for word in [*words, *small]]) == 0
    said = json.loads((out / "run.json").read_text())["spec"]["given"]
    assert said["particle"]["names"] == ["electron", "photon"]
    assert said["angle"]["unit"] == "deg"
    made = tmp_path / "made.h5"
    asked = ["--given", "energy=20GeV", "--given", "particle=photon", "--given", "angle=0.2rad"]
    assert run(["sample", str(out), "-n", "6", "--out", str(made), *asked]) == 0
    again = open_data(made)
    assert again.spec.given["particle"] == open_data(joint).spec.given["particle"]
    assert again[:].given["particle"].tolist() == [1] * 6
    assert torch.allclose(again[:].given["angle"], torch.tensor(0.2).rad2deg(), rtol=1e-5)
    assert {"energy", "particle", "angle"} == set(Surrogate.load(out).listens_to())
    line = refuse("sample", out, "-n", 2, "--out", tmp_path / "b.h5", "--given", "particle=foton")
    assert "did you mean 'photon'" in line
    assert "trained range" in refuse("sample", out, "-n", 2, "--out", tmp_path / "b.h5", "--given", "angle=60deg")
    capsys.readouterr()
    assert run(["data", str(joint)]) == 0
    assert "given particle: class of 2 levels: electron, photon" in capsys.readouterr().out
    assert run(["data", str(joint), "--repack", str(tmp_path / "again.h5")]) == 0
    assert open_data(tmp_path / "again.h5").spec.fingerprint == open_data(joint).spec.fingerprint


def test_a_joint_file_that_does_not_add_up_is_refused(joint, refuse, tmp_path):
    def changed(name: str, change) -> Path:
        path = tmp_path / f"{name}.h5"
        path.write_bytes(joint.read_bytes())
        with h5py.File(path, "r+") as file:
            change(file)
        return path

    def replace(file, values):
        del file["particle"]
        file["particle"] = values

    cases = {
        "kind": (lambda f: replace(f, np.full(300, 2)), "0 to 1"),
        "part": (lambda f: replace(f, np.full(300, 0.5)), "whole numbers"),
        "short": (lambda f: replace(f, np.zeros(299, int)), "300 rows"),
        "gone": (lambda f: f.__delitem__("particle"), "expected the data set 'particle'"),
        "json": (lambda f: f.attrs.__setitem__("conditions", np.bytes_(b"particle")), "as JSON"),
        "twice": (lambda f: f.attrs.__setitem__("conditions", np.bytes_(b'{"particle": ["a", "a"]}')), "as JSON"),
        "energy": (lambda f: f.attrs.__setitem__("conditions", np.bytes_(b'{"energy": "GeV"}')), "as JSON"),
    }
    for name, (change, want) in cases.items():
        assert want in refuse("data", changed(name, change)), name


def test_pictures_of_a_class_and_a_number(digits, tmp_path):
    with np.load(digits) as held:
        arrays = dict(held)
    light = arrays["x"].mean((1, 2))
    path = tmp_path / "both.npz"
    np.savez(path, **arrays, energy=5e4 * light)
    out = trained(tmp_path / "run", path)
    surrogate = Surrogate.load(out)
    assert {"label", "energy"} == set(surrogate.listens_to())
    span = surrogate.spec.given["energy"].range
    assert span is not None
    told = {"label": torch.zeros(2, dtype=torch.long), "energy": torch.tensor(span)[:, None]}
    assert surrogate.experiment.codec.encode_given(told)["energy"].flatten().tolist() == [-1.0, 1.0]
