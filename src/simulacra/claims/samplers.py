"""Samplers of diffusion models with a denoiser that is exact: how fast their error falls."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import norm, wasserstein_distance
from torch import Tensor, nn

from simulacra.batch import Given
from simulacra.claims.claim import Claim, Result
from simulacra.diffusion import EDM, Ancestral, Diffusion, ProbabilityFlow, VariancePreserving
from simulacra.domains.toys import Mixture
from simulacra.figures.curves import Curves, curves
from simulacra.random import reseed

Array = np.ndarray
PAIR = Mixture("pair", ((-1.0,), (0.5,)), 0.3, (0.3, 0.7))
"""Two Gaussians on the line, of about unit variance."""
STEPS = {"Euler": (16, 128), "Heun": (16, 128), "Runge-Kutta": (16, 64), "DDIM": (16, 128), "ancestral": (8, 64)}
"""Between which numbers of steps a slope is measured."""


class Exact(nn.Module):
    """The noise expected in a mixture that was blurred, in closed form: `E[e | x] = -sigma grad log p(x)`.

    Asked as a network is: x of unit size, and ln(sigma / alpha) / 4.
    """

    def __init__(self, mixture: Mixture) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.tensor(mixture.centres, dtype=torch.float64))
        self.widths = torch.from_numpy(mixture.widths.copy())
        self.shares = torch.from_numpy(mixture.shares)

    def forward(self, x: Tensor, label: Tensor, given: Given, keep: Tensor | None = None) -> Tensor:
        ratio = (4 * label.double()).exp()[:, None, None]
        alpha, sigma = (1 + ratio.square()).rsqrt(), ratio * (1 + ratio.square()).rsqrt()
        variance = (alpha * self.widths).square() + sigma.square()
        away = x.double()[:, None] - alpha * self.centres
        weight = (self.shares.log() - 0.5 * (away.square() / variance + variance.log()).sum(2)).softmax(1)
        return sigma[:, 0] * (weight[..., None] * away / variance).sum(1)


def exact(kind: type[Diffusion], mixture: Mixture, path: Any, sampler: Any) -> Any:
    """A diffusion model whose network is exact."""
    return kind(Exact(mixture), (mixture.size,), path, "noise", sampler).requires_grad_(False)


SAMPLERS: Mapping[str, tuple[Any, Callable[[int], Any]]] = {
    "Euler": (EDM(), lambda steps: ProbabilityFlow(steps, "euler")),
    "Heun": (EDM(), lambda steps: ProbabilityFlow(steps, "heun")),
    "Runge-Kutta": (EDM(), lambda steps: ProbabilityFlow(steps, "rk4")),
    "DDIM": (VariancePreserving(), lambda steps: Ancestral(steps, eta=0.0)),
    "ancestral": (VariancePreserving(), lambda steps: Ancestral(steps)),
}


def solved(name: str, steps: int, mixture: Mixture, z: Tensor) -> Tensor:
    """The events that a sampler makes of standard normal noise [N, 1] with the exact denoiser of a mixture."""
    path, build = SAMPLERS[name]
    sampler = build(steps)
    return sampler(exact(Diffusion, mixture, path, sampler), z * path.at(torch.tensor([path.start])).sigma, {})


def quantiles(mixture: Mixture, n: int) -> Array:
    """n points of a mixture on the line, evenly by its distribution function."""
    x = np.linspace(-6, 6, 20_001)
    centres, widths = np.array(mixture.centres)[:, 0], mixture.widths[:, 0]
    return np.interp((np.arange(n) + 0.5) / n, norm.cdf((x[:, None] - centres) / widths) @ mixture.shares, x)


def slope(curve: Array) -> float:
    """By which power of the calls the error falls, [2, T], from the first to the last."""
    calls, errors = np.log(curve)
    return float((errors[0] - errors[-1]) / (calls[-1] - calls[0]))


def solving(seed: int, starts: int = 2000, fresh: int = 300_000) -> Result:
    """Error against calls of the exact denoiser; in the control it denoises Gaussians that are 0.1 wider.

    Events are compared with those that an exact solution makes of the same start; where fresh noise is drawn, the error
    is W1 to the mixture.
    """
    reseed(seed, "claims", "solving")
    wider = Mixture("wider", PAIR.centres, 0.4, PAIR.weights)
    z, many = (torch.randn(n, 1, dtype=torch.float64) for n in (starts, fresh))
    flow, chain = solved("Runge-Kutta", 512, PAIR, z), solved("DDIM", 4096, PAIR, z)
    goals = {"Euler": flow, "Heun": flow, "Runge-Kutta": flow, "DDIM": chain}
    found: dict[str, dict[str, float]] = {"exact": {}, "wider": {}}
    arrays: dict[str, Array] = {}
    for kind, mixture in (("exact", PAIR), ("wider", wider)):
        for name, (low, high) in STEPS.items():
            counts, errors = [low * 2**k for k in range(int(math.log2(high / low)) + 1)], []
            for steps in counts:
                made = solved(name, steps, mixture, z if name in goals else many)
                errors.append(
                    float((made - goals[name]).abs().mean())
                    if name in goals
                    else wasserstein_distance(made[:, 0].numpy(), quantiles(PAIR, len(made)))
                )
            curve = np.array([[SAMPLERS[name][1](steps).evaluations for steps in counts], errors])
            arrays[f"{kind}, {name}"] = curve
            found[kind][f"{name}: order"] = slope(curve)
    return Result(found["exact"], found["wider"], arrays)


def draw_solving(results: Sequence[Result]) -> Figure:
    def panel(kind: str, title: str) -> Curves:
        lines = {name: results[0].arrays[f"{kind}, {name}"] for name in STEPS}
        return Curves(title, "calls of the denoiser", "error", {k: (v[0], v[1]) for k, v in lines.items()}, log="xy")

    return curves([panel("exact", "exact denoiser"), panel("wider", "denoiser of wider Gaussians")])


LECTURE = "C:393-396"
"""Diffusion models."""

CLAIMS = (
    Claim(
        name="samplers-fall-at-their-order",
        statement="Denoising step by step makes events, the better the smaller the steps.",
        lecture=LECTURE,
        paper="Karras et al. 2022, arXiv 2206.00364; Song, Meng and Ermon 2021, arXiv 2010.02502",
        experiment=solving,
        bounds={
            "Euler: order": (0.8, 1.2),
            "Heun: order": (1.7, 2.3),
            "Runge-Kutta: order": (3.5, 4.5),
            "DDIM: order": (0.8, 1.2),
            "ancestral: order": (0.7, 1.3),
        },
        control="the exact denoiser of Gaussians that are 0.1 wider: what a wrong denoiser misses, no step mends.",
        budget="five samplers at three or four numbers of steps, nothing is trained",
        figure=draw_solving,
        fast=True,
        note="Two Gaussians on the line. Orders are slopes of log error against log calls, on EDM's path and, of DDIM "
        "and the ancestral sampler, on that of constant variance.",
    ),
)
