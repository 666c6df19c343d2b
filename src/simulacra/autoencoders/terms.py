"""What keeps the posteriors q(z | x) near the prior p(z): the second half of every variational autoencoder's loss."""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent

from simulacra.batch import Batch
from simulacra.distributions import kl


class Divergence(Protocol):
    """A number that is small where q(z | x) and p(z) agree, of a batch and one draw z ~ q [B, latent] per event."""

    def __call__(self, batch: Batch, q: Distribution, p: Distribution, z: Tensor) -> Tensor: ...


class KL(nn.Module):
    """`beta E_x KL(q(z | x) | p(z))`: 1 is the evidence lower bound, above 1 a beta-VAE.

    Args:
        beta: 4 in most of the beta-VAE's figures.

    Source: Kingma and Welling (2014), arXiv:1312.6114; beta: Higgins et al. (2017).
    """

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, batch: Batch, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        return self.beta * batch.mean(kl(q, p, z))


class Capacity(nn.Module):
    """`gamma |E_x KL(q(z | x) | p(z)) - C|`: the code may hold C nats, the capacity, which grows over the run.

    C is the buffer `capacity`; `Anneal` moves it.

    Source: Burgess et al. (2018), arXiv:1804.03599.
    """

    capacity: Tensor

    def __init__(self, gamma: float = 100.0) -> None:
        super().__init__()
        self.gamma = gamma
        self.register_buffer("capacity", torch.tensor(0.0))

    def forward(self, batch: Batch, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        return self.gamma * (batch.mean(kl(q, p, z)) - self.capacity).abs()


def decompose(q: Any, p: Any, z: Tensor, rows: int, weight: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """KL(q | p) as index-code mutual information + total correlation + dimension-wise KL, each [B].

    `log q(z|x) - log q(z)`, `log q(z) - sum_j log q(z_j)`, `sum_j log q(z_j) - log p(z_j)`, whose sum is one draw of
    the KL whatever q(z) is taken for. The aggregated posterior is estimated from the batch by minibatch-weighted
    sampling, `q(z) ~ 1 / (B N) sum_i q(z | x_i)`: it is too small while B < N, by the same factor for each number.

    Args:
        q: the posteriors of the batch, independent Gaussians [B, D].
        p: an independent prior [D].
        z: a draw from each [B, D].
        rows: N, events of the data set.
        weight: of the events [B]; the aggregated posterior counts each by its own over their mean.

    Source: Chen et al. (2018), arXiv:1802.04942.
    """
    pairs = q.base_dist.expand((len(z), *q.batch_shape, z.shape[1])).log_prob(z[:, None])  # [B, B, D]
    share = z.new_zeros(len(z)) if weight is None else (weight * len(z) / weight.sum()).log().to(z)
    norm = math.log(len(z) * rows)
    joint = (pairs.sum(2) + share).logsumexp(1) - norm
    each = ((pairs + share[:, None]).logsumexp(1) - norm).sum(1)
    return q.log_prob(z) - joint, joint - each, each - p.log_prob(z)


class TotalCorrelation(nn.Module):
    """`alpha I(x; z) + beta TC(z) + gamma sum_j KL(q(z_j) | p(z_j))`: only the total correlation is weighted.

    The KL in three pieces (`decompose`): what the code knows of the event, how far its numbers depend on each other,
    and how far each is from its prior. With all weights 1 it is the KL.

    Source: Chen et al. (2018), arXiv:1802.04942.
    """

    def __init__(self, rows: int, alpha: float = 1.0, beta: float = 6.0, gamma: float = 1.0) -> None:
        super().__init__()
        self.rows, self.alpha, self.beta, self.gamma = rows, alpha, beta, gamma

    def forward(self, batch: Batch, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        if not isinstance(q, Independent):
            raise ValueError(f"expected independent Gaussians, came {type(q).__name__}; use LatentEncoder")
        information, total, each = decompose(q, p, z, max(self.rows, len(batch)), batch.weight)
        return batch.mean(self.alpha * information + self.beta * total + self.gamma * each)


class MMD:
    """The maximum mean discrepancy of codes and draws of N(0, 1), squared, times `weight` (WAE-MMD).

    `E k(z, z') + E k(y, y') - 2 E k(z, y)` without the pairs of an event with itself, so that it is 0 on average where
    codes are distributed as the prior. The kernel is the sum over s of `C / (C + |a - b|^2)` with `C = 2 D s`.

    Args:
        weight: of a code that is wrong against a squared error.

    Source: Tolstikhin et al. (2018), arXiv:1711.01558.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> near, far = (MMD()(Batch(torch.zeros(500, 1)), torch.randn(500, 2) + shift) for shift in (0.0, 3.0))
        >>> bool(near.abs() < 0.5), bool(far > 5)
        (True, True)
    """

    scales = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)

    def __init__(self, weight: float = 10.0) -> None:
        self.weight = weight

    def kernel(self, a: Tensor, b: Tensor) -> Tensor:
        """[A, D], [B, D] -> [A, B]."""
        away = (a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T).clamp(min=0)
        return sum((2 * a.shape[1] * s / (2 * a.shape[1] * s + away) for s in self.scales), torch.zeros_like(away))

    def __call__(self, batch: Batch, z: Tensor) -> Tensor:
        if len(z) < 2:
            return 0 * z.sum()
        y = torch.randn_like(z)
        share = torch.ones_like(z[:, 0]) if batch.weight is None else batch.weight.to(z)
        share = share / share.sum().clamp(min=1e-12)
        others = 1 - torch.eye(len(z), device=z.device, dtype=z.dtype)
        pairs = share[:, None] * share * others
        same = (pairs * self.kernel(z, z)).sum() / pairs.sum().clamp(min=1e-12)
        prior = (others * self.kernel(y, y)).sum() / others.sum()
        return self.weight * (same + prior - 2 * (share @ self.kernel(z, y)).mean())
