"""Pictures in memory as a data set: grey levels as uint8, read as numbers from 0 to 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains.dataset import ArrayDataset, in_memory
from simulacra.errors import UserError


def pictures(
    name: str,
    images: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    classes: list[str] | None = None,
    parts: Mapping[str, Tensor] | None = None,
) -> ArrayDataset:
    """A data set of pictures, `x` [B, C, H, W] from 0 to 1 and, with labels, `given["label"]` [B].

    Args:
        images: uint8 of [N, H, W], [N, C, H, W] or [N, H, W, C] with C of 1, 3 or 4, or with any C where pictures are
            square (C first where all sides are equal); real numbers must lie in [0, 1].
        labels: integers from 0, [N].
        classes: what the labels mean, kept in `spec.geometry`.

    Raises:
        UserError: shapes, numbers or labels are none of these.
    """
    x = _channels_first(name, images)
    if x.dtype != np.uint8:
        if x.dtype.kind != "f" or not (x.size and float(x.min()) >= 0 and float(x.max()) <= 1):
            raise UserError(f"expected grey levels as uint8 or reals in [0, 1], {name} has {_seen(x)}; rescale them")
        x = x.astype(np.float32)
    told, fields = {}, {}
    if labels is not None:
        label = check_labels(name, labels, len(x))
        levels = max(int(label.max()) + 1 if len(label) else 1, len(classes or []))
        named = tuple(classes) if classes and len(classes) == levels else ()
        told, fields = {"label": torch.from_numpy(label)}, {"label": Field((), "class", levels, names=named)}
    geometry: dict[str, Any] = {"kind": "image", **({"classes": classes} if classes else {})}
    levels = 256 if x.dtype == np.uint8 else 0
    event = Field(tuple(x.shape[1:]), levels=levels, range=(0.0, 1.0))
    spec = DataSpec(name, "image", event, fields, geometry=geometry)
    return in_memory(spec, Batch(torch.from_numpy(np.ascontiguousarray(x)), told), parts)


def check_labels(name: str, labels: np.ndarray, rows: int) -> np.ndarray:
    """Labels [N] as int64.

    Raises:
        UserError: they are not one non-negative integer per event.
    """
    if labels.shape != (rows,) or labels.dtype.kind not in "iu":
        raise UserError(
            f"expected {rows} integer labels, {name} has {labels.dtype} of shape {labels.shape}; give one per event"
        )
    if rows and (int(labels.min()) < 0 or int(labels.max()) >= 1 << 20):
        raise UserError(f"expected labels from 0 up, {name} has {labels.min()} to {labels.max()}; number them from 0")
    return labels.astype(np.int64)


def _channels_first(name: str, images: np.ndarray) -> np.ndarray:
    if images.ndim == 3:
        return images[:, None]
    if images.ndim == 4 and 0 not in images.shape[1:]:
        _, first, middle, last = images.shape
        if first in (1, 3, 4):
            return images
        if last in (1, 3, 4):
            return np.moveaxis(images, 3, 1)
        if middle == last:
            return images
        if first == middle:
            return np.moveaxis(images, 3, 1)
    raise UserError(
        f"expected images [N, H, W], [N, C, H, W] or [N, H, W, C] with 1, 3 or 4 channels, or any number of them and "
        f"square pictures, {name} has shape {images.shape}; reshape them"
    )


def _seen(x: np.ndarray) -> str:
    return f"{x.dtype} from {x.min():.4g} to {x.max():.4g}" if x.size and x.dtype.kind in "fiu" else f"{x.dtype}"
