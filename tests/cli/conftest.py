"""Small data and small runs, made once."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import simulacra.cli as cli
from simulacra.batch import Batch, Field
from simulacra.domains import calorimeter

TINY_TREE = ["--hidden", "8", "--flow-hidden", "8", "--flow-steps", "2", "--pairs", "256", "--batch-size", "32"]
TINY = ["--width", "4", "--latent", "4", "--batch-size", "16", "--threads", "1"]
COMMAND = [sys.executable, "-c", "from simulacra.cli import main; main()"]
"""The program in a process of its own."""


@pytest.fixture(scope="session")
def showers(tmp_path_factory) -> Path:
    """400 Geant4 showers."""
    path = tmp_path_factory.mktemp("showers") / "showers.h5"
    calorimeter.save(path, calorimeter.open_bundled()[:400], calorimeter.LAR3)
    return path


@pytest.fixture(scope="session")
def points(tmp_path_factory) -> Path:
    """400 points in the plane with a label."""
    path = tmp_path_factory.mktemp("points") / "points.npz"
    draw = np.random.default_rng(0)
    label = np.arange(400) % 3
    np.savez(path, x=draw.normal(size=(400, 2)) + label[:, None] * 4, label=label)
    return path


@pytest.fixture(scope="session")
def shower_run(showers, tmp_path_factory) -> Path:
    """A run of four rounds on showers."""
    out = tmp_path_factory.mktemp("runs") / "showers"
    words = ["train", "calorimeter_tree", "--data", str(showers), "--out", str(out), "--rounds", "4", "--threads", "1"]
    assert cli.run([*words, *TINY_TREE]) == 0
    return out


@pytest.fixture(scope="session")
def point_run(points, tmp_path_factory) -> Path:
    """A run of four rounds on labelled points."""
    out = tmp_path_factory.mktemp("runs") / "points"
    words = ["train", "cgan", "--data", str(points), "--out", str(out), "--rounds", "4", "--threads", "1"]
    assert cli.run([*words, "--width", "8"]) == 0
    return out


@pytest.fixture(scope="session")
def digits(tmp_path_factory) -> Path:
    """Pictures of 8 x 8 with named classes."""
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    found = load_digits()
    names = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    np.savez(path, x=(found.images / 16).astype(np.float32), label=found.target, label_names=names)
    return path


@pytest.fixture(scope="session")
def joint(tmp_path_factory) -> Path:
    """300 showers of two kinds of particle: the second kind leaves half as much."""
    showers = calorimeter.open_bundled()[:300]
    kind = torch.arange(300) % 2
    x = showers.x * torch.where(kind == 1, 0.5, 1.0)[:, None]
    angle = torch.linspace(0, 30, 300)[:, None]
    fields = {
        "particle": Field((), "class", 2, names=("electron", "photon")),
        "angle": Field((1,), unit="deg"),
    }
    path = tmp_path_factory.mktemp("joint") / "joint.h5"
    calorimeter.save(
        path, Batch(x, {**showers.given, "particle": kind, "angle": angle}), calorimeter.LAR3, given=fields
    )
    return path


@pytest.fixture
def refuse(capsys, monkeypatch):
    """Runs a command that must fail with one line, and gives that line."""
    seen: list[str] = []
    complain = cli._complain
    monkeypatch.setattr(cli, "_complain", lambda message, code: seen.append(message) or complain(message, code))

    def check(*words: object, code: int = 2) -> str:
        seen.clear()
        capsys.readouterr()
        came = cli.run([str(word) for word in words])
        out, err = capsys.readouterr()
        assert came == code, (words, came, out, err)
        assert len(seen) == 1, (words, err)
        assert "\n" not in seen[0], seen[0]
        assert err.strip().splitlines() == [line for line in err.splitlines() if line.startswith("simulacra: ")]
        assert err.count("\n") == 1
        assert "Traceback" not in err + out
        assert all(c.isprintable() for c in err.strip())
        return err.strip().removeprefix("simulacra: ")

    return check


def write_showers(
    path: Path, x: np.ndarray, energy: np.ndarray, showers: str = "showers", energies: str = "incident_energies"
) -> None:
    """A shower file without any check."""
    with h5py.File(path, "w") as file:
        file[showers] = x
        file[energies] = energy
        file.attrs["geometry"] = "lar3"


def trained(out: Path, data: Path, *words: object, recipe: str = "cgan", rounds: int = 6) -> Path:
    """A run on pictures."""
    told = ["train", recipe, "--data", data, "--out", out, "--rounds", rounds, *TINY, *words]
    assert cli.run([str(word) for word in told]) == 0
    return out
