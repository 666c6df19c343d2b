"""What spectral norms of weights say of the slope of a critic."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.autograd.functional import jacobian
from torch.linalg import matrix_norm
from torch.optim import Adam

from simulacra.batch import DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.fitting import score
from simulacra.claims.spectral_norms import MIYATO, redivided, settle
from simulacra.figures.curves import Curves, curves
from simulacra.networks import Critic, LinearHead, critic_for, spectrally_normalised
from simulacra.networks.residual import ResidualBody
from simulacra.random import reseed

Array = np.ndarray
PICTURE = (1, 16, 16)


class Around(nn.Module):
    """A shortcut around a layer: x + f(x)."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


class Summed(nn.Module):
    """Sums over places: [B, C, H, W] -> [B, C]."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum((2, 3))


def dense() -> nn.Module:
    return nn.Linear(64, 64, bias=False)


def convolution(kernel: int) -> nn.Module:
    return nn.Conv2d(8, 8, kernel, padding=kernel // 2, bias=False)


MAPS = (8, 8, 8)
PARTS: Mapping[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "one dense layer": (dense, (64,)),
    "two dense layers": (lambda: nn.Sequential(dense(), dense()), (64,)),
    "3 x 3 convolution": (lambda: convolution(3), MAPS),
    "shortcut around a dense layer": (lambda: Around(dense()), (64,)),
    "sum over 8 x 8 places": (lambda: nn.Sequential(convolution(1), Summed()), MAPS),
}
"""Linear parts of critics without offsets, and what goes into each."""


def stretches(part: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """Singular values of a linear part, in falling order."""
    matrix: Any = jacobian(part, torch.zeros(1, *shape).double())
    return torch.linalg.svdvals(matrix.reshape(-1, math.prod(shape)))


SLOPE = "ln of the slope: {}"


def taking_apart(seed: int) -> Result:
    """Slopes of parts whose weights have spectral norm 1; in the control the dense layer's has Frobenius norm 1."""
    reseed(seed, "claims", "parts of critics")
    made = {name: (settle(spectrally_normalised(build().double())), shape) for name, (build, shape) in PARTS.items()}
    found = {name: stretches(*part) for name, part in made.items()}
    part, shape = made["one dense layer"]
    other = stretches(redivided(part, matrix_norm), shape)
    values = {SLOPE.format(name): float(spectrum[0].log()) for name, spectrum in found.items()}
    control = {SLOPE.format("one dense layer"): float(other[0].log())}
    return Result(values, control, {name: spectrum.numpy() for name, spectrum in found.items()})


def draw_taking_apart(results: Sequence[Result]) -> Figure:
    lines = {name: (np.linspace(0, 1, len(s)), s.clip(1e-3)) for name, s in results[0].arrays.items()}
    panel = Curves("weights of norm 1", "place in falling order", "singular value", lines, at={"1": 1.0}, log="y")
    return curves([panel], width=5.0, height=3.4)


def residual() -> Critic:
    body = ResidualBody(PICTURE, base=8)
    return Critic(body, LinearHead(body.features, offset=False))


IMAGE, ROW = (DataSpec("pictures", layout, Field(PICTURE)) for layout in ("image", "vector"))
CRITICS: Mapping[str, Callable[[], Critic]] = {
    "dense": partial(critic_for, ROW, hidden=(64,) * 3, offset=False),
    "convolutional": partial(critic_for, IMAGE, base=8, norm="none", offset=False),
    "residual, summed over places": residual,
}


LEARNT = "ln of the slope learnt: {}"


def learn(critic: Critic, steps: int, shift: float = 4.0) -> Array:
    """Teaches a critic to tell pictures of noise from brighter ones: the slope between them at each step, and settled.

    Each is compared with its own brighter copy, so that no critic of slope 1 exceeds 1.
    """
    step = torch.full(PICTURE, shift / math.sqrt(math.prod(PICTURE)))
    optimizer, seen = Adam(critic.parameters(), 3e-3), []

    def between(count: int) -> Tensor:
        x = torch.randn(count, *PICTURE)
        return (score(critic, x + step) - score(critic, x)).mean() / shift

    for _ in range(steps):
        optimizer.zero_grad()
        slope = between(32)
        (-slope).backward()
        optimizer.step()
        seen.append(slope.item())
    settle(critic)
    with torch.no_grad():
        return np.array([*seen, between(500).item()])


def learning(seed: int, steps: int = 200) -> Result:
    """Normalised critics; the control is the dense one without normalisation."""
    reseed(seed, "claims", "slopes of critics")
    found = {}
    for name, build in CRITICS.items():
        critic = build()
        spectrally_normalised(critic)
        found[name] = learn(critic, steps)
    free = learn(CRITICS["dense"](), steps)
    values = {LEARNT.format(name): math.log(slopes[-1]) for name, slopes in found.items()}
    return Result(values, {LEARNT.format("dense"): math.log(free[-1])}, found | {"dense, free": free})


def draw_learning(results: Sequence[Result]) -> Figure:
    lines = {name: (np.arange(len(y)), y.clip(1e-3)) for name, y in results[0].arrays.items()}
    return curves([Curves("", "step", "slope", lines, at={"1": 1.0}, log="y")], width=5.0, height=3.4)


NOTHING, AT_MOST = (-1e-9, 1e-9), (-math.inf, 0.01)
CLAIMS = (
    Claim(
        name="slope-is-the-spectral-norm",
        statement="The slope of a discriminator is the spectral norm of its weights, layer by layer.",
        lecture="B:467",
        paper=MIYATO,
        experiment=taking_apart,
        bounds={SLOPE.format(name): NOTHING for name in PARTS},
        control="a dense layer whose weights are divided by their Frobenius norm.",
        budget="singular values of five linear parts, float64",
        figure=draw_taking_apart,
        seeds=8,
        fast=True,
        note="All weights have spectral norm 1, where a convolution's is that of its matrix (outputs, inputs x "
        "kernel). Equality is for one dense layer. A chain of them is flatter. A convolution sees each pixel several "
        "times and is steeper, by the root of its kernel's area at most; a shortcut adds up to 1, a sum over n places "
        "multiplies by the root of n.",
    ),
    Claim(
        name="spectral-norms-bound-the-slope",
        statement="With every weight divided by its spectral norm a discriminator keeps the Lipschitz constraint.",
        lecture="B:460-469, B:483",
        paper=MIYATO,
        experiment=learning,
        bounds={LEARNT.format(name): AT_MOST for name in CRITICS},
        control="the dense critic without normalisation.",
        budget="200 steps of each critic on 32 pictures of 16 x 16",
        figure=draw_learning,
        seeds=8,
        note="Critics learn to tell pictures of noise from their copies that are brighter by 4 in Euclidean distance; "
        "what they tell, over 4, exceeds no Lipschitz constant. The product of spectral norms, 1, bounds a dense "
        "critic and no other: convolutions are reshaped, blocks have shortcuts, features are summed over places.",
    ),
)  # fmt: skip
