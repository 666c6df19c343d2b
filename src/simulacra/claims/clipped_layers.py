"""What the limit of clipping does to gradients on their way back through the layers of a critic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from simulacra.claims.claim import Claim, Result
from simulacra.claims.fitting import fit, score
from simulacra.domains.toys import TOYS
from simulacra.figures.curves import Curves, curves
from simulacra.gan import GradientPenalty
from simulacra.networks import Critic
from simulacra.random import reseed

Array = np.ndarray
DEPTH, WIDTH, ROWS = 12, 64, 64
LIMITS, GROWTH = (0.001, 0.01, 0.1), "c = {}: ln(gradient at the first layer / at the last)"


def norms(critic: Critic, x: Tensor) -> Array:
    """Root mean square over events of |d score / d outputs| of each dense layer of the body, first layer first."""
    seen: list[Tensor] = []
    layers = [layer for layer in critic.body.modules() if isinstance(layer, nn.Linear)]
    hooks = [layer.register_forward_hook(lambda *told: seen.append(told[-1])) for layer in layers]
    total = score(critic, x).sum()
    for hook in hooks:
        hook.remove()
    return np.array([g.square().sum(1).mean().sqrt().item() for g in torch.autograd.grad(total, seen)])


def growth(found: Array) -> float:
    """ln(first layer / last layer): above 0 where gradients explode on their way back, below where they vanish."""
    return float(np.log(found[0] / found[-1]))


def clipping(seed: int, steps: int = 300, depth: int = DEPTH) -> Result:
    """Critics of the swiss roll against itself with noise; the control has a gradient penalty instead."""
    roll = TOYS["swissroll"].sample(5000, seed=seed)

    def draw(n: int) -> tuple[Tensor, Tensor]:
        real = roll[torch.randint(len(roll), (n,))]
        return real, roll[torch.randint(len(roll), (n,))] + torch.randn(n, 2)

    runs = {f"c = {limit}": partial(fit, clip=limit) for limit in LIMITS}
    found = {}
    for name, run in {**runs, "penalty": partial(fit, penalty=GradientPenalty())}.items():
        reseed(seed, "claims", "clipped layers")
        critic = run(draw, steps, hidden=(WIDTH,) * depth, rows=ROWS).critic.double()
        found[name] = norms(critic, draw(500)[0].double())
    values = {GROWTH.format(limit): growth(found[f"c = {limit}"]) for limit in LIMITS}
    return Result(values, dict.fromkeys(values, growth(found["penalty"])), found)


def draw_clipping(results: Sequence[Result]) -> Figure:
    panels = []
    for seed, r in enumerate(results[:2]):
        lines = {name: (np.arange(1, len(y) + 1), y) for name, y in r.arrays.items()}
        panels.append(Curves(f"seed {seed}", "layer", "gradient of the score", lines, log="y"))
    return curves(panels)


TEN = math.log(10)
VANISHES, EXPLODES = (-math.inf, -TEN), (TEN, math.inf)
CLAIMS = (
    Claim(
        name="clipping-limit-sets-gradients-of-layers",
        statement="The limit to which weights are clipped decides whether gradients vanish or explode from layer to "
        "layer.",
        lecture="B:776-777",
        paper="Gulrajani et al. 2017, arXiv 1704.00028",
        experiment=clipping,
        bounds=dict(zip(map(GROWTH.format, LIMITS), (VANISHES, VANISHES, EXPLODES), strict=True)),
        control="a gradient penalty, of weight 10, instead of clipping.",
        budget="300 critic steps on 64 + 64 events, four times",
        figure=draw_clipping,
        seeds=8,
        note="Twelve hidden layers of 64 with ReLU; a gradient vanishes, or explodes, that is less than a tenth, or "
        "more than ten times, at the first layer what it is at the last. With n inputs a layer multiplies it by "
        "c sqrt(n / 2) where signs are random and c n / 2 where they agree, as training makes them: the width decides "
        "as much as c. The paper clips at 0.01, not at the lecture's 0.001.",
    ),
)  # fmt: skip
