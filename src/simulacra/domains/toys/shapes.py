"""The two kinds of toy: mixtures of Gaussians, and curves blurred by Gaussian noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from simulacra.random import seed_of


@runtime_checkable
class Toy(Protocol):
    """A distribution known exactly, small enough to be judged without error."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...

    @property
    def kinds(self) -> int: ...

    @property
    def modes(self) -> tuple[Tensor, float] | None: ...

    def draw(self, n: int, seed: int) -> tuple[Tensor, Tensor]: ...

    def sample(self, n: int, seed: int) -> Tensor: ...

    def log_prob(self, x: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Mixture:
    """Gaussians with diagonal covariances: `p(x) = sum_k w_k prod_d N(x_d; c_kd, s_kd^2)`.

    Attributes:
        centres: K points of D numbers.
        sigma: one width for all, or K rows of D widths.
        weights: K shares that sum to 1; empty for equal ones.

    Example:
        >>> pair = Mixture("pair", ((-1.0,), (1.0,)), 0.1)
        >>> pair.sample(3, seed=1).shape, round(pair.log_prob(torch.tensor([[1.0]])).item(), 4)
        (torch.Size([3, 1]), 0.6905)
    """

    name: str
    centres: tuple[tuple[float, ...], ...]
    sigma: float | tuple[tuple[float, ...], ...]
    weights: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        return len(self.centres[0])

    @property
    def kinds(self) -> int:
        return len(self.centres)

    @property
    def modes(self) -> tuple[Tensor, float] | None:
        """The centres [K, D] and their common width, where they share one."""
        return (torch.tensor(self.centres), self.sigma) if isinstance(self.sigma, float) else None

    @property
    def widths(self) -> np.ndarray:
        return np.broadcast_to(np.asarray(self.sigma, dtype=float), (self.kinds, self.size))

    @property
    def shares(self) -> np.ndarray:
        return np.asarray(self.weights or [1 / self.kinds] * self.kinds)

    def draw(self, n: int, seed: int) -> tuple[Tensor, Tensor]:
        """Points [n, D] and which Gaussian each is from [n]; the same for the same seed."""
        draws = np.random.default_rng(seed_of("toy", self.name, seed))
        kind = draws.choice(self.kinds, size=n, p=self.shares)
        x = np.asarray(self.centres)[kind] + self.widths[kind] * draws.standard_normal((n, self.size))
        return torch.from_numpy(x).float(), torch.from_numpy(kind)

    def sample(self, n: int, seed: int) -> Tensor:
        return self.draw(n, seed)[0]

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats; x [B, D] -> [B], in double precision."""
        widths = torch.from_numpy(self.widths.copy())
        away = (x.double()[:, None] - torch.tensor(self.centres, dtype=torch.float64)) / widths
        each = -0.5 * away.square().sum(-1) - widths.log().sum(-1) - 0.5 * self.size * math.log(2 * math.pi)
        return torch.logsumexp(each + torch.from_numpy(self.shares).log(), 1)


Path = Callable[[np.ndarray], np.ndarray]
"""Points [N, 2] of a curve at times [N] in [0, 1]."""


@dataclass(frozen=True)
class Curves:
    """Uniform times on smooth curves, plus noise: `p(x) = mean_k int_0^1 N(x; c_k(t), sigma^2 1) dt`.

    The integral is taken by Gauss-Legendre quadrature, whose error is far below single precision as long as the
    nodes lie closer together than `sigma`.

    Attributes:
        paths: the curves, equally likely.
        sigma: of the noise in each direction.
        nodes: of the quadrature.
    """

    name: str
    paths: tuple[Path, ...]
    sigma: float
    nodes: int = 512

    @property
    def size(self) -> int:
        return 2

    @property
    def kinds(self) -> int:
        return len(self.paths)

    @property
    def modes(self) -> None:
        return None

    def draw(self, n: int, seed: int) -> tuple[Tensor, Tensor]:
        """Points [n, 2] and which curve each is from [n]; the same for the same seed."""
        draws = np.random.default_rng(seed_of("toy", self.name, seed))
        kind, time = draws.integers(self.kinds, size=n), draws.random(n)
        points = np.stack([path(time) for path in self.paths])[kind, np.arange(n)]
        return torch.from_numpy(points + self.sigma * draws.standard_normal((n, 2))).float(), torch.from_numpy(kind)

    def sample(self, n: int, seed: int) -> Tensor:
        return self.draw(n, seed)[0]

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats; x [B, 2] -> [B], in double precision."""
        nodes, weights = np.polynomial.legendre.leggauss(self.nodes)
        time = (nodes + 1) / 2
        points = torch.from_numpy(np.concatenate([path(time) for path in self.paths]))
        share = torch.from_numpy(np.tile(weights / 2 / self.kinds, self.kinds)).log()
        scale = math.log(2 * math.pi * self.sigma**2)
        out = [
            torch.logsumexp(share - 0.5 * _squares(part, points) / self.sigma**2, 1) for part in x.double().split(4096)
        ]
        return torch.cat(out) - scale if out else x.new_zeros(0).double()


def _squares(x: Tensor, points: Tensor) -> Tensor:
    """Squared distances [B, N], without the cancellation of the expanded square."""
    return sum(((x[:, d, None] - points[:, d]).square() for d in range(x.shape[1])), x.new_zeros(()))


def arc(centre: Sequence[float], radii: Sequence[float], start: float, stop: float) -> Path:
    """An ellipse's arc between two angles, run through at constant angular speed."""

    def path(time: np.ndarray) -> np.ndarray:
        angle = start + (stop - start) * time
        return np.stack([centre[0] + radii[0] * np.cos(angle), centre[1] + radii[1] * np.sin(angle)], 1)

    return path


def segment(start: Sequence[float], stop: Sequence[float]) -> Path:
    """A straight line from one point to another."""
    return lambda time: np.asarray(start) + time[:, None] * (np.asarray(stop) - np.asarray(start))


def spiral(turns: tuple[float, float], scale: float) -> Path:
    """`(a cos a, a sin a) / scale` for angles a between `turns` half turns (in units of pi)."""

    def path(time: np.ndarray) -> np.ndarray:
        angle = math.pi * (turns[0] + (turns[1] - turns[0]) * time)
        return np.stack([angle * np.cos(angle), angle * np.sin(angle)], 1) / scale

    return path
