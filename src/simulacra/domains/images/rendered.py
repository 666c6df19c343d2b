"""Rendered pictures of which the factors are known: ellipses, and heads that turn and smile."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains.dataset import ArrayDataset, in_memory
from simulacra.errors import UserError

SIZES = (16, 32, 64, 128)
BLOCK = 256


def shapes(factors: Tensor, side: int) -> Tensor:
    """Soft ellipses three times as long as wide, [N, 1, side, side] from 0 to 1.

    Args:
        factors: [N, 4] from -1 to 1: place across and down (a fifth of a side), logarithm of the size, and angle (a
            quarter turn from end to end).

    Example:
        >>> shapes(torch.zeros(2, 4), 12).shape
        torch.Size([2, 1, 12, 12])
    """
    across, down, size, angle = (factors[:, k, None, None] for k in range(4))
    place = (torch.arange(side) + 0.5) / side - 0.5
    x, y = place[None, None] - 0.2 * across, place[None, :, None] - 0.2 * down
    turn, width = math.pi / 4 * angle, 0.1 * 1.4**size
    along, aside = x * turn.cos() + y * turn.sin(), y * turn.cos() - x * turn.sin()
    away = ((along / (3 * width)).square() + (aside / width).square()).sqrt()
    return torch.sigmoid((1 - away) * 4)[:, None]


def faces(factors: Tensor, side: int) -> Tensor:
    """Heads whose eyes and mouth turn by the first factor, and whose mouth bends by the second, [N, 1, side, side].

    Args:
        factors: [N, 2] from -1 to 1: pose, 0.12 sides to the left or right; smile, the corners 0.1 up or down.

    Example:
        >>> faces(torch.zeros(2, 2), 16).shape
        torch.Size([2, 1, 16, 16])
    """
    place = (torch.arange(side) + 0.5) / side - 0.5
    x, y = place[None, None], place[None, :, None]
    pose, smile = (0.12 * factors[:, 0, None, None], 0.1 * factors[:, 1, None, None])
    head = torch.sigmoid((0.44 - (x**2 + y**2).sqrt()) * 40)
    across = (x - pose) / 0.17
    eyes = sum(torch.exp(-((x - pose - k).square() + (y + 0.13).square()) / 0.005) for k in (-0.15, 0.15))
    line = torch.exp(-(y - 0.17 + smile * (across.square() - 0.5)).square() / 0.003)
    mouth = line * torch.sigmoid((1 - across.abs()) * 12)
    return (0.45 * head + 0.55 * (eyes + mouth).clamp(0, 1))[:, None].clamp(0, 1)


RENDERED = {"shapes": (shapes, ("across", "down", "size", "angle")), "faces": (faces, ("pose", "smile"))}
"""What draws pictures, and the names of their factors, by the name of the data."""


def open_rendered(
    name: str = "shapes", *, rows: int = 10_000, seed: int = 0, size: int = 32, told: bool = False
) -> ArrayDataset:
    """Grey pictures [1, size, size] drawn from a few numbers: `shapes` of 4 factors, `faces` of 2.

    Factors are independent and uniform from -1 to 1; what they do is said of `shapes` and `faces`. They come with every
    event, `given["across"]` [B, 1], and `spec.geometry["factors"]` has their names and ranges, but models are not told
    them, so that a judge can ask whether codes have found them: `simulacra evaluate` gives the mutual information gap.
    With `told` they are conditions, for models of p(x | factors).

    Args:
        name: `shapes` or `faces`, also with a size and with `told`: `shapes:64`, `faces:told`, `shapes:16:told`.
        rows: pictures, drawn once with `seed`; more of them begin with the same.
        size: pixels of a side: 16, 32, 64 or 128.
        told: whether factors are conditions in `spec.given`.

    Raises:
        UserError: an option is not among its values.

    Example:
        >>> data = open_rendered("faces:16", rows=10)
        >>> data[:].x.shape, sorted(data[:].given), list(data.spec.given)
        (torch.Size([10, 1, 16, 16]), ['pose', 'smile'], [])
    """
    kind, *words = name.split(":")
    for word in words:
        size = int(word) if word.isdecimal() else size
        if word != "told" and (size not in SIZES or not word.isdecimal()):
            sizes = ", ".join(map(str, SIZES))
            raise UserError(f"expected {kind} of {sizes} pixels, or told, came {word!r}; use {kind}:32")
    if size not in SIZES:
        raise UserError(f"expected {kind} of {', '.join(map(str, SIZES))} pixels, came {size}; leave it out for 32")
    if rows < 1:
        raise UserError(f"expected at least one row, came {rows}; leave it out for 10000")
    render, names = RENDERED[kind]
    factors = 2 * torch.rand(rows, len(names), generator=torch.Generator().manual_seed(seed)) - 1
    x = torch.cat([(255 * render(part, size)).round().byte() for part in factors.split(BLOCK)])
    field = Field((1, size, size), levels=256, range=(0.0, 1.0))
    given = {factor: Field((1,), range=(-1.0, 1.0)) for factor in names} if told or "told" in words else {}
    geometry = {"kind": "image", "factors": {factor: [-1.0, 1.0] for factor in names}}
    known = {factor: factors[:, k : k + 1].clone() for k, factor in enumerate(names)}
    return in_memory(DataSpec(name, "image", field, given, geometry=geometry), Batch(x, known))
