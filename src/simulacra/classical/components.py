"""What mixtures and classes are made of: Gaussians, or independent bits, each solved from the sums of its events."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from simulacra.errors import UserError

REAL = torch.float64
FLOOR = 1e-6
"""Smallest variance in any direction, in encoded units: events that coincide have a finite density."""
COVARIANCES = ("full", "diagonal", "shared", "spherical")

Sums = Mapping[str, Tensor]


def floored(covariance: Tensor) -> Tensor:
    """The Cholesky root of the most likely covariance among those with no variance below `FLOOR`, [..., D, D].

    Eigenvalues below the floor are lifted to it (the maximum of a Gaussian likelihood under this constraint, so that
    expectation maximisation still never falls). Where none is below, the covariance is used as it is.
    """
    floor = FLOOR * torch.eye(covariance.shape[-1], dtype=REAL, device=covariance.device)
    if (torch.linalg.cholesky_ex(covariance - floor).info > 0).any():
        values, vectors = torch.linalg.eigh(covariance)
        covariance = (vectors * values.clamp(min=FLOOR)[..., None, :]) @ vectors.mT
    return torch.linalg.cholesky(covariance)


class Gaussians(nn.Module):
    """K Gaussians `N(m_k, C_k)` in D dimensions, in double precision.

    Args:
        count: K.
        size: D.
        covariance: `full`, `diagonal` (independent numbers), `shared` (one full C for all) or `spherical` (one
            variance for all numbers and all k).

    Raises:
        UserError: no such covariance.

    Example:
        >>> one = Gaussians(1, 2)
        >>> x = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]], dtype=REAL)
        >>> one.solve(one.sums(x, torch.ones(4, 1, dtype=REAL)))
        >>> one.mean.tolist(), one.root[0].tolist()
        ([[1.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]])
    """

    mean: Tensor
    root: Tensor

    def __init__(self, count: int, size: int, covariance: str = "full") -> None:
        super().__init__()
        if covariance not in COVARIANCES:
            raise UserError(f"expected covariance {', '.join(COVARIANCES)}, came {covariance!r}; choose one of them")
        self.covariance = covariance
        full = torch.eye(size, dtype=REAL).repeat(1 if covariance == "shared" else count, 1, 1)
        self.register_buffer("mean", torch.zeros(count, size, dtype=REAL))
        root = full if covariance in ("full", "shared") else torch.ones(count, size, dtype=REAL)
        self.register_buffer("root", root)

    def _root(self, k: int) -> Tensor:
        return self.root[0 if self.covariance == "shared" else k]

    def log_prob(self, x: Tensor, ours: slice) -> Tensor:
        """`log N(x; m_k, C_k)` in nats of some components; x [B, D] -> [B, K]."""
        x = x.to(REAL)
        if self.root.dim() == 2:  # |(x - m) / s|^2 by its three terms: products of matrices, in double precision
            mean, scale = self.mean[ours], self.root[ours]
            heavy = scale.square().reciprocal()
            square = x.square() @ heavy.T - 2 * x @ (mean * heavy).T + (mean.square() * heavy).sum(1)
            volume = scale.log().sum(1)
        else:
            roots = [self._root(k) for k in range(*ours.indices(len(self.mean)))]
            away = [
                torch.linalg.solve_triangular(root, (x - m).T, upper=False).square().sum(0)
                for root, m in zip(roots, self.mean[ours], strict=True)
            ]
            square, volume = torch.stack(away, 1), torch.stack([root.diagonal().log().sum() for root in roots])
        return -0.5 * square - volume - x.shape[1] / 2 * math.log(2 * math.pi)

    def noise(self, n: int) -> Tensor:
        """Standard normals [n, D]."""
        return torch.randn(n, self.mean.shape[1], device=self.mean.device)

    def push(self, noise: Tensor, k: int) -> Tensor:
        """Events of component k: `m_k + L_k e` with C = L L'."""
        root, noise = self._root(k), noise.to(REAL)
        return self.mean[k] + (noise * root if root.dim() == 1 else noise @ root.T)

    def sums(self, x: Tensor, share: Tensor) -> dict[str, Tensor]:
        """Events, `sum r x` and `sum r x x'` (or `sum r x^2`) of each component; x [B, D], share r [B, K]."""
        x, out = x.to(REAL), {"events": share.sum(0), "first": share.T @ x}
        if self.root.dim() == 2:
            return {**out, "second": share.T @ x.square()}
        groups = [share.sum(1)] if self.covariance == "shared" else list(share.T)
        second = torch.zeros_like(self.root)
        for k, weight in enumerate(groups):
            rows = weight.nonzero()[:, 0]
            second[k] = (weight[rows, None] * x[rows]).T @ x[rows]
        return {**out, "second": second}

    def solve(self, sums: Sums) -> None:
        """Maximum likelihood: means and covariances of each component's events; one without events stays."""
        events, seen = sums["events"], sums["events"] > 0
        heavy = torch.where(seen, events, torch.ones_like(events))[:, None]
        mean = torch.where(seen[:, None], sums["first"] / heavy, self.mean)
        self.mean.copy_(mean)
        if self.covariance == "shared":
            between = (events[:, None] * mean).T @ mean
            self.root.copy_(floored(((sums["second"][0] - between) / events.sum())[None]))
            return
        if self.covariance == "full":
            spread = sums["second"] / heavy[..., None] - mean[:, :, None] * mean[:, None]
            self.root[seen] = floored(spread[seen])
            return
        spread = sums["second"] / heavy - mean.square()
        if self.covariance == "spherical":
            spread = ((events[:, None] * spread)[seen].sum(0) / events.sum()).mean().expand_as(spread)
        self.root.copy_(torch.where(seen[:, None], spread.clamp(min=FLOOR).sqrt(), self.root))


class Bits(nn.Module):
    """K rows of D independent bits, 1 with probability `p_kv` (Bernoulli), in double precision.

    Args:
        count: K.
        size: D.
        smoothing: Laplace's: p = (ones + s) / (events + 2 s), so that nothing is impossible that was not seen.

    Raises:
        UserError: the smoothing is not positive.

    Example:
        >>> bits = Bits(1, 1)
        >>> bits.solve(bits.sums(torch.ones(2, 1), torch.ones(2, 1, dtype=REAL)))
        >>> bits.chance.tolist()
        [[0.75]]
    """

    chance: Tensor

    def __init__(self, count: int, size: int, smoothing: float = 1.0) -> None:
        super().__init__()
        if smoothing <= 0:
            raise UserError(f"expected a smoothing above 0, came {smoothing}; 1 is Laplace's")
        self.smoothing = smoothing
        self.register_buffer("chance", torch.full((count, size), 0.5, dtype=REAL))

    def log_prob(self, x: Tensor, ours: slice) -> Tensor:
        """`sum_v log p_kv^x_v (1 - p_kv)^(1 - x_v)` of some components; x [B, D] of 0 and 1 -> [B, K]."""
        one, zero = self.chance[ours].log(), (-self.chance[ours]).log1p()
        return x.to(REAL) @ (one - zero).T + zero.sum(1)

    def noise(self, n: int) -> Tensor:
        """Uniform numbers [n, D]."""
        return torch.rand(n, self.chance.shape[1], device=self.chance.device)

    def push(self, noise: Tensor, k: int) -> Tensor:
        """Events of component k: 1 where the noise is below p_k."""
        return (noise < self.chance[k]).to(REAL)

    def sums(self, x: Tensor, share: Tensor) -> dict[str, Tensor]:
        """Events and ones of each component; x [B, D], share r [B, K]."""
        return {"events": share.sum(0), "first": share.T @ x.to(REAL)}

    def solve(self, sums: Sums) -> None:
        """Frequencies, smoothed."""
        s = self.smoothing
        self.chance.copy_((sums["first"] + s) / (sums["events"] + 2 * s)[:, None])
