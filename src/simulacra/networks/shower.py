"""Generator and critic's view for showers coded as [one code per layer | the share of its layer in each cell]."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import DataSpec, Field, Given, Noise
from simulacra.networks.conditioning import Conditions
from simulacra.networks.mlp import MLP

LayerEnergies = Callable[[Tensor, Given], Tensor]
"""(encoded x [B, L + V], encoded given) -> layer energies [B, L] in MeV, differentiable."""

LEVEL = 0.1  # MeV: cells are seen as ln(1 + E / LEVEL)
CEILING = 20.0  # of a cell in that logarithm: 5e7 MeV


class Layers(nn.Module):
    """Where codes and layers lie in an encoded shower, and sums over the cells of each layer."""

    layer_of: Tensor

    def __init__(self, parts: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        self.codes = math.prod(parts["codes"])
        self.shapes = {name: shape for name, shape in parts.items() if name != "codes"}
        sizes = [math.prod(shape) for shape in self.shapes.values()]
        self.sizes, self.count, self.cells = sizes, len(sizes), sum(sizes)
        owner = torch.repeat_interleave(torch.arange(self.count), torch.tensor(sizes))
        self.register_buffer("layer_of", owner, persistent=False)

    def shares(self, cells: Tensor) -> Tensor:
        """Each cell over the sum of its layer, zeros where a layer is empty; [B, V] -> [B, V]."""
        sums = torch.stack([part.sum(1) for part in cells.split(self.sizes, 1)], 1)
        return cells / sums.clamp(min=1e-12)[:, self.layer_of]


class ShowerGenerator(nn.Module):
    """First the codes, then the cells given the codes; zeros and layer sums are exact.

    `v = max(0, m + s n)` with m and s > 0 from the network and n ~ N(0, 1) of its own for each cell; a cell is
    `exp(v) - 1`, over the sum of its layer. Cells far from the axis are lit almost independently, which their own noise
    provides; the shared z carries what they have in common.

    Shapes: ({"z": [B, latent], "cells": [B, V]}, given) -> [B, L + V].

    Args:
        spec: layout `layers`, with the parts `codes`, `layer0`, ...
        latent: numbers in z.
        hidden: widths of the network of the cells; that of the codes has two layers of the last width's third.

    Source: noise injected per output as in StyleGAN, Karras et al. (2019), arXiv 1812.04948.
    """

    def __init__(self, spec: DataSpec, latent: int, hidden: Sequence[int] = (384, 384, 384)) -> None:
        super().__init__()
        self.layers = Layers(spec.parts)
        self.conditions = Conditions(spec.given)
        told, narrow = latent + self.conditions.size, max(8, hidden[-1] // 3)
        self.first = MLP(told, self.layers.codes, (narrow, narrow))
        self.second = MLP(told + self.layers.codes, 2 * self.layers.cells, hidden, norm=nn.LayerNorm)

    def forward(self, noise: Noise, given: Given = {}) -> Tensor:
        told = self.conditions.beside(noise["z"], given)
        codes = self.first(told)
        middle, spread = self.second(torch.cat([told, codes], 1)).chunk(2, 1)
        lit = (middle + functional.softplus(spread) * noise["cells"]).clamp(max=CEILING).relu()
        return torch.cat([codes, self.layers.shares(torch.expm1(lit))], 1)

    @torch.no_grad()
    def start_at(self, cells: Tensor) -> None:
        """Makes `cells` [B, V], as ln(1 + E / LEVEL), the mean and spread from which training starts."""
        last = self.second.layers[-1]
        assert isinstance(last, nn.Linear)
        last.weight.mul_(0.3)
        spread = (0.5 * cells.std(0)).clamp(min=0.05)
        last.bias.copy_(torch.cat([cells.mean(0), spread.expm1().log()]))


class ShowerView(nn.Module):
    """What a critic looks at: codes, layer and cell energies as logarithms, and what a physicist reads off each layer.

    Per layer: centroid and width along both axes in cells, three smooth counts of cells above 0.1, 1 and 10 MeV
    (`sum E / (E + t)`), and the shares of the 1, 2 and 4 hottest cells. All are smooth in the shower, so that the
    generator can follow them.

    Shapes: ([B, L + V], given) -> [B, size].

    Args:
        parts: of the encoded shower.
        layer_energies: in MeV; where `None`, each layer counts as 1 GeV.
    """

    def __init__(self, parts: Mapping[str, tuple[int, ...]], layer_energies: LayerEnergies | None = None) -> None:
        super().__init__()
        self.layers, self.layer_energies = Layers(parts), layer_energies
        self.size = self.layers.codes + self.layers.cells + self.layers.count * 11

    def cells(self, x: Tensor, given: Given) -> Tensor:
        """Cell energies in MeV, [B, V]."""
        shares = x[:, self.layers.codes :]
        if self.layer_energies is None:
            return shares * 1e3
        return shares * self.layer_energies(x, given)[:, self.layers.layer_of]

    def logarithms(self, x: Tensor, given: Given) -> Tensor:
        """ln(1 + E / LEVEL) of each cell, [B, V]."""
        return torch.log1p(self.cells(x, given).clamp(min=0) / LEVEL)

    def forward(self, x: Tensor, given: Given = {}) -> Tensor:
        cells = self.cells(x, given).clamp(min=0)
        out = [x[:, : self.layers.codes], 0.5 * torch.log1p(cells / LEVEL)]
        for part, shape in zip(cells.split(self.layers.sizes, 1), self.layers.shapes.values(), strict=True):
            out.append(_features(part.view(-1, math.prod(shape[:-1]), shape[-1])))
        return torch.cat(out, 1)


def _features(cells: Tensor) -> Tensor:
    """Eleven numbers of one layer; cells [B, rows, columns] in MeV -> [B, 11]."""
    total = cells.sum((1, 2))
    out = [0.5 * torch.log1p(total / LEVEL)]
    for axis in (1, 2):
        profile = cells.sum(3 - axis)
        place = torch.arange(cells.shape[axis], device=cells.device, dtype=cells.dtype)
        place = place - place.mean()
        middle = (profile * place).sum(1) / (total + LEVEL)
        spread = (profile * (place - middle[:, None]).square()).sum(1) / (total + LEVEL)
        out += [middle, torch.sqrt(spread + 0.01)]
    flat = cells.flatten(1)
    for threshold in (0.1, 1.0, 10.0):
        out.append(0.2 * (flat / (flat + threshold)).sum(1))
    hottest = flat.topk(min(4, flat.shape[1]), 1).values.cumsum(1) / (total + LEVEL)[:, None]
    for rank in (1, 2, 4):
        out.append(3 * hottest[:, min(rank, hottest.shape[1]) - 1])
    return torch.stack(out, 1)


class ShowerBody(nn.Module):
    """The view and the conditions through an MLP with layer norm: ([B, size], given) -> [B, features]."""

    def __init__(self, inputs: int, given_fields: Mapping[str, Field], hidden: Sequence[int] = (384, 384, 384)) -> None:
        super().__init__()
        self.conditions = Conditions(given_fields)
        self.features = hidden[-1]
        inner = MLP(inputs + self.conditions.size, hidden[-1], hidden[:-1], _leaky, nn.LayerNorm)
        self.net = nn.Sequential(inner, nn.LayerNorm(hidden[-1]), _leaky())

    def forward(self, view: Tensor, given: Given = {}) -> Tensor:
        return self.net(self.conditions.beside(view, given))


def _leaky() -> nn.Module:
    return nn.LeakyReLU(0.2)


class ShowerRegressor(nn.Module):
    """Reads numbers off the view of a shower, without being told the conditions: (x, given) -> [B, outputs].

    `given` serves only to turn shares into MeV, as a detector would measure them.
    """

    def __init__(self, view: ShowerView, outputs: int, width: int = 96) -> None:
        super().__init__()
        self.view = view
        self.net = MLP(view.size, outputs, (width, width), _leaky)

    def forward(self, x: Tensor, given: Given = {}) -> Tensor:
        return self.net(self.view(x, given))
