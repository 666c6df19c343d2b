"""Conditions as bins: each class on its own, and the lead condition in quantiles."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from simulacra.batch import Field, Given


class Bins(nn.Module):
    """The bin of every event: its classes, times the quantile bin of its lead condition (the first real one).

    Args:
        fields: the encoded conditions by physical name.
        count: bins of the lead condition, equally filled.

    Attributes:
        size: bins in all; 1 where there is no condition.
        edges: [count - 1], fitted.

    Example:
        >>> bins = Bins({"label": Field((), "class", 3), "energy": Field((1,))}, count=2)
        >>> given = {"label": torch.tensor([0, 2, 2]), "energy": torch.tensor([[1.0], [2.0], [9.0]])}
        >>> bins.fit(given)
        >>> bins(3, given).tolist()
        [0, 5, 5]
    """

    edges: Tensor

    def __init__(self, fields: Mapping[str, Field], count: int) -> None:
        super().__init__()
        self.classes = {name: f.levels for name, f in fields.items() if f.kind == "class" and f.size == 1}
        self.lead = next((name for name, f in fields.items() if f.kind == "real"), None)
        self.size = math.prod(self.classes.values()) * (1 if self.lead is None else count)
        self.register_buffer("edges", torch.zeros(0 if self.lead is None else count - 1))

    @torch.no_grad()
    def fit(self, given: Given) -> None:
        """Sets the edges to the quantiles of the lead condition."""
        if self.lead is not None:
            levels = torch.linspace(0, 1, len(self.edges) + 2)[1:-1]
            values = self._number(given).sort().values
            self.edges.copy_(values[(levels * len(values)).long().clamp(max=len(values) - 1).to(values.device)])

    def forward(self, n: int, given: Given) -> Tensor:
        """Bin numbers of n events, [n]."""
        index = torch.zeros(n, dtype=torch.long, device=self.edges.device)
        for name, levels in self.classes.items():
            index = index * levels + given[name].reshape(n).long()
        if self.lead is not None:
            index = index * (len(self.edges) + 1) + torch.bucketize(self._number(given), self.edges, right=True)
        return index

    def _number(self, given: Given) -> Tensor:
        assert self.lead is not None
        return given[self.lead].flatten(1)[:, 0].contiguous()
