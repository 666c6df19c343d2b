"""Words, conditions and targets that do not fit are refused in one line with exit code 2; nothing is written."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from .conftest import COMMAND

WORDS = [
    (["trian"], "did you mean 'train'"),
    (["explain"], "recipe"),
    (["explain", "wgan_pg"], "did you mean 'wgan_gp'"),
    (["explain", "no.py:f"], "does not exist"),
    (["explain", "wgan", "too", "many"], "unexpected extra argument"),
    (["list", "--family", "gun"], "did you mean 'gan'"),
    (["list", "--domain", "imge"], "did you mean 'image'"),
    (["list", "--nothing"], "No such option"),
    (["data", "toys:ring9"], "did you mean 'ring"),
    (["data", "electron"], "did you mean 'electrons'"),
    (["data", "\x1b[31mred\nand more"], "red"),
    (["data", "x" * 5000], "name"),
    (["data", "\udcff\udcfe.h5"], "udcff"),
    (["train"], "recipe"),
    (["train", "gan"], "expected --data"),
    (["train", "gann", "--data", "toys:ring8"], "did you mean 'gan'"),
    (["train", "gan", "--data", "toys:ring9"], "did you mean 'ring"),
    (["train", "gan", "--data", "electrons"], "expected the layout vector for gan"),
    (["train", "realnvp", "--data", "electrons"], "expected the layout vector or image for realnvp"),
    (["train", "calorimeter_tree", "--data", "toys:ring8"], "expected the layout layers for calorimeter_tree"),
    (["train", "calorimeter_wgan", "--data", "toys:ring8"], "expected the layout layers for calorimeter_wgan"),
    (["train", "cgan", "--data", "toys:grid25"], "expected data with a condition"),
    (["train", "gan", "--data", "toys:ring8", "--hiden", "8"], "did you mean '--hidden'"),
    (["train", "gan", "--data", "toys:ring8", "--hidden", "wide"], "expected --hidden of type int"),
    (["train", "gan", "--data", "toys:ring8", "--hidden"], "expected a value after --hidden"),
    (["train", "gan", "--data", "toys:ring8", "--saturating", "maybe"], "expected --saturating of type bool"),
    (["train", "gan", "--data", "toys:ring8", "stray"], "expected a flag"),
    (["train", "gan", "--data", "toys:ring8", "--rounds", "0"], "expected --rounds of at least 1"),
    (["train", "gan", "--data", "toys:ring8", "--rounds", "-3"], "expected --rounds of at least 1"),
    (["train", "gan", "--data", "toys:ring8", "--rounds", "many"], "--rounds"),
    (["train", "gan", "--data", "toys:ring8", "--batch-size", "0"], "expected --batch-size of at least 1"),
    (["train", "gan", "--data", "toys:ring8", "--threads", "0"], "expected --threads of at least 1"),
    (["train", "gan", "--data", "toys:ring8", "--checkpoint-every", "0"], "expected --checkpoint-every of at least 1"),
    (["train", "gan", "--data", "toys:ring8", "--seed", "-1"], "--seed"),
    (["train", "gan", "--data", "toys:ring8", "--device", "abacus"], "expected --device"),
    (["train", "gan", "--data", "toys:ring8", "--precision", "float8"], "expected --precision"),
    (["train", "gan", "--resume", "--out", "no-run"], "expected a run folder"),
    (["train", "gan", "--resume", "--out", "no-run", "--rounds", "3"], "expected --resume alone"),
    (["sample", "no-run", "--out", "a.npz"], "expected a run folder"),
    (["sample", "no-run"], "--out"),
    (["sample", "no-run", "--out", "a.npz", "-n", "0"], "expected -n of at least 1"),
    (["sample", "no-run", "--out", "a.npz", "-n", "-5"], "expected -n of at least 1"),
    (["sample", "no-run", "--out", "a.csv"], "expected --out ending in"),
    (["sample", "no-run", "--out", "a.h5", "--raw"], "expected an .npz file"),
    (["sample", "no-run", "--out", "a.npz", "--given", "energy"], "expected --given name=value"),
    (["sample", "no-run", "--out", "a.npz", "--given", "energy="], "expected --given name=value"),
    (["evaluate", "no-run"], "expected --reference"),
    (["evaluate", "no-run", "--limit", "5"], "expected --limit of at least"),
    (["evaluate", "no-run", "--limit", "-5"], "expected --limit of at least"),
    (["evaluate", "no-run", "--report", "."], "expected --report"),
    (["evaluate", "no-run", "--report", "page.pdf"], "expected --report"),
    (["demo", "--rounds", "0"], "expected --rounds of at least 1"),
    (["demo", "-n", "0"], "expected -n of at least 1"),
]


@pytest.mark.parametrize(("words", "want"), WORDS, ids=[" ".join(w)[:60].encode("ascii", "replace") for w, _ in WORDS])
def test_words_that_do_not_fit(words, want, refuse, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert want in refuse(*words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("enregy=5GeV", "did you mean 'energy'"),
        ("energy=5parsec", "expected a unit"),
        ("energy=5mm", "expected a unit that converts to MeV"),
        ("energy=five", "expected a number with a unit"),
        ("energy=nan", "expected a number with a unit"),
        ("energy=1e999GeV", "expected a number with a unit"),
        ("energy=1e300EeV", "finite"),
        ("energy=-5GeV", "within the trained range"),
        ("energy=5000GeV", "within the trained range"),
        ("energy=0", "within the trained range"),
    ],
)
def test_conditions_that_do_not_fit(given, want, refuse, shower_run, tmp_path):
    assert want in refuse("sample", shower_run, "--out", tmp_path / "a.h5", "--given", given)
    assert not list(tmp_path.iterdir())


def test_nonsense_is_refused_even_when_extrapolating(refuse, shower_run, tmp_path):
    for suffix in ("h5", "npz"):
        words = ["sample", shower_run, "--out", tmp_path / f"a.{suffix}", "-n", "3", "--extrapolate"]
        assert "expected" in refuse(*words, "--given", "energy=-5GeV")
    assert not list(tmp_path.iterdir())


def test_classes_that_do_not_fit(refuse, point_run, tmp_path):
    for given in ("label=3", "label=-1", "label=1.5", "label=2GeV", "label=1e30"):
        refuse("sample", point_run, "--out", tmp_path / "a.npz", "--given", given)
    refuse("sample", point_run, "--out", tmp_path / "a.npz", "--given", "label=3", "--extrapolate")
    assert not list(tmp_path.iterdir())


def test_targets_that_do_not_fit(refuse, shower_run, point_run, showers, points, tmp_path):
    file = tmp_path / "file"
    file.write_text("here")
    assert "expected images or 2-D points" in refuse("sample", shower_run, "--out", tmp_path / "a.png")
    assert "expected showers for .h5" in refuse("sample", point_run, "--out", tmp_path / "a.h5")
    assert "it has 400" in refuse("sample", shower_run, "--out", tmp_path / "a.h5", "--like", showers, "-n", "500")
    assert "memory" in refuse("sample", point_run, "--out", tmp_path / "a.npz", "-n", 2**39)
    refuse("sample", point_run, "--out", file / "a.npz", "-n", "3")
    refuse("sample", shower_run, "--out", file / "a.h5", "-n", "3")
    refuse("sample", point_run, "--out", tmp_path / ("x" * 300 + ".npz"), "-n", "3")
    refuse("sample", point_run, "--out", tmp_path / "a.npz", "--recipe", "gan")
    refuse("sample", point_run, "--out", tmp_path / "a.npz", "--device", "abacus")
    refuse("train", "cgan", "--data", points, "--width", "8", "--rounds", "2", "--threads", "1", "--out", file)
    refuse("train", "cgan", "--data", points, "--width", "8", "--rounds", "2", "--threads", "1", "--out", file / "run")
    refuse("data", showers, "--repack", file / "a.h5")
    refuse("data", points, "--repack", tmp_path / "a.h5")
    assert "holds a run" in refuse("train", "cgan", "--data", points, "--threads", "1", "--out", point_run)
    assert "expected the run's recipe" in refuse("train", "gan", "--resume", "--out", point_run)
    assert "expected the run's data" in refuse("train", "cgan", "--resume", "--out", point_run, "--data", "toys:ring8")
    refuse("evaluate", point_run, "--reference", showers, "--fast")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_names_that_are_not_text(points, point_run, tmp_path):
    """Bytes that are no UTF-8, line breaks and colours in names of files."""
    for name in (b"\xff\xfe", b"a\nb", b"\x1b[31mred", "naïve 事象".encode()):
        path, target = (tmp_path.joinpath(os.fsdecode(name + end)) for end in (b".npz", b"-new.npz"))
        shutil.copy(points, path)
        for words in (["data", path], ["sample", point_run, "--out", target, "-n", "3", "--like", path]):
            done = subprocess.run([*COMMAND, *map(str, words)], capture_output=True, timeout=100)
            assert done.returncode == 0, done.stderr
            assert b"\x1b" not in done.stdout
        assert target.exists()


def test_a_recipe_file_that_is_broken(refuse, tmp_path):
    path = tmp_path / "broken.py"
    for source, want in (
        ("def (", "SyntaxError"),
        ("import nothing_at_all", "ModuleNotFoundError"),
        ("raise ValueError('two\\nlines')", "two lines"),
        ("x = 1", "expected a function 'broken'"),
        ("def borken(data): pass", "did you mean 'borken'"),
        ("def broken(data, *, a): pass", "expected --a for"),
    ):
        path.write_text(source)
        assert want in refuse("train", f"{path}:broken", "--data", "toys:ring8", "--out", tmp_path / "o")
    assert "is not UTF-8" not in refuse("explain", tmp_path)
    assert not (tmp_path / "o").exists()
