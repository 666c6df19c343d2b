"""NADE: an autoregressive model whose hidden layer is updated from one number to the next."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NADE(nn.Module):
    """NADE, the neural autoregressive distribution estimator: log odds of every bit given those before it.

        logit P(x_d = 1 | x_<d) = b_d + V_d . sigmoid(a_d),    a_1 = c,    a_{d+1} = a_d + W_d x_d

    All D hidden layers share W, and each differs from the one before by one column, so an event costs O(DH) for H
    hidden units, in training and in drawing. What is given moves c and b. Shapes ([B, D], [B, S] or `None`) -> [B, D].

    Args:
        inputs: D.
        hidden: H.
        given_size: S, width of the conditions.

    Example:
        >>> net = NADE(3, 8)
        >>> x = torch.zeros(1, 3, requires_grad=True)
        >>> net(x)[0, 1].backward()  # the second bit depends on the first one only
        >>> (x.grad != 0).tolist()
        [[True, False, False]]

    Source: Larochelle and Murray (2011); Uria, Côté, Gregor, Murray and Larochelle (2016), arXiv:1605.02226.
    """

    def __init__(self, inputs: int, hidden: int, given_size: int = 0) -> None:
        super().__init__()
        scale = hidden**-0.5
        self.into = nn.Parameter((2 * torch.rand(inputs, hidden) - 1) * scale)
        self.out = nn.Parameter((2 * torch.rand(inputs, hidden) - 1) * scale)
        self.bias, self.hidden_bias = nn.Parameter(torch.zeros(inputs)), nn.Parameter(torch.zeros(hidden))
        self.told = nn.Linear(given_size, hidden + inputs, bias=False) if given_size else None

    def _biases(self, like: Tensor, told: Tensor | None) -> tuple[Tensor, Tensor]:
        """c [B, H] and b [B, D] of each event."""
        hidden, visible = self.hidden_bias.expand(len(like), -1), self.bias.expand(len(like), -1)
        if self.told is None or told is None:
            return hidden, visible
        moved = self.told(told)
        return hidden + moved[:, : hidden.shape[1]], visible + moved[:, hidden.shape[1] :]

    def forward(self, x: Tensor, told: Tensor | None = None) -> Tensor:
        start, bias = self._biases(x, told)
        steps = x[:, :-1, None] * self.into[:-1]
        sums = torch.cat([start[:, None], start[:, None] + steps.cumsum(1)], 1)
        return bias + (sums.sigmoid() * self.out).sum(2)

    def draw(self, uniform: Tensor, told: Tensor | None = None) -> Tensor:
        """Bits [B, D] from uniform numbers [B, D], one after the other."""
        x = torch.zeros_like(uniform)
        sums, bias = self._biases(uniform, told)
        for d in range(x.shape[1]):
            white = bias[:, d] + sums.sigmoid() @ self.out[d]
            x[:, d] = (uniform[:, d] < white.sigmoid()).to(uniform)
            sums = sums + x[:, d, None] * self.into[d]
        return x
