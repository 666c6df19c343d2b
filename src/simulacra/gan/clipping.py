"""The first way to bound a critic's slope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from simulacra.batch import Batch


@dataclass(frozen=True, eq=False)
class WeightClipping:
    """Weight clipping: after the critic's step, puts each of its weights back into [-limit, limit].

    Bounds the slope by some constant, so that the critic's loss is W1 up to a factor; drives most weights to the
    limit, which makes the critic simple.

    Source: Arjovsky, Chintala and Bottou (2017), arXiv 1701.07875.
    """

    module: nn.Module
    limit: float = 0.01

    def __call__(self, batch: Batch, seen: Mapping[str, Tensor]) -> None:
        for parameter in self.module.parameters():
            parameter.detach().clamp_(-self.limit, self.limit)
