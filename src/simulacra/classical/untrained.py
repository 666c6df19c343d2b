"""A generator as it was initialised: what training must improve on."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from simulacra.batch import Batch
from simulacra.gan.pushforward import Pushforward
from simulacra.training.game import Loss


class Untrained(Pushforward):
    """A frozen generator: `collect` counts events and `solve` leaves everything as it is."""

    def freeze(self) -> Untrained:
        """The same, with no parameter that can move."""
        return self.requires_grad_(False)

    @torch.no_grad()
    def begin(self, batch: Batch) -> None:
        """Gives batch norm the statistics of a first batch, as a first training step has them."""
        for module in self.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.momentum = None  # the plain average
        self.push(self.noise(len(batch)), batch.given)

    def collect(self, batch: Batch) -> dict[str, Tensor]:
        return {"events": torch.tensor(float(len(batch)), device=batch.x.device)}

    def solve(self, sums: Mapping[str, Tensor]) -> Loss:
        return Loss({}, {"events": sums["events"]})
