"""Networks that denoise: an event, how noisy it is, what is given -> numbers of the event's shape."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from simulacra.batch import Field, Given
from simulacra.networks.conditioning import Conditions


class TimeEmbedding(nn.Module):
    """Time embedding: noise labels [B] as sines and cosines at `pairs` frequencies: [B, 2 pairs].

    `sin(f_k c), cos(f_k c)`, f_k from 0.5 to 32 in equal ratios, for labels c = ln(sigma / alpha) / 4 from -2.5 to 2.5.

    Source: Vaswani et al. (2017), arXiv:1706.03762; in diffusion, Ho, Jain and Abbeel (2020), arXiv:2006.11239.

    >>> TimeEmbedding(2)(torch.zeros(1))
    tensor([[0., 0., 1., 1.]])
    """

    frequencies: Tensor

    def __init__(self, pairs: int = 16) -> None:
        super().__init__()
        powers = torch.linspace(math.log(0.5), math.log(32.0), pairs)
        self.register_buffer("frequencies", powers.exp(), persistent=False)

    def forward(self, label: Tensor) -> Tensor:
        angle = label[:, None] * self.frequencies
        return torch.cat([angle.sin(), angle.cos()], 1)


class Context(nn.Module):
    """Noise label and conditions as one row that every block of a denoiser is told: [B, width].

    A class of K is one-hot times sqrt(K), as large as a standardised number (Karras et al. 2022, arXiv:2206.00364).
    Where `keep` [B] is 0 the row of conditions and its flag are 0: the network is told nothing.
    """

    size: Tensor

    def __init__(self, given_fields: Mapping[str, Field], width: int, pairs: int = 16) -> None:
        super().__init__()
        self.time = TimeEmbedding(pairs)
        self.conditions = Conditions(given_fields)
        self.first = nn.Linear(2 * pairs, width)
        self.told = nn.Linear(self.conditions.size + 1, width, bias=False) if self.conditions.size else None
        self.second = nn.Linear(width, width)
        if self.told is not None:
            columns = zip(self.conditions.sizes.values(), given_fields.values(), strict=True)
            sizes = [torch.full((n,), (n / field.size) ** 0.5) for n, field in columns]
            self.register_buffer("size", torch.cat([*sizes, torch.ones(1)]))

    def forward(self, label: Tensor, given: Given = {}, keep: Tensor | None = None) -> Tensor:
        row = self.first(self.time(label))
        if self.told is not None:
            told = self.conditions(given).to(row.dtype)
            told = torch.cat([told, torch.ones_like(told[:, :1])], 1) * self.size
            row = row + self.told(told if keep is None else keep[:, None] * told)
        return silu(self.second(silu(row)))


class DenseDenoiser(nn.Module):
    """An MLP with residual blocks, each told the noise label and the conditions; it begins at zero.

    Shapes: (x [B, *shape], label [B], given, keep [B] or None) -> [B, *shape].

    Args:
        shape: of one event, D numbers.
        given_fields: conditions, classes one-hot.
        hidden: width.
        depth: residual blocks.

    Example:
        >>> DenseDenoiser((3,), {}, hidden=8)(torch.randn(5, 3), torch.zeros(5), {}).abs().sum().item()
        0.0
    """

    def __init__(
        self, shape: tuple[int, ...], given_fields: Mapping[str, Field] = {}, hidden: int = 128, depth: int = 3
    ) -> None:
        super().__init__()
        self.shape = shape
        size = math.prod(shape)
        self.context = Context(given_fields, hidden)
        self.entry = nn.Linear(size, hidden)
        self.shifts = nn.ModuleList(nn.Linear(hidden, hidden, bias=False) for _ in range(depth))
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, hidden)) for _ in range(depth)
        )
        self.exit = nn.Linear(hidden, size)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)

    def forward(self, x: Tensor, label: Tensor, given: Given = {}, keep: Tensor | None = None) -> Tensor:
        context = self.context(label, given, keep)
        h = self.entry(x.flatten(1))
        for shift, block in zip(self.shifts, self.blocks, strict=True):
            h = h + block(silu(h + shift(context)))
        return self.exit(silu(h)).view(-1, *self.shape)
