"""A head in which features of an event meet its conditions in a hidden layer of their own."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import Field, Given
from simulacra.networks.conditioning import Conditions


class JointHead(nn.Module):
    """A joint hidden layer: `score = w . lrelu(U phi + V y + c) + b`; features [B, F] and conditions y -> [B].

    Classes are one-hot. The numbers of V start as N(0, 1), so that the units which a class opens are its own from the
    first round.

    Args:
        features: F.
        given_fields: the conditions by physical name, at least one.
        hidden: units of the joint layer.

    Raises:
        ValueError: there are no conditions.

    Source: Mirza and Osindero (2014), section 4.1, arXiv 1411.1784; theirs are maxout units.

    Example:
        >>> import torch
        >>> head = JointHead(4, {"label": Field((), "class", 10)}, 8)
        >>> head(torch.zeros(2, 4), {"label": torch.tensor([3, 7])}).shape
        torch.Size([2])
    """

    def __init__(self, features: int, given_fields: Mapping[str, Field], hidden: int) -> None:
        super().__init__()
        self.conditions = Conditions(given_fields)
        if not self.conditions.size:
            raise ValueError("expected at least one condition for JointHead, came none; use LinearHead")
        self.seen = nn.Linear(features, hidden)
        self.told = nn.Linear(self.conditions.size, hidden, bias=False)
        nn.init.normal_(self.told.weight)
        self.score = nn.Linear(hidden, 1)

    def forward(self, features: Tensor, given: Given = {}) -> Tensor:
        told = self.told(self.conditions(given).to(features.dtype))
        return self.score(functional.leaky_relu(self.seen(features) + told, 0.2))[:, 0]
