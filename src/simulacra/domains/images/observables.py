"""What is read off a picture: brightness, contrast, how much is lit, where its weight lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from simulacra.batch import Batch, DataSpec
from simulacra.protocols import Observable


@dataclass
class PixelObservable:
    """A number of the pixels; `of` takes [B, C, H, W] and returns [B]."""

    name: str
    axis: str
    of: Callable[[Tensor], Tensor]
    unit: str = ""

    def __call__(self, batch: Batch) -> Tensor:  # [B]
        return self.of(batch.x)


def _lit(x: Tensor) -> Tensor:
    return (x > 0.5).float().mean((1, 2, 3))


def _roughness(x: Tensor) -> Tensor:
    return (x.diff(dim=2).abs().mean((1, 2, 3)) + x.diff(dim=3).abs().mean((1, 2, 3))) / 2


def _centre(dim: int) -> Callable[[Tensor], Tensor]:
    """The centre of brightness along rows (1) or columns (2), from 0 to 1; the middle for a black picture."""

    def centre(x: Tensor) -> Tensor:
        grey = x.mean(1)
        place = torch.linspace(0, 1, grey.shape[dim], device=x.device, dtype=x.dtype)
        profile = grey.sum(3 - dim)
        total = profile.sum(1)
        return torch.where(total > 0, (profile * place).sum(1) / total.clamp(min=1e-12), 0.5)

    return centre


def observables(spec: DataSpec) -> list[Observable]:
    """Mean intensity, contrast, lit share, roughness and the centre of brightness of every picture."""
    return [
        PixelObservable("mean_intensity", "mean intensity", lambda x: x.mean((1, 2, 3))),
        PixelObservable("contrast", "standard deviation of intensity", lambda x: x.flatten(1).std(1, correction=0)),
        PixelObservable("lit", "share of pixels above one half", _lit),
        PixelObservable("roughness", "mean step between neighbours", _roughness),
        PixelObservable("centre_row", "centre of brightness, row", _centre(1)),
        PixelObservable("centre_column", "centre of brightness, column", _centre(2)),
    ]
