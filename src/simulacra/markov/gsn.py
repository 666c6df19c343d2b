"""Generative stochastic networks: a Markov chain that corrupts and restores, trained one step at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Independent, MixtureSameFamily, Normal
from torch.nn import functional

from simulacra.autoencoders.noise import Corruption
from simulacra.autoregressive.binary import bernoulli_log_prob
from simulacra.batch import Batch, Field, Given
from simulacra.networks import Conditions
from simulacra.training.game import Loss

NARROWEST = 1e-2


class GSN(nn.Module):
    """A generative stochastic network: `x' ~ C(x' | x)`, then `x ~ P(x | x', given)`, again and again.

    Where P is the true conditional of data under the corruption C, the data are the stationary distribution of this
    chain: P(x | x') is simpler than P(x), nearly one bump for a small C. The loss is `-log P(x | x')` in nats per
    event, averaged over the `walkback` steps of a chain that starts at the data, each of which has to lead back to
    where the chain began; that removes the false bumps which the chain would otherwise find far from the data. The
    loss bounds no likelihood. P is `binary` (independent bits, encoded x 0 or 1) or a mixture of Gaussians with a move
    away from x' and a width for each number, which can tell between several origins of one x'.

    Args:
        net: [B, D + given] -> [B, D] log odds where it is `binary`, else [B, M (1 + 2 D)]: logits of
            the M components, then their moves and raw widths.
        corruption: C.
        shape: of an event, D numbers.
        binary: whether events are bits.
        components: M.
        walkback: steps, 1 for the plain denoising loss.
        burn: steps of a sample.
        given_fields: the conditions.

    Example:
        >>> from simulacra.networks import MLP
        >>> model = GSN(MLP(2, 5), Corruption("gaussian", 0.5), (2,))
        >>> model.sample(3).x.shape, list(model.loss(Batch(torch.zeros(3, 2))).parts)
        (torch.Size([3, 2]), ['restoration'])

    Source: Bengio, Thibodeau-Laufer, Alain and Yosinski (2014), arXiv:1306.1091; walkback: Bengio, Yao, Alain and
        Vincent (2013), arXiv:1305.6663.
    """

    def __init__(
        self,
        net: nn.Module,
        corruption: Corruption,
        shape: tuple[int, ...],
        *,
        binary: bool = False,
        components: int = 1,
        walkback: int = 1,
        burn: int = 100,
        given_fields: Mapping[str, Field] | None = None,
    ) -> None:
        super().__init__()
        self.net: Any = net
        self.corruption, self.shape, self.binary = corruption, shape, binary
        self.components, self.walkback, self.burn = components, walkback, burn
        self.told = Conditions(given_fields or {})

    def _restored(self, corrupted: Tensor, given: Given) -> Tensor | Distribution:
        """P(x | x') of flat events: log odds of bits, or a mixture."""
        output = self.net(self.told.beside(corrupted, given))
        if self.binary:
            return output
        logits, rest = output.split([self.components, output.shape[1] - self.components], 1)
        move, raw = rest.unflatten(1, (2, self.components, -1)).unbind(1)
        width = functional.softplus(raw) + NARROWEST
        each = Independent(Normal(corrupted[:, None] + move, width, validate_args=False), 1, validate_args=False)
        which = Categorical(logits=logits, validate_args=False)
        return MixtureSameFamily(which, each, validate_args=False)

    @torch.no_grad()
    def _draw(self, restored: Tensor | Distribution) -> Tensor:
        if isinstance(restored, Distribution):
            return restored.sample()
        return torch.bernoulli(restored.sigmoid())

    def loss(self, batch: Batch) -> Loss:
        """The mean of `-log P(x | x')` over the steps of the walk, in nats per event."""
        x = batch.x.flatten(1)
        at, total = x, torch.zeros(len(x), device=x.device, dtype=x.dtype)
        for step in range(self.walkback):
            restored = self._restored(self.corruption(at), batch.given)
            if isinstance(restored, Distribution):
                total = total - restored.log_prob(x)
            else:
                total = total - bernoulli_log_prob(restored, x)
            if step + 1 < self.walkback:
                at = self._draw(restored)
        return Loss({"restoration": batch.mean(total) / self.walkback})

    @torch.no_grad()
    def move(self, x: Tensor, given: Given = {}) -> Tensor:
        """One step of the chain: flat events [B, D] corrupted and restored."""
        return self._draw(self._restored(self.corruption(x), given))

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """n new events, each the end of its own chain of `burn` steps from noise: approximate until it has mixed."""
        like = next(self.parameters())
        noise = torch.randn(n, *self.shape, device=like.device, dtype=like.dtype).flatten(1)
        x = (noise > 0).to(like) if self.binary else noise
        for _ in range(self.burn):
            x = self.move(x, given)
        return Batch(x.view(-1, *self.shape), given)
