"""Independent marginals: every number right on its own, and nothing between them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from simulacra.batch import Batch, DataSpec, Given
from simulacra.classical.bins import Bins
from simulacra.training.game import Loss

TAIL = 1e-4  # the outermost level


class Marginals(nn.Module):
    """`p(x | given) = prod_v p_v(x_v | bin of given)`, each p_v by its quantile function.

    A table [bins, V, Q] holds the quantiles at levels that are equally spaced in `ln(p / (1 - p))`, so that rare values
    keep their frequency. A draw is uniform in p, linear between two quantiles; beside a value that fills several levels
    (an empty cell, a black pixel) lies nothing, and the nearer of the two is taken. A bin into which no event fell gets
    the mean quantiles of the others.

    Args:
        spec: encoded.
        quantiles: Q.
        bins: of the lead condition; classes have one each.

    Example:
        >>> from simulacra.batch import Field
        >>> model = Marginals(DataSpec("pair", "vector", Field((2,))), quantiles=65)
        >>> x = torch.rand(500, 1).repeat(1, 2)
        >>> _ = model.solve(model.collect(Batch(x)))
        >>> made = model.sample(2000).x
        >>> bool(made.T.corrcoef()[0, 1].abs() < 0.1)
        True
    """

    table: Tensor
    levels: Tensor

    def __init__(self, spec: DataSpec, quantiles: int = 257, bins: int = 10) -> None:
        super().__init__()
        self.shape, self.bins = spec.x.shape, Bins(spec.given, bins)
        edge = float(np.log(1 / TAIL - 1))
        inner = torch.linspace(-edge, edge, quantiles - 2, dtype=torch.float64).sigmoid().float()
        self.register_buffer("levels", torch.cat([torch.zeros(1), inner, torch.ones(1)]), persistent=False)
        self.register_buffer("table", torch.zeros(self.bins.size, spec.x.size, quantiles))

    def begin(self, batch: Batch) -> None:
        """Fits the bins."""
        self.bins.fit(batch.given)

    def collect(self, batch: Batch) -> dict[str, Tensor]:
        """Quantiles times events, and events, per bin: over pieces and processes the quantiles are averaged."""
        x, index = batch.x.flatten(1), self.bins(len(batch), batch.given)
        weight = torch.ones(len(batch), device=x.device) if batch.weight is None else batch.weight
        events = torch.zeros(self.bins.size, device=x.device).index_add_(0, index, weight.to(x.dtype))
        table = torch.zeros_like(self.table)
        for k in events.nonzero()[:, 0].tolist():
            rows = index == k
            table[k] = events[k] * self._quantiles(x[rows], None if batch.weight is None else weight[rows])
        return {"table": table, "events": events}

    def _quantiles(self, x: Tensor, weight: Tensor | None) -> Tensor:
        """The inverse of the empirical distribution function of each number, [V, Q]."""
        if weight is None:
            rows = (self.levels * len(x)).ceil().long().sub(1).clamp(0, len(x) - 1)
            return x.sort(0).values[rows].T
        options = {"method": "inverted_cdf", "weights": weight.cpu().numpy()}
        found = np.quantile(x.cpu().numpy(), self.levels.cpu().numpy(), axis=0, **options)
        return torch.from_numpy(found).to(x).T

    def solve(self, sums: Mapping[str, Tensor]) -> Loss:
        """Sets the table."""
        events = sums["events"]
        table = sums["table"] / events.clamp(min=1e-30)[:, None, None]
        table[events == 0] = table[events > 0].mean(0)
        self.table.copy_(table)
        return Loss({}, {"events": events.sum(), "empty_bins": (events == 0).sum()})

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """n events, each number on its own."""
        (_, numbers, quantiles), flat = self.table.shape, self.table.flatten()
        u = torch.rand(n, numbers, device=flat.device)
        k = torch.searchsorted(self.levels, u, right=True).sub(1).clamp(0, quantiles - 2)
        low = self.levels[k]
        share = (u - low) / (self.levels[k + 1] - low)
        row = (self.bins(n, given)[:, None] * numbers + torch.arange(numbers, device=flat.device)) * quantiles
        below, above = flat[row + k], flat[row + k + 1]
        alone = (flat[row + (k - 1).clamp(min=0)] == below) & (k > 0)
        alone |= (flat[row + (k + 2).clamp(max=quantiles - 1)] == above) & (k < quantiles - 2)
        x = torch.lerp(below, above, torch.where(alone, share.round(), share))
        return Batch(x.view(n, *self.shape), given)
