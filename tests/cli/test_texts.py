"""Texts from the command line: a toy of translation is learnt, asked and written."""

import json

import pytest

from simulacra.cli import run
from simulacra.domains import open_data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A transformer that has hardly learnt to translate."""
    place = tmp_path_factory.mktemp("texts") / "run"
    told = ["train", "transformer", "--data", "numbers", "--out", str(place), "--rounds", "2", "--width", "8"]
    assert run([*told, "--heads", "2", "--depth", "1"]) == 0
    return place


def test_what_is_asked_for_is_written_as_pairs(folder, tmp_path, capsys):
    target = tmp_path / "new.tsv"
    assert run(["sample", str(folder), "--out", str(target)]) == 2
    assert "expected --out ending in" in capsys.readouterr().err
    target = tmp_path / "new.txt"
    assert run(["sample", str(folder), "--out", str(target), "-n", "5", "--given", "source=forty-two"]) == 0
    lines = target.read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[0] for line in lines] == ["forty-two"] * 5
    assert len(lines[0].split("\t")) == 2


def test_a_source_that_cannot_be_read_gets_one_line(folder, tmp_path, capsys):
    assert run(["sample", str(folder), "--out", str(tmp_path / "a.txt"), "--given", "source=forty:two"]) == 2
    said = capsys.readouterr().err
    assert "expected characters that the data have, came ':'" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "a.txt").exists()


def test_texts_go_into_texts_only(folder, tmp_path, capsys):
    assert run(["sample", str(folder), "--out", str(tmp_path / "a.h5")]) == 2
    assert "expected showers" in capsys.readouterr().err
    assert open_data("numbers").spec.layout == "sequence"


def test_a_run_on_pairs_is_judged(folder, capsys):
    assert run(["evaluate", str(folder), "--fast", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["auc/observables"]["value"] > 0.7
    assert found["auc/observables"]["floor"] < 0.6, "the numbers are in order, but no judge may see them so"
