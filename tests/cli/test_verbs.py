"""Every verb does what it says, in process and as the command that people type."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from simulacra import recipes
from simulacra.cli import run
from simulacra.domains import open_data
from simulacra.surrogate import Surrogate
from simulacra.training.run import read_losses

from .conftest import COMMAND


def command(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """One command line in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg", "COLUMNS": "80"}
    return subprocess.run(
        [*COMMAND, *map(str, words)], capture_output=True, text=True, env=environment, cwd=cwd, timeout=300
    )


def test_help_waits_for_nothing_heavy():
    code = (
        "import sys, simulacra.cli as cli; cli.run(['--help']); cli.run(['train', '--help']);"
        "print(sorted({'torch', 'numpy', 'scipy', 'matplotlib', 'h5py', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "[]"
    for verb in ("demo", "list", "explain", "data", "train", "sample", "evaluate"):
        assert verb in done.stdout


def test_the_list_fits_a_terminal_of_eighty_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    heads = [line for line in lines if line and not line.startswith(" ")]
    table = recipes.table()
    assert heads == sorted({row["family"] for row in table.values()})
    named = [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "]
    assert sorted(named) == recipes.builtin()
    flat = " ".join(" ".join(lines).split())
    for row in table.values():
        assert row["summary"] in flat
        assert row["paper"] in flat
        assert row["domain"]


def test_the_list_is_filtered(capsys):
    for words, want in (
        (["--family", "flow", "--domain", "image"], {"realnvp", "nice", "glow"}),
        (["--family", "autoregressive", "--domain", "layers"], {"calorimeter_tree"}),
        (["--concept", "wasserstein"], {"wgan", "wgan_gp", "calorimeter_wgan", "wae"}),
        (["--concept", "no such word"], set()),
    ):
        assert run(["list", "--json", *words]) == 0
        assert set(json.loads(capsys.readouterr().out)) == want
    assert run(["list", "--concept", "no such word"]) == 0
    assert "leave a filter out" in capsys.readouterr().out


@pytest.mark.parametrize("name", recipes.builtin())
def test_explain_shows_the_recipe_and_all_that_it_composes(name, capsys):
    assert run(["explain", name]) == 0
    out = capsys.readouterr().out
    found = recipes.find(name)
    assert f"def {name}(" in out
    assert found.paper
    parts = recipes.parts_of(found)
    named = {part.__name__ for part in parts}
    assert {"Experiment", "Solver" if found.family == "classical" else "Player"} <= named
    assert "EMA" in named or found.family not in ("gan", "flow", "diffusion")
    for part in parts:
        assert f": {part.__qualname__} " in out
        assert f"{'class' if isinstance(part, type) else 'def'} {part.__name__}" in out


def test_data_are_described(showers, points, capsys, tmp_path):
    assert run(["data", str(showers)]) == 0
    out = capsys.readouterr().out
    assert "400 events, layers of shape (504,) MeV" in out
    assert "layer1: 12 x 12" in out
    assert "given energy: real from" in out
    assert run(["data", str(showers), "--json", "--repack", str(tmp_path / "again.h5")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["events"] == sum(said["parts_rows"].values()) == 400
    again = open_data(tmp_path / "again.h5")
    assert again.spec.fingerprint == said["fingerprint"]
    assert torch.equal(again[:].x, open_data(showers)[:].x)
    assert run(["data", str(points)]) == 0
    assert "given label: class of 3 levels" in capsys.readouterr().out


def test_a_rehearsal_writes_nothing(points, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["train", "cgan", "--data", str(points), "--rounds", "5", "--width", "8", "--threads", "1", "--dry-run"]
    assert run(words) == 0
    out = capsys.readouterr().out
    assert "width = 8" in out
    assert "player critic" in out
    assert "minutes at" in out
    assert not list(tmp_path.iterdir())


def test_a_rehearsal_goes_through_all_stages(capsys, tmp_path):
    np.savez(tmp_path / "pictures.npz", x=np.random.default_rng(0).random((60, 1, 8, 8), dtype=np.float32))
    words = ["train", "progan", "--data", str(tmp_path / "pictures.npz"), "--batch", "4", "--width", "4"]
    assert run([*words, "--rounds", "10", "--threads", "1", "--dry-run"]) == 0
    assert "batch size: 4 to 8, rounds: 10" in capsys.readouterr().out


def test_training_fills_its_folder(point_run):
    assert {p.name for p in point_run.iterdir()} >= {"run.json", "losses.jsonl", "checkpoints"}
    losses = read_losses(point_run)
    assert [at for at, _ in losses["critic/critic"]] == [1, 2, 3, 4]
    assert json.loads((point_run / "run.json").read_text())["arguments"]["width"] == 8


def test_a_finished_run_resumes_to_itself(point_run, capsys):
    before = (point_run / "losses.jsonl").read_bytes()
    assert run(["train", "cgan", "--out", str(point_run), "--resume"]) == 0
    assert "round 4 of 4" in capsys.readouterr().out
    assert (point_run / "losses.jsonl").read_bytes() == before


def test_samples_keep_units_and_conditions(shower_run, showers, capsys, tmp_path):
    target = tmp_path / "new" / "showers.h5"
    assert run(["sample", str(shower_run), "--out", str(target), "-n", "7", "--given", "energy=20GeV"]) == 0
    assert f"wrote 7 events to {target}" in capsys.readouterr().out
    made = open_data(target)
    assert (made[:].given["energy"] == 20_000).all()
    assert made.spec.geometry == open_data(showers).spec.geometry
    with h5py.File(target) as file:
        assert file.attrs["seed"] == 0
        assert b"calorimeter_tree" in bytes(file.attrs["recipe"])
    like = tmp_path / "like.h5"
    assert run(["sample", str(shower_run), "--out", str(like), "-n", "9", "--like", str(showers)]) == 0
    assert torch.equal(open_data(like)[:].given["energy"], open_data(showers)[:9].given["energy"])


def test_samples_of_points(point_run, tmp_path):
    plain, raw, picture = (tmp_path / name for name in ("a.npz", "raw.npz", "a.png"))
    assert run(["sample", str(point_run), "--out", str(plain), "-n", "12", "--given", "label=2"]) == 0
    assert run(["sample", str(point_run), "--out", str(raw), "-n", "12", "--given", "label=2", "--raw"]) == 0
    assert run(["sample", str(point_run), "--out", str(picture), "-n", "12"]) == 0
    with np.load(plain) as a, np.load(raw) as b:
        assert (a["label"] == 2).all()
        assert a["x"].shape == b["x"].shape == (12, 2)
        assert not np.allclose(a["x"], b["x"])  # standardised numbers, not physical ones
    with zipfile.ZipFile(plain) as archive, Image.open(picture) as shown:
        for comment in (archive.comment, shown.text["Comment"]):  # type: ignore[attr-defined]
            about = {"run": str(point_run), "recipe": Surrogate.load(point_run).config.recipe, "seed": 0}
            assert json.loads(comment) == about


def test_beyond_the_trained_range_only_when_asked(shower_run, refuse, tmp_path):
    words = ["sample", shower_run, "--out", tmp_path / "far.h5", "-n", "3", "--given", "energy=5000GeV"]
    assert "within the trained range" in refuse(*words)
    assert not (tmp_path / "far.h5").exists()
    assert run([*map(str, words), "--extrapolate"]) == 0
    assert (open_data(tmp_path / "far.h5")[:].given["energy"] == 5e6).all()


def test_a_run_is_judged(shower_run, capsys):
    assert run(["evaluate", str(shower_run), "--fast", "--limit", "100"]) == 0
    out = capsys.readouterr().out
    assert "response/bias" in out
    assert "times faster than the simulator" in out
    page = (shower_run / "report.html").read_text()
    assert "calorimeter_tree" in page


def test_a_file_is_judged(points, capsys, tmp_path):
    page = tmp_path / "page.html"
    words = ["evaluate", str(points), "--reference", str(points), "--fast", "--limit", "100", "--report", str(page)]
    assert run([*words, "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)
    assert all({"value", "error", "floor"} <= set(row) for row in metrics.values())
    assert page.stat().st_size > 1000


def test_the_verbs_as_commands(points, tmp_path):
    """A stranger's first minutes, each verb in a process of its own."""
    out = tmp_path / "run"
    small = ["--width", "8", "--rounds", "3", "--threads", "1"]
    for words, want in (
        (["list"], "wgan_gp"),
        (["explain", "realnvp"], "class AffineCoupling"),
        (["data", points], "400 events, vector of shape (2,)"),
        (["train", "wgan_gp", "--data", points, "--out", out, *small], f"next: simulacra evaluate {out}"),
        (["sample", out, "-n", "5", "--out", tmp_path / "a.npz"], "wrote 5 events"),
        (["evaluate", out, "--fast", "--limit", "100"], "report.html"),
    ):
        done = command(*words)
        assert done.returncode == 0, done.stderr
        assert want in done.stdout
        assert not done.stderr, done.stderr


def test_the_demo_as_a_command(tmp_path):
    done = command("demo", "--rounds", "2", "-n", "20", "--out", "demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "3 of 3" in done.stdout
    assert (tmp_path / "demo" / "report.html").exists()
    assert len(open_data(tmp_path / "demo" / "samples" / "showers.h5")) == 20


def test_a_sorted_file_is_judged_as_a_shuffled_one(tmp_path, capsys):
    """Of a file in order the first events stand for themselves alone: reference and floors come from all over it."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.normal(size=6000))[:, None] * [1.0, 2.0] + rng.normal(size=(6000, 2))
    np.savez(tmp_path / "sorted.npz", x=x.astype(np.float32))
    np.savez(tmp_path / "other.npz", x=rng.permutation(x).astype(np.float32))
    run_ = tmp_path / "run"
    assert run(["train", "resampler", "--data", str(tmp_path / "sorted.npz"), "--out", str(run_)]) == 0
    both = ([str(run_)], [str(tmp_path / "other.npz"), "--reference", str(tmp_path / "sorted.npz"), "--limit", "1000"])
    for what in both:
        capsys.readouterr()
        assert run(["evaluate", *what, "--fast", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)["auc/observables"]
        assert abs(found["value"] - 0.5) < 0.06
        assert abs(found["floor"] - 0.5) < 0.06


def test_floors_of_another_reference_are_its_own(tmp_path, capsys):
    """A file of one class alone: training events of both classes are no second sample of it, but may be copied."""
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 4000)
    x = (rng.normal(size=(4000, 2)) + 3 * label[:, None]).astype(np.float32)
    np.savez(tmp_path / "both.npz", x=x, label=label)
    np.savez(tmp_path / "one.npz", x=rng.normal(size=(1000, 2)).astype(np.float32) + 3, label=np.ones(1000, int))
    run_ = tmp_path / "run"
    assert run(["train", "resampler", "--data", str(tmp_path / "both.npz"), "--out", str(run_)]) == 0
    capsys.readouterr()
    assert run(["evaluate", str(run_), "--reference", str(tmp_path / "one.npz"), "--fast", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert abs(found["auc/observables"]["floor"] - 0.5) < 0.06
    assert found["coverage/precision"]["floor"] > 0.8
    assert found["memorisation/identical"]["value"] > 500
    words = [str(run_), "--reference", str(tmp_path / "one.npz"), "--no-baselines", "--json"]
    assert run(["compare", *words, "--report", str(tmp_path / "page.html")]) == 0
    (entrant,) = json.loads(capsys.readouterr().out).values()
    assert abs(entrant["metrics"]["auc/observables"]["floor"] - 0.5) < 0.06
