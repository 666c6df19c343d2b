"""Pictures in rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from simulacra.figures.style import new, short, styled


def image_grid(
    x: Any, columns: int = 10, width: float = 6.0, names: Sequence[str] = (), beside: Any = None, note: str = ""
) -> Figure:
    """Images [N, C, H, W] in [0, 1], in rows of `columns`; what is not finite is black.

    Of other than 1 or 3 channels the first one, or the first three as colours, are shown, and the note says so.

    Args:
        names: of the rows, to their left.
        beside: as many images, each drawn to the right of its partner.
        note: below all.

    Example:
        >>> picture = image_grid(np.zeros((4, 1, 8, 8)), 2, names=["a", "b"], beside=np.ones((4, 1, 8, 8)))
        >>> picture.axes[0].get_images()[0].get_array().shape  # two rows of two pairs
        (20, 38)
    """
    images = _clean(x)
    if beside is not None:
        line = np.ones((*images.shape[:3], 1))
        images = np.concatenate([images, line, _clean(beside)], 3)
    n, channels, height, wide = images.shape
    note = "; ".join(words for words in (note, shown_of(channels)) if words)
    rows, gap = max(1, -(-n // columns)), 1 if beside is None else 1 + height // 10
    canvas = np.ones((rows * (height + 2), columns * (wide + 2 * gap), channels))
    for k, image in enumerate(images.transpose(0, 2, 3, 1)):
        top, left = k // columns * (height + 2) + 1, k % columns * (wide + 2 * gap) + gap
        canvas[top : top + height, left : left + wide] = image
    margin = 0.09 * max((len(short(name, 18)) for name in names), default=0)
    below = 0.22 if note else 0.0
    tall = (width - margin) * canvas.shape[0] / canvas.shape[1]
    with styled():
        figure = new(width, tall + below)
        figure.set_layout_engine("none")
        axis = figure.add_axes((margin / width, below / (tall + below), 1 - margin / width, tall / (tall + below)))
        axis.imshow(canvas[..., :3] if channels >= 3 else canvas[..., 0], cmap="gray", vmin=0, vmax=1)
        axis.axis("off")
        for k, name in enumerate(names):
            at = 1 - (k + 0.5) / rows
            axis.text(-0.01, at, short(name, 18), ha="right", va="center", fontsize=8, transform=axis.transAxes)
        if note:
            figure.text(0.01, 0.01, note, fontsize=8, va="bottom")
    return figure


def shown_of(channels: int) -> str:
    """What a picture shows of pictures of so many channels; "" where that is everything.

    >>> shown_of(5), shown_of(2), shown_of(3)
    ('first 3 of 5 channels', 'first of 2 channels', '')
    """
    if channels in (1, 3):
        return ""
    return f"first {'3 ' * (channels > 3)}of {channels} channels"


def _clean(x: Any) -> np.ndarray:
    return np.nan_to_num(np.asarray(x, dtype=float)).clip(0, 1)
