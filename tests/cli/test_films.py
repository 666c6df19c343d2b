"""Films of training: a run is not changed by them, and they go on where they were cut."""

from __future__ import annotations

import importlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simulacra.cli import run

from .conftest import TINY, trained


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Everything that a run's state is made of."""
    kept = [folder / "losses.jsonl", *sorted((folder / "checkpoints").rglob("*.safetensors"))]
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


@pytest.mark.parametrize("recipe", ["cgan", "sngan"])
def test_filming_never_changes_a_run(recipe, digits, tmp_path):
    plain = trained(tmp_path / "plain", digits, recipe=recipe)
    filmed = trained(tmp_path / "filmed", digits, "--film", tmp_path / "a.gif", "--film-every", "1", recipe=recipe)
    assert len(bytes_of(plain)) > 1
    assert bytes_of(plain) == bytes_of(filmed)
    with Image.open(tmp_path / "a.gif") as film:
        assert film.n_frames == 6
        first = np.asarray(film.convert("L"))
        film.seek(5)
        assert film.info["duration"] == 2000
        assert not np.array_equal(first, np.asarray(film.convert("L")))


def test_a_film_goes_on_after_a_cut(digits, tmp_path, monkeypatch):
    whole = trained(tmp_path / "whole", digits, "--film", tmp_path / "whole.gif", "--film-every", "2")
    from simulacra.workflow import Training

    rounds = Training.rounds

    def cut(self, checkpoint_every=None):
        play = rounds(self, 1)
        for step in play:
            yield step
            if step.clock.round == 3:
                play.close()
                return

    monkeypatch.setattr(Training, "rounds", cut)
    part = trained(tmp_path / "part", digits, "--film", tmp_path / "part.gif", "--film-every", "2")
    monkeypatch.undo()
    again = ["train", "cgan", "--out", part, "--resume", "--film", tmp_path / "part.gif", "--film-every", "2"]
    assert run([str(word) for word in again]) == 0
    frames = [sorted((folder / "samples" / "film").iterdir()) for folder in (whole, part)]
    assert [p.stem for p in frames[0]] == ["00000001", "00000002", "00000004", "00000006"]
    assert [p.read_bytes() for p in frames[0]] == [p.read_bytes() for p in frames[1]]
    assert (tmp_path / "whole.gif").read_bytes() == (tmp_path / "part.gif").read_bytes()


def test_showers_and_points_are_filmed_too(joint, points, tmp_path):
    film = ["--film", tmp_path / "a.gif"]
    for data, recipe in ((joint, "calorimeter_wgan"), (points, "wgan_gp")):
        words = [
            "train",
            recipe,
            "--data",
            data,
            "--out",
            tmp_path / recipe,
            "--rounds",
            2,
            "--width",
            8,
            "--latent",
            4,
        ]
        assert run([str(word) for word in [*words, "--threads", 1, *film]]) == 0
        with Image.open(tmp_path / "a.gif") as made:
            assert made.n_frames == 2


def test_films_that_cannot_be_made_are_refused_before_training(refuse, digits, tmp_path, monkeypatch):
    words = ["train", "cgan", "--data", digits, "--out", tmp_path / "run", *TINY]
    assert ".gif or .mp4" in refuse(*words, "--film", tmp_path / "a.avi")
    assert "name the film" in refuse(*words, "--film-every", "3")
    find = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", lambda name: find("no_such_module" if name == "av" else name))
    assert "pip install 'simulacra[film]'" in refuse(*words, "--film", tmp_path / "a.mp4")
    assert not (tmp_path / "run").exists()


def test_mp4_where_it_is_installed():
    av = pytest.importorskip("av")
    from simulacra.figures.films import film

    box = io.BytesIO()
    Image.new("RGB", (65, 32), "red").save(box, "PNG")
    with av.open(io.BytesIO(film([box.getvalue()] * 5, ["round"] * 5, ".mp4", rate=10))) as made:
        frames = [frame.to_ndarray(format="rgb24") for frame in made.decode(video=0)]
    assert len(frames) == 5 + 20
    assert frames[0].shape == (54, 64, 3)
    assert np.abs(frames[0][-1, 5] - [255.0, 0, 0]).max() < 30


def test_what_cannot_be_filmed_leaves_no_run(refuse, tmp_path):
    (tmp_path / "a.txt").write_text("a text of many words, " * 99)
    words = ["train", "char_rnn", "--data", tmp_path / "a.txt", "--out", tmp_path / "run", "--film", tmp_path / "a.gif"]
    assert "expected pictures, showers or vectors to film, came sequence" in refuse(*words)
    assert not (tmp_path / "run").exists()
