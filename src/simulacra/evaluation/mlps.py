"""Many small classifiers trained side by side: one per fold, all in the same matrix products."""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from simulacra.evaluation.arrays import Array


def scores(
    x: Array,
    y: Array,
    parts: list[Array],
    *,
    hidden: int = 64,
    epochs: int = 25,
    patience: int = 4,
    batch: int = 128,
    rate: float = 2e-3,
    decay: float = 0.02,
    seed: int = 0,
    weights: Array | None = None,
) -> Array:
    """Log-odds that y = 1 for every row, by one network per entry of `parts` (two hidden layers, SiLU, AdamW).

    Every network lays a seventh of its training rows aside and keeps the weights that did best there. Only local
    generators are used.

    Args:
        x: [N, D]; y: [N], 0 or 1.
        parts: for each network the rows that it may train on.
        weights: of the rows in the loss [N], about 1 on average; `None` for equal ones.

    Returns:
        [len(parts), N].

    Example:
        >>> x = np.linspace(-1, 1, 200)[:, None]
        >>> s = scores(x, (x[:, 0] > 0) * 1.0, [np.arange(200)])
        >>> bool(s[0, 150] > 0 > s[0, 50])
        True
    """
    draw = torch.Generator().manual_seed(seed)
    centre, spread = x.mean(0), x.std(0)
    kept = spread > 1e-9 * (1 + np.abs(centre))
    features = torch.from_numpy(np.clip((x[:, kept] - centre[kept]) / spread[kept], -6, 6)).float()
    truth = torch.from_numpy(np.asarray(y)).float()
    size = min(len(p) for p in parts)
    rows = torch.stack([torch.from_numpy(p)[torch.randperm(len(p), generator=draw)][:size] for p in parts])
    aside = max(1, size // 7)
    held, rows = rows[:, :aside], rows[:, aside:]
    shape = (features.shape[1], hidden, hidden, 1)
    layers: list[Tensor] = []
    for inputs, outputs in itertools.pairwise(shape):
        weight = torch.randn(len(parts), inputs, outputs, generator=draw) / math.sqrt(max(inputs, 1))
        layers += [weight.requires_grad_(), torch.zeros(len(parts), 1, outputs, requires_grad=True)]
    counts = None if weights is None else torch.from_numpy(weights).float()
    with torch.enable_grad():
        best = _fit(features, truth, counts, rows, held, layers, epochs, patience, batch, rate, decay, draw)
    with torch.no_grad():
        return np.stack([_logits(features[None], [w[k : k + 1] for w in best])[0].numpy() for k in range(len(parts))])


def _logits(x: Tensor, weights: list[Tensor]) -> Tensor:  # [K, B, D] -> [K, B]
    for k in range(0, len(weights) - 2, 2):
        x = functional.silu(torch.baddbmm(weights[k + 1], x, weights[k]))
    return torch.baddbmm(weights[-1], x, weights[-2])[..., 0]


def _losses(x: Tensor, y: Tensor, counts: Tensor | None, rows: Tensor, weights: list[Tensor]) -> Tensor:  # [K, B]
    """Cross-entropy of each row, times its weight."""
    weight = None if counts is None else counts[rows]
    return functional.binary_cross_entropy_with_logits(_logits(x[rows], weights), y[rows], weight, reduction="none")


def _fit(
    x: Tensor, y: Tensor, counts: Tensor | None, rows: Tensor, held: Tensor, weights: list[Tensor], epochs: int,
    patience: int, batch: int, rate: float, decay: float, draw: torch.Generator,
) -> list[Tensor]:  # fmt: skip
    steps = max(1, rows.shape[1] // batch)
    optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=decay)
    best, best_loss = [w.detach().clone() for w in weights], torch.full((len(rows),), math.inf)
    since = torch.zeros(len(rows), dtype=torch.long)
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * epoch / epochs))
        order = rows.gather(1, torch.rand(rows.shape, generator=draw).argsort(1))
        for step in range(steps):
            at = order[:, step * batch : (step + 1) * batch]
            # The sum over networks: each has its own weights, so each gets its own gradient.
            loss = _losses(x, y, counts, at, weights)
            optimizer.zero_grad(set_to_none=True)
            loss.mean(1).sum().backward()
            optimizer.step()
        with torch.no_grad():
            value = _losses(x, y, counts, held, weights)
            better = value.mean(1) < best_loss
            best_loss = torch.where(better, value.mean(1), best_loss)
            best = [torch.where(better[:, None, None], w, b) for w, b in zip(weights, best, strict=True)]
            since = torch.where(better, 0, since + 1)
        if bool((since >= patience).all()):
            break
    return best
