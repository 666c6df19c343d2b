"""What does not fit is refused in one line with exit code 2, before anything is written."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from simulacra.cli import run
from simulacra.training import run as folders

from .conftest import TINY_TREE, write_showers

COMMAND = [sys.executable, "-c", "from simulacra.cli import main; main()"]
X, E = np.full((90, 504), 0.5, np.float32), np.full((90, 1), 5e3, np.float32)


def at(array: np.ndarray, value: float) -> np.ndarray:
    """The array with one number in row 17 changed."""
    changed = array.copy()
    changed[17, -1] = value
    return changed


def nothing(path: Path) -> None:
    """No file at all."""


def truncated(path: Path) -> None:
    write_showers(path, X, E)
    path.write_bytes(path.read_bytes()[:3000])


BAD = {
    "missing": (nothing, "came '.*bad.h5'"),
    "a folder": (Path.mkdir, "is not a file|PNG|picture|image"),
    "no bytes": (Path.touch, "has no bytes"),
    "text": (lambda path: path.write_text("energy 3\n" * 99), "is something else"),
    "renamed": (
        lambda path: (np.savez(path.with_suffix(".npz"), x=X), path.with_suffix(".npz").rename(path)),
        "is something else",
    ),
    "truncated": (truncated, "damaged or cut short"),
    "another key": (lambda path: write_showers(path, X, E, "hits"), "expected the data set 'showers'"),
    "no energies": (lambda path: write_showers(path, X, E, energies="E"), "expected the data set 'incident_energies'"),
    "three axes": (lambda path: write_showers(path, X[:, :, None], E), r"of shape \(N, cells\)"),
    "wide energies": (lambda path: write_showers(path, X, E.repeat(2, 1)), r"incident_energies of shape \(N, 1\)"),
    "another width": (lambda path: write_showers(path, X[:, 1:], E), "has 503"),
    "unequal rows": (lambda path: write_showers(path, X, E[1:]), "has 89 and 90"),
    "no rows": (lambda path: write_showers(path, X[:0], E[:0]), "at least one shower"),
    "words": (lambda path: write_showers(path, np.array([[b"a"] * 504] * 90), E), "expected numbers in 'showers'"),
    "NaN": (lambda path: write_showers(path, at(X, np.nan), E), "row 17 has nan"),
    "infinite": (lambda path: write_showers(path, X, at(E, np.inf)), "row 17 has inf"),
    "negative energy": (lambda path: write_showers(path, X, at(E, -5)), "row 17 of .* has -5"),
    "negative cell": (lambda path: write_showers(path, at(X, -0.5), E), "row 17 of .* has -0.5"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_showers_are_refused_by_every_verb(name, refuse, shower_run, showers, tmp_path):
    write, words = BAD[name]
    path, out = tmp_path / "bad.h5", tmp_path / "out"
    write(path)
    before = sorted(tmp_path.iterdir())
    for line in (
        refuse("data", path),
        refuse("train", "calorimeter_tree", "--data", path, "--out", out, *TINY_TREE),
        refuse("sample", shower_run, "--out", tmp_path / "new.h5", "--like", path, "-n", "5"),
        refuse("evaluate", shower_run, "--reference", path, "--report", tmp_path / "page.html", "--fast"),
        refuse("evaluate", path, "--reference", showers, "--report", tmp_path / "page.html", "--fast")
        if path.is_file()
        else refuse("data", path),
    ):
        assert re.search(words, line), line
        assert "bad" in line
    assert sorted(tmp_path.iterdir()) == before


LAYER = '<Layer id="0" r_edges="0,5,10" n_bin_alpha="252"/>'
XML = {
    "empty": "",
    "text": "three layers",
    "cut": f"<Bins><Bin>{LAYER}",
    "no layers": "<Bins><Bin name='e'></Bin></Bins>",
    "no bins": "<Bins></Bins>",
    "other cells": '<Bins><Bin><Layer id="0" r_edges="0,5" n_bin_alpha="8"/></Bin></Bins>',
    "words for edges": '<Bins><Bin><Layer id="0" r_edges="a,b" n_bin_alpha="8"/></Bin></Bins>',
    "no end of sectors": '<Bins><Bin><Layer id="0" r_edges="0,5" n_bin_alpha="99999999999"/></Bin></Bins>',
    "no sectors": '<Bins><Bin><Layer id="0" r_edges="0,5" n_bin_alpha="0"/></Bin></Bins>',
    "edges that fall": '<Bins><Bin><Layer id="0" r_edges="0,9,5" n_bin_alpha="252"/></Bin></Bins>',
    "a bomb": '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><Bins><Bin name="&b;"></Bin></Bins>',
    "a file of others": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Bins><Bin name="&x;"></Bin></Bins>',
    "nested": "<a>" * 5000 + "</a>" * 5000,
    "two layers of one name": f"<Bins><Bin>{LAYER}{LAYER}</Bin></Bins>",
}


@pytest.mark.parametrize("name", XML)
def test_bad_detectors_are_refused(name, refuse, tmp_path):
    path, file = tmp_path / "det.xml", tmp_path / "showers.h5"
    path.write_text(XML[name])
    write_showers(file, X, E)
    line = refuse("data", file, "--detector", path)
    assert "root:" not in line
    assert refuse("train", "calorimeter_tree", "--data", file, "--detector", path, "--out", tmp_path / "o") == line
    assert not (tmp_path / "o").exists()


def test_detectors_that_are_not_there(refuse, showers, points, tmp_path):
    assert "did you mean 'lar3'" in refuse("data", showers, "--detector", "lar4")
    assert "cannot be read" in refuse("data", showers, "--detector", tmp_path / "no.xml")
    assert "expected an option of" in refuse("data", points, "--detector", "lar3")
    assert "expected an option of" in refuse("data", "toys:ring8", "--fetch")


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


@pytest.fixture
def copy(point_run, tmp_path) -> Path:
    """A copy of a run, to be spoilt."""
    return Path(shutil.copytree(point_run, tmp_path / "run"))


def test_a_flipped_byte_is_seen(refuse, copy, tmp_path):
    weights = folders.sound(copy) / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    assert "differs from its checksum" in refuse("sample", copy, "--out", tmp_path / "a.npz")
    assert "differs from its checksum" in refuse("evaluate", copy, "--fast")
    assert not (tmp_path / "a.npz").exists()
    assert not (copy / "report.html").exists()


def test_a_run_without_checkpoint(refuse, copy, tmp_path):
    shutil.rmtree(copy / "checkpoints")
    assert "no checkpoint yet" in refuse("sample", copy, "--out", tmp_path / "a.npz")


def spoilt(body: dict) -> list[object]:
    """`run.json` with each entry missing, and with each replaced by what it cannot be."""
    out: list[object] = [{k: v for k, v in body.items() if k != name} for name in body]
    for value in (None, [], "word", {"word": 1}, -1e30):
        out += [{**body, name: value} for name in body if name not in ("versions", "batch_size")]
    out += [{**body, "arguments": {**body["arguments"], "width": "wide"}}]
    out += [{**body, "arguments": {**body["arguments"], "breadth": 3}}]
    return out


def test_an_altered_description_is_refused(refuse, copy, tmp_path):
    path = copy / "run.json"
    body = json.loads(path.read_text())
    path.write_text(json.dumps({**body, "format": 999}))
    assert "install a newer simulacra" in refuse("sample", copy, "--out", tmp_path / "a.npz")
    for text in (b"", b"\xff\xfe\x00", b"[]", b"{}", b"null", b'{"format": 1}', b"[" * 100_000, b'{"format": "x"}'):
        path.write_bytes(text)
        assert "run description" in refuse("sample", copy, "--out", tmp_path / "a.npz")
    for other in spoilt(body):
        path.write_text(json.dumps(other))
        code = run(["sample", str(copy), "--out", str(tmp_path / "a.npz"), "-n", "3"])
        if code:
            refuse("sample", copy, "--out", tmp_path / "a.npz", "-n", "3")
    path.unlink()
    assert "expected a run folder" in refuse("sample", copy, "--out", tmp_path / "b.npz")


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_disk_that_gives_out(reason, refuse, points, point_run, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(os, "replace", fail)
    monkeypatch.setattr(os, "rename", fail)
    words = ["train", "cgan", "--data", points, "--width", "8", "--rounds", "2", "--threads", "1"]
    assert os.strerror(reason) in refuse(*words, "--out", tmp_path / "run")
    assert os.strerror(reason) in refuse("sample", point_run, "--out", tmp_path / "a.npz", "-n", "3")
    left = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert left == []


def limited() -> None:
    """Files of at most 32 KiB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 15, 1 << 15))


def test_a_full_disk_leaves_nothing_half_written(showers, shower_run, tmp_path):
    out, new = tmp_path / "run", tmp_path / "new.h5"
    for words in (
        ["sample", shower_run, "--out", new, "-n", "400"],
        ["train", "calorimeter_tree", "--data", showers, "--out", out, "--rounds", "2", "--threads", "1", *TINY_TREE],
    ):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [*COMMAND, *map(str, words)], capture_output=True, text=True, env=environment, preexec_fn=limited
        )
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("simulacra: ")
        assert done.stderr.count("\n") == 1
    assert not new.exists()
    assert folders.checkpoints(out) == []
    assert not [p for p in tmp_path.rglob("*") if "publishing" in p.name or "writing" in p.name]


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


def test_a_truncated_archive(refuse, points, tmp_path):
    path = tmp_path / "cut.npz"
    path.write_bytes(points.read_bytes()[:-100])
    assert "cannot be read" in refuse("data", path)
    with h5py.File(tmp_path / "soft.h5", "w") as file:
        file["showers"] = h5py.ExternalLink("/etc/passwd", "x")
    refuse("data", tmp_path / "soft.h5")
