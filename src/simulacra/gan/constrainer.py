"""A third player who reads a condition off the event, and a generator that must be as readable as the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from simulacra.batch import Batch, Given
from simulacra.gan.duel import Duel
from simulacra.training.game import Loss


class _Features(Protocol):
    def __call__(self, x: Tensor, given: Given) -> Tensor: ...


class Constrainer(nn.Module):
    """A constrainer reads `given[name]` off x by regression; trained on real events only.

    `mean (a(x) - given)^2` over the numbers of the condition.

    Args:
        regressor: x [B, *event] -> [B, K].
        name: of the condition, as in `given`.

    Source: Erdmann, Glombitza and Quast (2018), arXiv 1807.01954.
    """

    def __init__(self, regressor: nn.Module, name: str = "energy") -> None:
        super().__init__()
        self.regressor, self.name = regressor, name

    def errors(self, batch: Batch) -> Tensor:
        """The squared error of each event, [B]."""
        read = self.regressor(batch.x, batch.given)
        return (read - batch.given[self.name].flatten(1)).square().mean(1)

    def loss(self, batch: Batch) -> Loss:
        """Of the third player."""
        return Loss({"constrainer": batch.mean(self.errors(batch))})


@dataclass(frozen=True, eq=False)
class SameError:
    """Asks that the constrainer errs on fakes as it does on real events: `| MSE(real) - MSE(fake) |`.

    A smaller error on fakes than on data is punished too: fakes must not be more regular than data.

    Source: Erdmann, Glombitza and Quast (2018), arXiv 1807.01954.
    """

    constrainer: Constrainer
    weight: float = 0.01
    name: str = "constrainer"

    def __call__(self, duel: Duel) -> Tensor:
        with torch.no_grad():
            real = duel.mean(self.constrainer.errors(duel.real))
        return (real - duel.mean(self.constrainer.errors(duel.fake))).abs()
