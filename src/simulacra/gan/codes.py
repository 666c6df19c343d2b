"""Latent codes that can be read off the events again: InfoGAN."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from simulacra.batch import Field, Given, Noise
from simulacra.gan.duel import Duel
from simulacra.gan.latent import Latent, UniformCube


class Code(Latent, Protocol):
    """A latent of known entropy that a critic can guess."""

    @property
    def entropy(self) -> float: ...

    def surprise(self, guess: Tensor, code: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class CategoricalCode:
    """A categorical code: one of `size` kinds, all equally likely, one-hot [n, size].

    Its entropy is log size; guesses are the logits of a softmax.
    """

    size: int

    @property
    def entropy(self) -> float:
        return math.log(self.size)

    def draw(self, n: int, device: torch.device | str = "cpu") -> Tensor:
        return one_hot(torch.randint(self.size, (n,), device=device), self.size).to(torch.get_default_dtype())

    def project(self, z: Tensor) -> Tensor:
        """One-hot of the largest number."""
        return one_hot(z.argmax(1), self.size).to(z)

    def surprise(self, guess: Tensor, code: Tensor) -> Tensor:
        """`-log Q(c | x)` in nats, [B]."""
        return cross_entropy(guess, code, reduction="none")


@dataclass(frozen=True)
class ContinuousCode(UniformCube):
    """A continuous code: c ~ U(-1, 1), [n, size].

    Its entropy is size log 2; guesses are means of Gaussians of the width `spread`. At the published width of 1 the
    bound on the information is loose: it ends at -0.23 nats a number.
    """

    spread: float = 1.0

    @property
    def entropy(self) -> float:
        return self.size * math.log(2)

    def surprise(self, guess: Tensor, code: Tensor) -> Tensor:
        """`-log Q(c | x)` in nats, [B]."""
        return (((code - guess) / self.spread).square() / 2 + math.log(self.spread * math.sqrt(2 * math.pi))).sum(1)


@dataclass(frozen=True)
class Chosen:
    """A latent some of whose numbers are chosen; the same draws are made as without the choice.

    Args:
        latent: that the other numbers are drawn from.
        row: a number, or `None` for one that is drawn.

    Example:
        >>> Chosen(ContinuousCode(2), (0.5, None)).draw(3)[:, 0].tolist()
        [0.5, 0.5, 0.5]
    """

    latent: Latent
    row: tuple[float | None, ...]

    @property
    def size(self) -> int:
        return self.latent.size

    def draw(self, n: int, device: torch.device | str = "cpu") -> Tensor:
        return self.project(self.latent.draw(n, device))

    def project(self, z: Tensor) -> Tensor:
        """The chosen numbers, and the nearest point of the support in the others."""
        chosen = torch.tensor([value is not None for value in self.row], device=z.device)
        return torch.where(chosen, torch.tensor([value or 0.0 for value in self.row]).to(z), self.latent.project(z))


class Coded(nn.Module):
    """A generator that hears its codes as another one hears conditions: ({"z": ..., code: ...}, given) -> x.

    Args:
        generator: (noise, given) -> x, built for `fields_of(codes)` among its conditions.
    """

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, noise: Noise, given: Given = {}) -> Tensor:
        return self.generator(noise, {**given, **noise})


def fields_of(codes: Mapping[str, Code]) -> dict[str, Field]:
    """The codes as conditions of a generator and as what a critic reads."""
    return {name: Field((code.size,)) for name, code in codes.items()}


@dataclass(frozen=True, eq=False)
class MutualInformation:
    """Minus the bound on the mutual information of codes and generated events, in nats.

    `I(c; g(z, c)) >= H(c) + E log Q(c | g(z, c))`, with equality where Q is the true posterior. The critic's Q makes
    the bound tight, the generator makes the information large. Categorical codes end at log K.

    Args:
        codes: by their names in the noise, which the critic's `guess` holds as well.

    Source: Chen et al. (2016), arXiv 1606.03657.
    """

    codes: Mapping[str, Code]
    weight: float = 1.0
    name: str = "mutual_information"

    def __call__(self, duel: Duel) -> Tensor:
        lost = [code.surprise(duel.on_fake.guess[name], duel.noise[name]) for name, code in self.codes.items()]
        return torch.stack(lost).sum(0) - sum(code.entropy for code in self.codes.values())
