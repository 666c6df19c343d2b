"""Critics that read by formulas, and points with classes and numbers."""

from __future__ import annotations

import torch
from torch import nn

from simulacra.batch import Batch, DataSpec, Field
from simulacra.gan import Duel
from simulacra.networks import Critic
from simulacra.testing import Rows

CLASS = Field((), "class", 3)
N = 96


class Pass(nn.Module):
    """The body that passes every number on."""

    def forward(self, view, given):
        return view.flatten(1)


class Reader(nn.Module):
    """Reads by a formula."""

    def __init__(self, formula):
        super().__init__()
        self.formula = formula

    def forward(self, features):
        return self.formula(features)


class Blind(nn.Module):
    """Scores everything 0."""

    def forward(self, features, given):
        return features.sum(1) * 0


def duel(real, fake, noise=None, **readers):
    """An encounter whose critic reads by these formulas."""
    critic = Critic(Pass(), Blind(), {name: Reader(formula) for name, formula in readers.items()})
    return Duel(real, noise or {}, lambda noise, given: Batch(fake), critic)


def points(labels=True, energy=False):
    """Three classes in the plane, told or not, and a number that follows the second coordinate."""
    x, kinds = torch.randn(N, 2), torch.arange(N) % 3
    x[:, 0] += 4 * kinds
    given = ({"label": CLASS} if labels else {}) | ({"energy": Field((1,))} if energy else {})
    told = {"label": kinds, "energy": x[:, 1:] * 5 + 10}
    spec = DataSpec("points", "vector", Field((2,)), given, rows=N)
    return Rows(spec, Batch(x, {name: told[name] for name in given}))
