"""`simulacra figure` lists, draws and refuses."""

from __future__ import annotations

import pytest

from simulacra import gallery
from simulacra.cli import run


def test_without_a_name_all_are_listed_in_eighty_columns(capsys):
    assert run(["figure"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    flat = " ".join(" ".join(lines).split())
    for name, (sentence, where) in gallery.table().items():
        assert any(line.startswith(f"  {name} ") for line in lines), name
        assert f"{sentence} [{where}]" in flat


@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_picture_is_written(suffix, start, tmp_path, capsys):
    path = tmp_path / "new" / f"picture.{suffix}"
    assert run(["figure", "five-states", "--out", str(path), "--seed", "1"]) == 0
    assert path.read_bytes().startswith(start)
    assert str(path) in capsys.readouterr().out
    assert sorted(path.parent.iterdir()) == [path]


def test_by_default_it_is_named_after_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["figure", "saturation"]) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["saturation.png"]


def test_what_does_not_fit_is_refused_before_anything_is_drawn(refuse, tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "draw", None)
    assert "did you mean 'five-states'" in refuse("figure", "five-state")
    assert "known: " in refuse("figure", "banana") or "did you mean" in refuse("figure", "banana")
    assert "did you mean '.png'" in refuse("figure", "zoo", "--out", tmp_path / "zoo.jpg")
    assert "ending in .png, .svg or .pdf" in refuse("figure", "zoo", "--out", tmp_path / "zoo")
    (tmp_path / "folder.png").mkdir()
    assert "is a folder" in refuse("figure", "zoo", "--out", tmp_path / "folder.png")
    assert [p.name for p in tmp_path.iterdir()] == ["folder.png"]


def test_a_run_is_refused_where_none_is_shown_or_there_is_none(refuse, tmp_path, point_run):
    assert "leave --run out" in refuse("figure", "five-states", "--out", tmp_path / "a.png", "--run", tmp_path)
    assert "run" in refuse("figure", "response", "--out", tmp_path / "a.png", "--run", tmp_path)
    assert "on showers" in refuse("figure", "response", "--out", tmp_path / "a.png", "--run", point_run)
    assert not (tmp_path / "a.png").exists()


def test_a_place_that_cannot_be_written_is_named(refuse, tmp_path):
    (tmp_path / "file").write_text("")
    assert "choose another" in refuse("figure", "five-states", "--out", tmp_path / "file" / "a.png")
