"""The f-GAN: a critic that estimates any f-divergence from below, by the convex conjugate of f."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class FDivergence:
    """An f-divergence `D_f(p, q) = E_q f(p/q)`, f convex with f(1) = 0, as a game of scores.

    With the Fenchel conjugate `f*(t) = sup_u (u t - f(u))`, every function T gives a lower bound
    `E_p T - E_q f*(T) <= D_f(p, q)`, which is tight at T = f'(p/q). The critic's score v may be any number;
    T = g(v) brings it into the domain of f*.

    Attributes:
        name: as in `DIVERGENCES`.
        f: of the ratio u = p/q.
        activation: g, rising; v -> T.
        conjugate: f* of T.
        on_fake: f*(g(v)), written so that nothing overflows on the way.
        best: the score of the optimal critic, g^-1(f'(u)), of the logarithm of the ratio, log u.
    """

    name: str
    f: Map = field(repr=False)
    activation: Map = field(repr=False)
    conjugate: Map = field(repr=False)
    on_fake: Map = field(repr=False)
    best: Map = field(repr=False)


def _same(v: Tensor) -> Tensor:
    return v


_TABLE = (
    FDivergence(
        "kl",
        f=lambda u: u * u.log(),
        activation=_same,
        conjugate=lambda t: (t - 1).exp(),
        on_fake=lambda v: (v - 1).exp(),
        best=lambda log_u: 1 + log_u,
    ),
    FDivergence(
        "reverse_kl",
        f=lambda u: -u.log(),
        activation=lambda v: -(-v).exp(),
        conjugate=lambda t: -1 - (-t).log(),
        on_fake=lambda v: v - 1,
        best=_same,
    ),
    FDivergence(
        "pearson",
        f=lambda u: (u - 1).square(),
        activation=_same,
        conjugate=lambda t: t.square() / 4 + t,
        on_fake=lambda v: v.square() / 4 + v,
        best=lambda log_u: 2 * torch.expm1(log_u),
    ),
    FDivergence(
        "hellinger",
        f=lambda u: (u.sqrt() - 1).square(),
        activation=lambda v: -torch.expm1(-v),
        conjugate=lambda t: t / (1 - t),
        on_fake=torch.expm1,
        best=lambda log_u: log_u / 2,
    ),
    FDivergence(
        "jensen_shannon",
        f=lambda u: u * u.log() - (1 + u) * ((1 + u) / 2).log(),
        activation=lambda v: math.log(2) - softplus(-v),
        conjugate=lambda t: -(2 - t.exp()).log(),
        on_fake=lambda v: softplus(v) - math.log(2),
        best=_same,
    ),
    FDivergence(
        "gan",
        f=lambda u: u * u.log() - (1 + u) * (1 + u).log(),
        activation=lambda v: -softplus(-v),
        conjugate=lambda t: -torch.log(-torch.expm1(t)),
        on_fake=softplus,
        best=_same,
    ),
)

DIVERGENCES: dict[str, FDivergence] = {row.name: row for row in _TABLE}
"""f-divergences by name, in the convention of Nowozin et al., tables 1, 2 and 6; u = p/q.

| name | f(u) | g(v) | f*(t) | best T | value at the best T |
|---|---|---|---|---|---|
| `kl` | u log u | v | exp(t - 1) | 1 + log u | KL(p, q) |
| `reverse_kl` | -log u | -exp(-v) | -1 - log(-t) | -1/u | KL(q, p) |
| `pearson` | (u - 1)^2 | v | t^2/4 + t | 2(u - 1) | sum (p - q)^2 / q |
| `hellinger` | (sqrt u - 1)^2 | 1 - exp(-v) | t/(1 - t) | 1 - 1/sqrt u | sum (sqrt p - sqrt q)^2, at most 2 |
| `jensen_shannon` | u log u - (1+u) log((1+u)/2) | log 2 - softplus(-v) | -log(2 - exp t) | log(2u/(1+u)) | 2 JS |
| `gan` | u log u - (1+u) log(1+u) | -softplus(-v) | -log(1 - exp t) | log(u/(1+u)) | 2 JS - 2 log 2 |

`gan` has f(1) = -2 log 2. Pearson's conjugate is that of (u - 1)^2 over all u, as in the paper; scores below -2,
which stand for negative ratios, are thereby drawn back.
"""


@dataclass(frozen=True)
class Variational:
    """Variational minimisation of an f-divergence: critic `f*(g(fake)) - g(real)`, generator `-g(fake)`.

    The critic's loss at its optimum is -D_f(p, q). The generator maximises E_q T in place of minimising
    -E_q f*(T), as the non-saturating game does; `saturating=True` makes it the minimax game itself, in which it
    minimises the divergence that the critic has found.

    Source: Nowozin, Cseke and Tomioka (2016), arXiv 1606.00709; the alternative is in its section 3.2.

    Example:
        >>> import torch
        >>> p, q = torch.tensor([0.5, 0.5]), torch.tensor([0.9, 0.1])
        >>> divergence = DIVERGENCES["kl"]
        >>> score = divergence.best((p / q).log())
        >>> bound = (p * divergence.activation(score) - q * divergence.on_fake(score)).sum()
        >>> bool(torch.isclose(bound, (p * (p / q).log()).sum()))
        True
    """

    relative: ClassVar[bool] = False
    divergence: FDivergence = DIVERGENCES["jensen_shannon"]
    saturating: bool = False

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return self.divergence.on_fake(fake) - self.divergence.activation(real)

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return -(self.divergence.on_fake(fake) if self.saturating else self.divergence.activation(fake))
