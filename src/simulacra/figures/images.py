"""Pictures in rows and columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from simulacra.figures.style import new, styled


def image_grid(x: Any, columns: int = 10, width: float = 6.0) -> Figure:
    """Images [N, C, H, W] in [0, 1], in rows of `columns`; what is not finite is black."""
    images = np.nan_to_num(np.asarray(x, dtype=float)).clip(0, 1)
    n, channels, height, wide = images.shape
    rows = max(1, -(-n // columns))
    canvas = np.ones((rows * (height + 2), columns * (wide + 2), channels))
    for k, image in enumerate(images.transpose(0, 2, 3, 1)):
        top, left = k // columns * (height + 2) + 1, k % columns * (wide + 2) + 1
        canvas[top : top + height, left : left + wide] = image
    with styled():
        figure = new(width, width * canvas.shape[0] / canvas.shape[1])
        figure.set_layout_engine("none")
        axis = figure.add_axes((0, 0, 1, 1))
        axis.imshow(canvas[..., :3] if channels >= 3 else canvas[..., 0], cmap="gray", vmin=0, vmax=1)
        axis.axis("off")
    return figure
