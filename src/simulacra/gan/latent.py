"""What generators start from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Latent(Protocol):
    """A distribution of `size` independent numbers."""

    @property
    def size(self) -> int: ...

    def draw(self, n: int, device: torch.device | str = "cpu") -> Tensor: ...


@dataclass(frozen=True)
class StandardNormal:
    """Latent z ~ N(0, 1), [n, size]."""

    size: int

    def draw(self, n: int, device: torch.device | str = "cpu") -> Tensor:
        return torch.randn(n, self.size, device=device)


@dataclass(frozen=True)
class UniformCube:
    """z ~ U(-1, 1), [n, size]."""

    size: int

    def draw(self, n: int, device: torch.device | str = "cpu") -> Tensor:
        return torch.rand(n, self.size, device=device) * 2 - 1
