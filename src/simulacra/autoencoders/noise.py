"""What a denoising autoencoder has to undo."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from simulacra.errors import UserError, nearest

KINDS = ("gaussian", "masking", "salt_and_pepper")


@dataclass(frozen=True)
class Corruption:
    """A corruption of events [B, *event], drawn anew each time.

    `gaussian` adds N(0, amount^2) to every number; `masking` puts a share `amount` of numbers at `low`;
    `salt_and_pepper` puts a share `amount` of them at `low` or `high`, with equal probability.

    Args:
        kind: one of the three.
        amount: a width in encoded units, or a share.
        low, high: the smallest and largest value: black and white.

    Raises:
        UserError: the kind is unknown, or the amount is not in its range.

    Source: Vincent et al. (2010), "Stacked denoising autoencoders".

    Example:
        >>> Corruption("masking", 1.0)(torch.ones(2, 2))
        tensor([[-1., -1.],
                [-1., -1.]])
    """

    kind: str = "gaussian"
    amount: float = 0.5
    low: float = -1.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(
                f"expected a corruption among {', '.join(KINDS)}, came {self.kind!r}; {nearest(self.kind, KINDS)}"
            )
        if self.amount < 0 or (self.kind != "gaussian" and self.amount > 1):
            raise UserError(
                f"expected an amount of {self.kind} noise from 0, shares up to 1, came {self.amount}; choose another"
            )

    def __call__(self, x: Tensor) -> Tensor:
        if self.kind == "gaussian":
            return x + self.amount * torch.randn_like(x)
        hit = torch.rand_like(x) < self.amount
        if self.kind == "masking":
            return x.masked_fill(hit, self.low)
        white = torch.rand_like(x) < 0.5
        return torch.where(hit, torch.where(white, self.high, self.low), x)
