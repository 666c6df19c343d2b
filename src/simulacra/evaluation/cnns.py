"""A small convolutional network as two-sample classifier: it sees how neighbouring pixels go together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.evaluation.arrays import Array


class _Network(nn.Module):
    """Two convolutions, each pooled where there is room, and a hidden layer that also sees the other columns."""

    def __init__(self, shape: Sequence[int], others: int, width: int) -> None:
        super().__init__()
        channels, *size = shape
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.second = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.pools = [2 if s >= 8 else 1 for s in size]
        left = [s // p // p for s, p in zip(size, self.pools, strict=True)]
        self.hidden = nn.Linear(2 * width * math.prod(left) + others, 64)
        self.out = nn.Linear(64, 1)

    def forward(self, x: Tensor, others: Tensor) -> Tensor:  # [B, C, H, W], [B, K] -> [B]
        x = functional.max_pool2d(functional.silu(self.first(x)), self.pools)
        x = functional.max_pool2d(functional.silu(self.second(x)), self.pools)
        hidden = functional.dropout(torch.cat([x.flatten(1), others], dim=1), 0.25, self.training)
        return self.out(functional.silu(self.hidden(hidden)))[:, 0]


def scores(
    x: Array,
    y: Array,
    parts: list[Array],
    *,
    shape: Sequence[int],
    width: int = 16,
    epochs: int = 8,
    patience: int = 3,
    batch: int = 64,
    rate: float = 2e-3,
    decay: float = 0.02,
    seed: int = 0,
) -> Array:
    """Log-odds that y = 1 for every row, by one network per entry of `parts` (SiLU, dropout, AdamW, cosine rate).

    Every network lays a seventh of its training rows aside and keeps the weights that did best there.

    Args:
        x: [N, C H W + K], pixels row by row and after them any other columns; y: [N], 0 or 1.
        parts: for each network the rows that it may train on.
        shape: (C, H, W) of the pictures.

    Returns:
        [len(parts), N].

    Example:
        >>> x = np.random.default_rng(0).normal(size=(200, 64))
        >>> x[100:, :8] += 3
        >>> s = scores(x, np.arange(200) >= 100, [np.arange(0, 200, 2)], shape=(1, 8, 8))
        >>> s.shape, bool(s[0, 101::2].mean() > s[0, 1:100:2].mean())
        ((1, 200), True)
    """
    size = math.prod(shape)
    held = x[:, :size].reshape(len(x), *shape)
    centre, spread = held.mean((0, 2, 3), keepdims=True), held.std((0, 2, 3), keepdims=True)
    pixels = torch.from_numpy(np.clip((held - centre) / np.where(spread > 0, spread, 1), -6, 6)).float()
    rest = x[:, size:]
    spread = rest.std(0)
    others = torch.from_numpy(np.clip((rest - rest.mean(0)) / np.where(spread > 0, spread, 1), -6, 6)).float()
    truth = torch.from_numpy(np.asarray(y)).float()
    out = np.empty((len(parts), len(x)))
    for k, rows in enumerate(parts):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed((seed + k) % 2**63)
            network = _Network(shape, others.shape[1], width)
            with torch.enable_grad():
                _fit(network, pixels, others, truth, torch.from_numpy(rows), epochs, patience, batch, rate, decay)
        with torch.no_grad():
            pieces = zip(pixels.split(512), others.split(512), strict=True)
            out[k] = torch.cat([network(a, b) for a, b in pieces]).double().numpy()
    return out


def _fit(
    network: _Network, pixels: Tensor, others: Tensor, y: Tensor, rows: Tensor, epochs: int, patience: int, batch: int,
    rate: float, decay: float,
) -> None:  # fmt: skip
    rows = rows[torch.randperm(len(rows))]
    aside = max(1, len(rows) // 7)
    held, rows = rows[:aside], rows[aside:]
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay)
    best, best_loss, since = network.state_dict(), math.inf, 0
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * epoch / epochs))
        network.train()
        for at in rows[torch.randperm(len(rows))].split(batch):
            loss = functional.binary_cross_entropy_with_logits(network(pixels[at], others[at]), y[at])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            value = float(functional.binary_cross_entropy_with_logits(network(pixels[held], others[held]), y[held]))
        since += 1
        if value < best_loss:
            best, best_loss, since = {k: v.clone() for k, v in network.state_dict().items()}, value, 0
        if since >= patience:
            break
    network.load_state_dict(best)
