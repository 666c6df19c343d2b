"""The spectral norm of a weight: what it is, and how soon power iteration has it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.optimize import minimize
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.utils.flop_counter import FlopCounterMode

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.fitting import score
from simulacra.domains.toys import TOYS
from simulacra.figures.curves import Curves, curves
from simulacra.networks import Critic
from simulacra.random import reseed
from simulacra.recipes.sngan import sngan
from simulacra.testing import Rows, streams_for
from simulacra.training.loop import train

Array = np.ndarray
PLANE = DataSpec("plane", "vector", Field((2,)))
WIDTH = 64


def norm(weight: Tensor) -> Tensor:
    """The largest singular value of a weight as spectral normalisation sees it, a matrix (outputs, all else)."""
    return torch.linalg.matrix_norm(weight.flatten(1), 2)


def iteration(layer: nn.Module) -> Any:
    """The power iteration under a layer: `_u`, `_v` and `n_power_iterations`."""
    described: Any = layer
    return described.parametrizations.weight[0]


def normalised(network: nn.Module) -> list[Any]:
    """The layers whose weights are divided."""
    return [layer for layer in network.modules() if hasattr(layer, "parametrizations")]


def originals(network: nn.Module) -> list[Tensor]:
    """The weights before they are divided."""
    return [layer.parametrizations.weight.original for layer in normalised(network)]


def settle(network: nn.Module) -> nn.Module:
    """Gives every power iteration the exact singular vectors, and stops it; returns `network`."""
    for layer, weight in zip(normalised(network), originals(network), strict=True):
        u, _, vh = torch.linalg.svd(weight.detach().flatten(1), full_matrices=False)
        iteration(layer)._u.copy_(u[:, 0])
        iteration(layer)._v.copy_(vh[0])
    return network.eval()


class Divided(nn.Module):
    """Takes the place of a power iteration: weights over what `by` makes of them."""

    def __init__(self, by: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.by = by

    def forward(self, weight: Tensor) -> Tensor:
        return weight / self.by(weight)


def redivided(network: nn.Module, by: Callable[[Tensor], Tensor]) -> nn.Module:
    """The same network, whose weights are divided by something else."""
    twin = deepcopy(network)
    for layer in normalised(twin):
        layer.parametrizations.weight[0] = Divided(by)
    return twin


def square(critic: nn.Module) -> list[Any]:
    """The layers between hidden ones; the first has rank 2 and the last rank 1, which is easy."""
    return [m for m in critic.modules() if isinstance(m, nn.Linear) and m.in_features == m.out_features]


LONGEST, ROOT = "ln(longest stretch / singular value)", "ln(root of the largest eigenvalue / singular value)"


def stretch(weight: Tensor, x: Tensor) -> Tensor:
    """|W x| / |x| of columns x [N, K] -> [K]."""
    return (weight @ x).norm(dim=0) / x.norm(dim=0)


def longest(weight: Tensor, start: Tensor) -> float:
    """ln of the greatest stretch that an ascent from `start` [N] finds, by gradients alone."""

    def down(place: Array) -> tuple[float, Array]:
        x = torch.tensor(place, requires_grad=True)
        loss = -stretch(weight, x[:, None]).log().sum()
        return loss.item(), torch.autograd.grad(loss, x)[0].numpy()

    found: Any = minimize(down, start.numpy(), jac=True, method="L-BFGS-B", options={"gtol": 1e-9, "ftol": 1e-15})
    return -float(found.fun)


def stretching(seed: int, outputs: int = 24, inputs: int = 32) -> Result:
    """A normal matrix; the controls are the root of the singular value, as printed, and 1,000 random directions."""
    reseed(seed, "claims", "spectral norms")
    weight, tried = torch.randn(outputs, inputs).double(), normalize(torch.randn(inputs, 1000).double(), dim=0)
    _, values, directions = torch.linalg.svd(weight)
    top = float(values[0].log())
    eigenvalue = torch.linalg.eigvalsh(weight.T @ weight)[-1]
    found = {LONGEST: longest(weight, tried[:, 0]) - top, ROOT: float(eigenvalue.log() / 2) - top}
    control = {LONGEST: float(stretch(weight, tried).max().log()) - top, ROOT: -top / 2}
    angle = torch.linspace(-math.pi / 2, math.pi / 2, 91).double()
    turned = directions[0][:, None] * angle.cos() + directions[1][:, None] * angle.sin()
    arrays = {"angle": angle.rad2deg(), "stretch": stretch(weight, turned), "sigma": values[0]}
    return Result(found, control, {name: held.numpy() for name, held in arrays.items()})


def draw_stretching(results: Sequence[Result]) -> Figure:
    panels = []
    for seed, r in enumerate(results[:3]):
        sigma = float(r.arrays["sigma"])
        lines = {"|W x| / |x|": (r.arrays["angle"], r.arrays["stretch"])}
        levels = {"sigma": sigma, "root of sigma": math.sqrt(sigma)}
        panels.append(Curves(f"seed {seed}", "angle with the top direction / degrees", "stretch", lines, at=levels))
    return curves(panels, columns=3)


STARTS, COLD = (1, 2, 5), "mean error of sigma from a random start, after iteration {}"
USUAL, WORST = "in training: mean error of sigma", "in training: largest error of sigma"
SHARE = "operations of an iteration / of a step"


def error(layer: Any) -> float:
    """By how much sigma is missed, relative: a weight divided by too small a sigma has too large a norm."""
    return 1 - 1 / float(norm(layer.weight.detach().double()))


def errors(critic: nn.Module) -> list[float]:
    """Those of the next forward in training; the critic itself is left as it is."""
    return [error(layer) for layer in square(deepcopy(critic).train())]


def from_anywhere(critic: nn.Module, iterations: int, starts: int = 20) -> float:
    """The mean error after so many iterations from random vectors, over layers and starts."""
    found = []
    for layer in square(deepcopy(critic).train(iterations > 0)):
        held = iteration(layer)
        held.n_power_iterations = iterations
        for _ in range(starts):
            for vector in (held._u, held._v):
                vector.copy_(normalize(torch.randn_like(vector), dim=0))
            found.append(error(layer))
    return float(np.mean(found))


def operations(critic: Critic, rows: int) -> tuple[float, float]:
    """Those of one iteration, and of decompositions, over those of a forward and backward of so many events.

    Counted are multiplications and additions: 6 per weight for W v, W^T u and u . W v; 4 m n^2 - 4 n^3 / 3 for the
    singular values alone of an m x n matrix.
    """
    with FlopCounterMode(display=False) as counted:
        score(critic, torch.randn(rows, 2)).sum().backward()
    sides = [sorted(layer.weight.shape) for layer in critic.modules() if isinstance(layer, nn.Linear)]
    iterated, decomposed = sum(6 * m * n for n, m in sides), sum(4 * m * n**2 - 4 * n**3 / 3 for n, m in sides)
    return iterated / counted.get_total_flops(), decomposed / counted.get_total_flops()


def iterating(seed: int, rounds: int = 400, looks: int = 20) -> Result:
    """A game on the ring of eight; controls: the vectors it began with, no iteration, and decompositions."""
    reseed(seed, "claims", "power iteration")
    game = sngan(PLANE, width=WIDTH, batch=64, rounds=rounds)
    roots: Any = game.learners
    critic: Any = roots["game"].critic
    still = [(iteration(layer)._u.clone(), iteration(layer)._v.clone()) for layer in square(critic)]
    seen = [errors(critic)]
    data = Rows(PLANE, Batch(TOYS["ring8"].sample(5000, seed=seed)))
    for step in train(game, streams_for(game, data, seed), seed=seed):
        if step.clock.round % (rounds // looks) == 0:
            seen.append(errors(critic))
    left = deepcopy(critic).eval()
    for layer, vectors in zip(square(left), still, strict=True):
        iteration(layer)._u, iteration(layer)._v = vectors
    missed = [error(layer) for layer in square(left)]
    iterated, decomposed = operations(critic, 64)
    cold = {COLD.format(k): from_anywhere(critic, k) for k in STARTS}
    values = {USUAL: float(np.mean(seen)), WORST: float(np.max(seen)), **cold, SHARE: iterated}
    control = {USUAL: float(np.mean(missed)), WORST: float(np.max(missed)), SHARE: decomposed}
    control |= dict.fromkeys(cold, from_anywhere(critic, 0))
    return Result(values, control, {"round": np.linspace(0, rounds, looks + 1), "error": np.array(seen)})


def draw_iterating(results: Sequence[Result]) -> Figure:
    lines = {f"seed {k}": (r.arrays["round"], r.arrays["error"].mean(1)) for k, r in enumerate(results[:4])}
    return curves([Curves("one iteration per forward", "round", "relative error of sigma", lines, at={"1 %": 0.01})])


MIYATO = "Miyato et al. 2018, arXiv 1802.05957"
PER_CENT = (-math.inf, 0.01)
CLAIMS = (
    Claim(
        name="spectral-norm-is-the-longest-stretch",
        statement="The spectral norm is the factor by which a matrix stretches a vector at most: the root of the "
        "largest eigenvalue of its square, W^T W.",
        lecture="B:447-450",
        paper=MIYATO + "; corrected, for the lecture's eigenvalue is its highest singular value",
        experiment=stretching,
        bounds={LONGEST: (-1e-6, 1e-6), ROOT: (-1e-9, 1e-9)},
        control="the longest stretch of 1,000 random directions, and the root of the singular value, as printed.",
        budget="one ascent for a matrix of 24 x 32, float64",
        figure=draw_stretching,
        seeds=8,
        fast=True,
        note="The ascent knows gradients of the stretch only. The lecture takes the root of λ and calls λ the highest "
        "singular value; it is the eigenvalue of W^T W, the singular value squared.",
    ),
    Claim(
        name="power-iteration-is-fast",
        statement="The spectral norm is approximated fast by power iteration.",
        lecture="B:432",
        paper=MIYATO,
        experiment=iterating,
        bounds=dict.fromkeys((USUAL, WORST, *map(COLD.format, STARTS)), PER_CENT) | {SHARE: (-math.inf, 0.02)},
        control="vectors that stay as the game began with them, random ones without an iteration, and, for the "
        "operations, singular value decompositions.",
        budget="400 rounds of spectral normalisation on 64 events of the ring of eight",
        figure=draw_iterating,
        seeds=8,
        note="Relative errors, of the layers of 64 x 64. Random vectors need more than five iterations. "
        "In a game, one per forward follows sigma to well below 1 % where the second singular value is far from the "
        "first, and misses by several per cent where training brings the two close. It is cheap: an iteration is 6 "
        "operations per weight, a step 6 per weight and event. It never finds too large a sigma, so that the norms of "
        "weights stay above 1.",
    ),
)  # fmt: skip
