"""Sequences of tokens, one after the other: a recurrent network or a causal transformer says what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import Batch, Field, Given, Noise
from simulacra.errors import UserError
from simulacra.named import Named
from simulacra.networks import Conditions
from simulacra.training.game import Loss

CHUNK = 256
"""Sequences whose probability is computed at once."""


class SequenceModel(nn.Module):
    """A sequence model: `P(x | given) = prod_t P(x_t | x_<t, given)` over token numbers x [B, T] below K.

    `log_prob` is a log probability in nats per sequence; tokens outside of the batch's mask do not count. A condition
    that is itself a sequence of tokens, such as a text to translate, is read before the first token is said
    (Sutskever, Vinyals and Le 2014, arXiv:1409.3215, with one network for both).

    Args:
        net: with `size`; (embedded [B, T, size]) -> features [B, T, size] of what came so far, and
            `step(embedded [B, size], memory) -> features [B, size], memory`, the same one token at a time.
        length: T.
        tokens: K.
        given_fields: the conditions.

    Example:
        >>> model = SequenceModel(CausalTransformer(3, 8, heads=2, depth=1), 3, 2)
        >>> every = torch.cartesian_prod(*[torch.arange(2.0)] * 3)
        >>> round(model.log_prob(Batch(every)).exp().sum().item(), 4), model.sample(5).x.shape
        (1.0, torch.Size([5, 3]))
    """

    def __init__(
        self, net: nn.Module, length: int, tokens: int, given_fields: Mapping[str, Field] | None = None
    ) -> None:
        super().__init__()
        self.net: Any = net
        self.length, self.tokens = length, tokens
        fields = dict(given_fields or {})
        self.sources = source_fields(fields)
        self.conditions = Conditions({name: f for name, f in fields.items() if name not in self.sources})
        self.reads = Named({name: nn.Embedding(f.levels, self.net.size) for name, f in self.sources.items()})
        self.before = nn.Embedding(tokens + 1, self.net.size)  # the last one: nothing yet
        size = self.conditions.size
        self.told = nn.Linear(size, self.net.size, bias=False) if size else None
        self.out = nn.Linear(self.net.size, tokens)

    def _context(self, given: Given) -> Tensor | None:
        """What is given, [B, size], added to every token."""
        return None if self.told is None else self.told(self.conditions(given).to(self.out.weight.dtype))

    def _read(self, given: Given) -> Tensor:
        """Sources as vectors, [B, S, size]; S is 0 where there are none."""
        parts = [self.reads[name](given[name].long()) for name in self.sources]
        return torch.cat(parts, 1) if parts else self.out.weight.new_zeros(1, 0, self.net.size)

    def logits(self, batch: Batch) -> Tensor:
        """Of every token given those before it, [B, T, K]."""
        index = batch.x.long()
        start = torch.full_like(index[:, :1], self.tokens)
        seen, context = self.before(torch.cat([start, index[:, :-1]], 1)), self._context(batch.given)
        seen = seen if context is None else seen + context[:, None]
        if self.sources:
            source = self._read(batch.given)
            return self.out(self.net(torch.cat([source, seen], 1))[:, source.shape[1] :])
        return self.out(self.net(seen))

    def log_prob(self, batch: Batch) -> Tensor:
        """`sum_t log P(x_t | x_<t, given)` over the mask, [B] in nats."""
        out = []
        for part in (batch[at : at + CHUNK] for at in range(0, len(batch), CHUNK)):
            each = -functional.cross_entropy(self.logits(part).mT, part.x.long(), reduction="none")
            out.append((each if part.mask is None else each * part.mask).sum(1))
        return torch.cat(out) if out else batch.x.new_zeros(0)

    def loss(self, batch: Batch) -> Loss:
        """The negative log-likelihood in nats per token; watches the perplexity, its exponential."""
        count = self.length if batch.mask is None else batch.mean(batch.mask.sum(1).to(self.out.weight.dtype))
        nll = -batch.mean(self.log_prob(batch)) / count
        return Loss({"nll": nll}, {"perplexity": nll.detach().exp()})

    def noise(self, n: int) -> Noise:
        """One uniform number per token, `u` [n, T]."""
        like = self.out.weight
        return {"u": torch.rand(n, self.length, device=like.device, dtype=like.dtype)}

    @torch.no_grad()
    def push(self, noise: Noise, given: Given = {}) -> Batch:
        """The sequence whose every token is where the sum of probabilities passes u; T steps, no gradient."""
        u, context, memory, out = noise["u"], self._context(given), None, []
        for source in self._read(given).unbind(1):
            _, memory = self.net.step(source, memory)
        last = torch.full_like(u[:, 0], self.tokens, dtype=torch.long)
        for t in range(self.length):
            seen = self.before(last)
            features, memory = self.net.step(seen if context is None else seen + context, memory)
            sums = self.out(features).softmax(1).cumsum(1)
            last = (sums <= u[:, t, None] * sums[:, -1:]).sum(1).clamp(max=self.tokens - 1)
            out.append(last)
        return Batch(torch.stack(out, 1).to(u), given)

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """n new sequences; `given` is encoded and has n rows."""
        return self.push(self.noise(n), given)


def source_fields(given_fields: Mapping[str, Field]) -> dict[str, Field]:
    """The conditions that are sequences of tokens."""
    return {name: field for name, field in given_fields.items() if field.kind == "token" and len(field.shape) == 1}


class CharacterRNN(nn.Module):
    """A recurrent network of LSTM layers: all that came before is in a state of fixed size.

    Shapes: [B, T, size] -> [B, T, size]. A token costs the same wherever it stands.

    Source: Graves (2013), arXiv:1308.0850; LSTM: Hochreiter and Schmidhuber (1997).
    """

    def __init__(self, size: int, depth: int = 2) -> None:
        super().__init__()
        self.size = size
        self.lstm = nn.LSTM(size, size, depth, batch_first=True)

    def forward(self, seen: Tensor) -> Tensor:
        return self.lstm(seen)[0]

    def step(self, seen: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
        features, memory = self.lstm(seen[:, None], memory)
        return features[:, 0], memory


class Block(nn.Module):
    """`x + attention(norm(x))`, then `x + mlp(norm(x))`: one layer of a transformer, which looks back only."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(size), nn.LayerNorm(size)
        self.query, self.value = nn.Linear(size, size), nn.Linear(size, size)
        self.key = nn.Linear(size, size, bias=False)  # an offset would cancel in the softmax
        self.out = nn.Linear(size, size)
        self.mlp = nn.Sequential(nn.Linear(size, 4 * size), nn.GELU(), nn.Linear(4 * size, size))

    def forward(self, x: Tensor, memory: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """x [B, T, size] and, one token at a time, the keys and values so far [B, heads, T', size / heads]."""
        seen = self.first(x)
        query, key, value = (
            layer(seen).unflatten(2, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        if memory is not None:
            key, value = torch.cat([memory[0], key], 2), torch.cat([memory[1], value], 2)
        told = functional.scaled_dot_product_attention(query, key, value, is_causal=memory is None)
        x = x + self.out(told.transpose(1, 2).flatten(2))
        return x + self.mlp(self.second(x)), (key, value)


class CausalTransformer(nn.Module):
    """A causal transformer: every token asks all tokens before it, `softmax(Q K^T / sqrt(d) + mask) V`.

    The mask is minus infinity for what comes later. Shapes: [B, T, size] -> [B, T, size], T at most `length`; places
    are learned vectors. Drawing keeps the keys and values of what was drawn.

    Args:
        length: longest sequence.
        size: of a token's vector, `heads` times a whole number.
        heads: which attend apart from each other.
        depth: layers.

    Raises:
        UserError: the heads do not divide the size.

    Source: Vaswani et al. (2017), arXiv:1706.03762; norms before the layers: Radford et al. (2019).
    """

    def __init__(self, length: int, size: int, heads: int = 4, depth: int = 2) -> None:
        super().__init__()
        if size % heads:
            raise UserError(f"expected a width that {heads} heads share, came {size}; make it a multiple")
        self.size = size
        self.place = nn.Parameter(0.02 * torch.randn(length, size))
        self.blocks = nn.ModuleList(Block(size, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(size)

    def forward(self, seen: Tensor) -> Tensor:
        x = seen + self.place[: seen.shape[1]]
        for block in self.blocks:
            x, _ = block(x)
        return self.norm(x)

    def step(self, seen: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
        at = 0 if memory is None else memory[0][0].shape[2]
        x, kept = (seen + self.place[at])[:, None], []
        for block, before in zip(self.blocks, memory or [None] * len(self.blocks), strict=True):
            x, pair = block(x, before)
            kept.append(pair)
        return self.norm(x)[:, 0], kept
