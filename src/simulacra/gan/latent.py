"""What generators start from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Latent(Protocol):
    """A distribution of `size` numbers; `project` gives the nearest point of its support, [n, size]."""

    @property
    def size(self) -> int: ...

    def draw(self, n: int, device: torch.device | str = "cpu") -> Tensor: ...

    def project(self, z: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class StandardNormal:
    """Latent z ~ N(0, 1), [n, size]."""

    size: int

    def draw(self, n: int, device: torch.device | str = "cpu") -> Tensor:
        return torch.randn(n, self.size, device=device)

    def project(self, z: Tensor) -> Tensor:
        return z


@dataclass(frozen=True)
class UniformCube:
    """z ~ U(-1, 1), [n, size]."""

    size: int

    def draw(self, n: int, device: torch.device | str = "cpu") -> Tensor:
        return torch.rand(n, self.size, device=device) * 2 - 1

    def project(self, z: Tensor) -> Tensor:
        return z.clamp(-1, 1)


@dataclass(frozen=True)
class TruncatedNormal:
    """The truncation trick: z ~ N(0, 1) where numbers beyond `limit` are drawn again, [n, size].

    A generator that was trained with N(0, 1) and is fed from the middle makes better and less diverse events:
    `Pushforward(model.generator, TruncatedNormal(120, 0.5))` samples a trained `model` so.

    Source: Brock, Donahue and Simonyan (2019), section 3.1, arXiv 1809.11096.

    Example:
        >>> bool(TruncatedNormal(3, limit=0.5).draw(100).abs().max() <= 0.5)
        True
    """

    size: int
    limit: float

    def draw(self, n: int, device: torch.device | str = "cpu") -> Tensor:
        return torch.nn.init.trunc_normal_(torch.empty(n, self.size, device=device), a=-self.limit, b=self.limit)

    def project(self, z: Tensor) -> Tensor:
        return z.clamp(-self.limit, self.limit)
