"""Binary events number by number: exact probabilities from any network that gives the conditionals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import Batch, Field, Given, Noise
from simulacra.networks import MADE, Conditions
from simulacra.training.game import Loss

CHUNK = 256
"""Events whose probability is computed at once."""


class Binary(nn.Module):
    """`P(x | given) = prod_d P(x_d | x_<d, given)` of bits: a fully visible model, whose probabilities sum to 1.

    `log_prob` is a log probability in nats per event, not a density: encoded x is 0 or 1, [B, *shape].

    Args:
        net: (x [B, D], given row or `None`) -> logits [B, D] of each bit given those before it, and `draw`, which
            makes bits from uniform numbers one after the other.
        shape: of an event.
        given_fields: the conditions.

    Example:
        >>> model = Binary(Masked(MADE(4, 1, (8,))), (1, 2, 2))
        >>> every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4).view(16, 1, 2, 2)
        >>> round(model.log_prob(Batch(every)).exp().sum().item(), 5)
        1.0

    Source: the chain rule with a network, Bengio and Bengio (2000); Larochelle and Murray (2011).
    """

    def __init__(self, net: nn.Module, shape: tuple[int, ...], given_fields: Mapping[str, Field] | None = None) -> None:
        super().__init__()
        self.net: Any = net
        self.shape, self.told = shape, Conditions(given_fields or {})

    def _row(self, given: Given) -> Tensor | None:
        return self.told(given) if self.told.size else None

    def logits(self, batch: Batch) -> Tensor:
        """The log odds of every bit given those before it, [B, D]."""
        return self.net(batch.x.flatten(1), self._row(batch.given))

    def log_prob(self, batch: Batch) -> Tensor:
        """`sum_d log P(x_d | x_<d, given)`, [B] in nats."""
        parts = [batch[at : at + CHUNK] for at in range(0, len(batch), CHUNK)]
        each = [bernoulli_log_prob(self.logits(part), part.x.flatten(1)) for part in parts]
        return torch.cat(each) if each else batch.x.new_zeros(0)

    def loss(self, batch: Batch) -> Loss:
        """The negative log-likelihood, in nats per event."""
        return Loss({"nll": -batch.mean(self.log_prob(batch))})

    def noise(self, n: int) -> Noise:
        """One uniform number per bit, `u` [n, *shape]."""
        like = next(self.parameters())
        return {"u": torch.rand(n, *self.shape, device=like.device, dtype=like.dtype)}

    @torch.no_grad()
    def push(self, noise: Noise, given: Given = {}) -> Batch:
        """The event with `x_d = 1` where `u_d < P(x_d = 1 | x_<d)`, D steps one after the other; no gradient."""
        bits = self.net.draw(noise["u"].flatten(1), self._row(given))
        return Batch(bits.view(-1, *self.shape), given)

    def sample(self, n: int, given: Given = {}) -> Batch:
        """n new events; `given` is encoded and has n rows."""
        return self.push(self.noise(n), given)


def bernoulli_log_prob(logits: Tensor, bits: Tensor) -> Tensor:
    """`sum_d log P(x_d)` of independent bits [B, D] with these log odds, [B]."""
    return -functional.binary_cross_entropy_with_logits(logits, bits, reduction="none").sum(1)


class Masked(nn.Module):
    """The conditionals of bits by a masked network: all of them in one pass over a known event.

    Drawing keeps the first layer's sums and adds one column per bit that comes up, so D bits with one hidden layer
    of H units cost O(DH), as in NADE; every further hidden layer is computed D times.

    Args:
        net: with one output per number and at least one hidden layer.

    Source: Germain, Gregor, Murray and Larochelle (2015), arXiv:1502.03509.
    """

    def __init__(self, net: MADE) -> None:
        super().__init__()
        if net.outputs != 1 or len(net.layers) < 3:
            raise ValueError(f"expected one output per number and a hidden layer, came {net.outputs} and {net.layers}")
        self.net = net

    def forward(self, x: Tensor, told: Tensor | None = None) -> Tensor:
        return self.net(2 * x - 1, told).squeeze(2)

    def draw(self, uniform: Tensor, told: Tensor | None = None) -> Tensor:
        """Bits [B, D] from uniform numbers [B, D]."""
        x = torch.zeros_like(uniform)
        if self.net.inputs == 1:
            return (uniform < self(x, told).sigmoid()).to(uniform)
        first: Any = self.net.layers[0]
        middle, last = self.net.layers[1:-1], self.net.last
        into, out = first.weight * first.mask, last.weight * last.mask
        sums = first(torch.cat([x - 1, *([] if told is None else [told])], 1))
        for d in self.net.order.argsort().tolist():
            white = middle(sums) @ out[d] + last.bias[d]
            x[:, d] = (uniform[:, d] < white.sigmoid()).to(uniform)
            sums = sums + 2 * x[:, d, None] * into[:, d]
        return x
