"""Pictures of any number of channels: how they are read, and what their grids show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from simulacra.domains import open_data
from simulacra.figures.images import image_grid
from simulacra.figures.rows import image_rows


@pytest.mark.parametrize("channels", [2, 4, 5, 8, 13])
def test_pictures_have_any_number_of_channels_first_or_last(tmp_path: Path, channels: int):
    x = np.random.default_rng(0).random((3, channels, 8, 8), np.float32)
    for name, array in (("first", x), ("last", np.moveaxis(x, 1, 3))):
        np.savez(tmp_path / f"{name}.npz", x=array)
        data = open_data(tmp_path / f"{name}.npz")
        same = channels == 8 and name == "last"  # all sides are equal: channels come first
        assert torch.equal(data[:].x, torch.from_numpy(np.ascontiguousarray(array if same else x)))


def words(figure) -> str:
    """All that stands on a figure."""
    title = figure._suptitle.get_text() if figure._suptitle else ""
    return " ".join([title, *(text.get_text() for text in figure.texts)])


@pytest.mark.parametrize(("channels", "shown"), [(1, ""), (2, "first of 2 channels"), (3, ""), (5, "first 3 of 5")])
def test_grids_say_which_channels_they_show(channels: int, shown: str):
    x = np.linspace(0, 1, channels)[None, :, None, None] * np.ones((2, 1, 4, 4))
    grid, rows = image_grid(x, 2, note="mine"), image_rows({"a": x, "b": x[:1]}, note="mine")
    want = x[0, :3, 0, 0] if channels >= 3 else x[0, 0, 0, 0]
    for figure in (grid, rows):
        assert ("channels" in words(figure)) == bool(shown)
        assert shown in words(figure)
        assert "mine" in words(figure)
        (picture,) = figure.axes[0].get_images()
        assert np.allclose(np.asarray(picture.get_array())[2, 2], want)
