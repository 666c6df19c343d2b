"""Files of showers and of detectors that are no good are refused in one line by every verb, and nothing is written."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from .conftest import TINY_TREE, write_showers

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


def test_a_truncated_archive(refuse, points, tmp_path):
    path = tmp_path / "cut.npz"
    path.write_bytes(points.read_bytes()[:-100])
    assert "cannot be read" in refuse("data", path)
    with h5py.File(tmp_path / "soft.h5", "w") as file:
        file["showers"] = h5py.ExternalLink("/etc/passwd", "x")
    refuse("data", tmp_path / "soft.h5")
