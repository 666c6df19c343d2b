"""Pictures in named rows under named columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from simulacra.figures.images import shown_of
from simulacra.figures.style import new, short, styled


def image_rows(
    rows: Mapping[str, ArrayLike], heads: Sequence[str] = (), scale: float = 0.55, note: str = "", gap: int = 0
) -> Figure:
    """One row of images [K, C, H, W] in [0, 1] under each name; `heads` stand above the columns.

    Of other than 1 or 3 channels the first one, or the first three as colours, are shown, and the note says so.

    Args:
        scale: inches of an image's side.
        note: above everything.
        gap: columns before a wider space, 0 for none.

    Example:
        >>> figure = image_rows({"seen": np.zeros((3, 1, 8, 8)), "made": np.ones((3, 1, 8, 8))}, ["a", "b", "c"])
        >>> len(figure.axes)
        6
    """
    images = {name: np.nan_to_num(np.asarray(x, dtype=float)).clip(0, 1) for name, x in rows.items()}
    channels = next((x.shape[1] for x in images.values() if shown_of(x.shape[1])), 3)
    note = "; ".join(words for words in (note, shown_of(channels)) if words)
    columns = max(len(x) for x in images.values())
    ratios = [1.0] * columns
    if gap:
        ratios[gap - 1] = 1.25
    with styled():
        longest = max(len(name) for name in images)
        figure = new(
            columns * scale + 0.35 + 0.075 * longest, len(images) * scale + (0.3 if heads else 0.05) + 0.3 * bool(note)
        )
        figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.0, hspace=0.0, rect=(0.01, 0.0, 0.985, 1.0))  # type: ignore[union-attr]
        axes = figure.subplots(len(images), columns, squeeze=False, width_ratios=ratios)
        for line, (name, row) in zip(axes, images.items(), strict=True):
            for k, axis in enumerate(line):
                axis.set_xticks([])
                axis.set_yticks([])
                axis.set_anchor("W")
                for side in axis.spines.values():
                    side.set_visible(False)
                if k < len(row):
                    picture = row[k][:3].transpose(1, 2, 0) if row.shape[1] >= 3 else row[k][0]
                    axis.imshow(picture, cmap="gray", vmin=0, vmax=1)
            line[0].set_ylabel(short(name, 30), rotation=0, ha="right", va="center", fontsize=8, labelpad=5)
        for axis, head in zip(axes[0], heads, strict=False):
            axis.set_title(short(head, 18), loc="center", fontsize=7)
        if note:
            figure.suptitle(note, fontsize=9, x=0.01, ha="left")
    return figure
