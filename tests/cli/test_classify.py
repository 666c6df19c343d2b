"""`simulacra classify`: runs that read classes, runs with densities, and runs with neither."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from simulacra.cli import run

from .conftest import TINY


@pytest.fixture(scope="module")
def reader(digits, tmp_path_factory):
    """A critic that reads digits off, badly."""
    out = tmp_path_factory.mktemp("runs") / "acgan"
    assert run(["train", "acgan", "--data", str(digits), "--out", str(out), "--rounds", "3", *TINY]) == 0
    return out


@pytest.fixture(scope="module")
def density(points, tmp_path_factory):
    """Gaussians of three classes of points."""
    out = tmp_path_factory.mktemp("runs") / "qda"
    assert run(["train", "qda", "--data", str(points), "--out", str(out)]) == 0
    return out


def told(capsys, *words):
    capsys.readouterr()
    assert run(["classify", *map(str, words)]) == 0
    return capsys.readouterr().out


def test_a_density_tells_classes_apart_by_bayes_rule(density, points, tmp_path, capsys):
    text = told(capsys, density, "--out", tmp_path / "classes.csv")
    assert "label of 3 classes, Bayes' rule\n" in text
    found = json.loads(told(capsys, density, "--json"))
    assert found["classified/right"]["value"] > 0.95, "centres lie four widths apart in both directions"
    assert 0.3 < found["classified/right"]["floor"] < 0.5
    with (tmp_path / "classes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == found["classified/right"]["n"]
    assert list(rows[0]) == ["true", "best", "p(0)", "p(1)", "p(2)"]
    assert all(abs(sum(float(row[f"p({k})"]) for k in range(3)) - 1) < 1e-4 for row in rows)
    right = np.mean([row["true"] == row["best"] for row in rows])
    assert right == pytest.approx(found["classified/right"]["value"])


def test_events_without_a_class_are_counted(density, points, tmp_path, refuse, capsys):
    with np.load(points) as file:
        np.savez(tmp_path / "new.npz", x=file["x"][:90])
    text = told(capsys, density, tmp_path / "new.npz", "--out", tmp_path / "a.npz")
    assert "right" not in text
    assert sum(int(part.split()[-1]) for part in text.splitlines()[1].split(",")) == 90
    with np.load(tmp_path / "a.npz") as found:
        assert found["probability"].shape == (90, 3)
        assert np.array_equal(found["best"], found["probability"].argmax(1))
        assert (found["best"] == np.arange(90) % 3).mean() > 0.95
        assert "true" not in found
    assert "expected the true label" in refuse("classify", density, tmp_path / "new.npz", "--out", tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_a_critic_reads_the_class_and_evaluate_says_how_well(reader, digits, tmp_path, capsys):
    text = told(capsys, reader, digits, "-n", 200, "--out", tmp_path / "c.png", "--uniform")
    assert "200 events, label of 10 classes, read off" in text
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    own = json.loads(told(capsys, reader, "--json", "-n", 10_000, "--out", tmp_path / "c.csv"))
    with (tmp_path / "c.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert own["classified/right"]["value"] < 0.9, "else a mistake in what is true would go unseen"
    assert np.mean([row["true"] == row["best"] for row in rows]) == pytest.approx(own["classified/right"]["value"])
    assert {row["true"] for row in rows} == {str(word) for word in np.load(digits)["label_names"]}
    assert all(float(row[f"p({row['best']})"]) == max(float(row[k]) for k in row if k[:2] == "p(") for row in rows)
    assert run(["evaluate", str(reader), "--fast", "--json"]) == 0
    judged = json.loads(capsys.readouterr().out)
    assert judged["classified/right"] == own["classified/right"]
    assert "mean" not in own


def test_what_cannot_be_classified_is_refused(reader, density, point_run, shower_run, points, refuse, tmp_path):
    assert "neither reads them nor has a density" in refuse("classify", point_run)
    assert "expected a run whose data have a class" in refuse("classify", shower_run)
    assert "expected events of shape" in refuse("classify", reader, points)
    assert "did you mean 'label'" in refuse("classify", reader, "--name", "labl")
    assert "did you mean '.csv'" in refuse("classify", reader, "--out", tmp_path / "a.csw")
    with np.load(points) as file:
        np.savez(tmp_path / "far.npz", x=file["x"], label=file["label"] + 1)
    assert "expected 'label' from 0 to 2, far has 3" in refuse("classify", density, tmp_path / "far.npz")
