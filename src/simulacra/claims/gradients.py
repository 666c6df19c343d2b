"""What reaches the generator: gradients of the saturating and the non-saturating loss, where densities are known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.integrate import trapezoid
from scipy.special import expit
from torch import Tensor

from simulacra.claims.claim import Claim, Result
from simulacra.claims.objectives import GRID, fit, js, kl, normal
from simulacra.figures.curves import Curves, curves
from simulacra.gan.objectives import Minimax, NonSaturating
from simulacra.random import reseed

Array = np.ndarray
CHECKPOINTS = (1, 3, 10, 30, 100, 300)
"""Steps of the discriminator."""


def strengthen(gap: float, rows: int = 256) -> dict[str, Array]:
    """The generator g(z) = theta + s z beside data on [-1/2, 1/2], as its discriminator is trained.

    Returns:
        At each of `CHECKPOINTS`: the norm of the gradient by (theta, s) of both losses, and
        epsilon = max D + max |D'| on the fakes, the distance to the optimum D = 0 where they are disjoint.
    """
    z = torch.rand(2048, 1) - 0.5
    out: dict[str, list[float]] = {"saturating": [], "non-saturating": [], "epsilon": []}

    def draw() -> tuple[Tensor, Tensor]:
        return torch.rand(rows, 1) - 0.5, gap + torch.rand(rows, 1) - 0.5

    for step, network in enumerate(fit(draw, max(CHECKPOINTS), 3e-3)):
        if step in CHECKPOINTS:
            for name, objective in {"saturating": Minimax(), "non-saturating": NonSaturating()}.items():
                place = torch.tensor([gap, 1.0], requires_grad=True)
                loss = objective.generator(None, network(place[0] + place[1] * z)).mean()
                out[name].append(torch.autograd.grad(loss, place)[0].norm().item())
            fake = (gap + z).requires_grad_()
            chance = torch.sigmoid(network(fake))
            slope = torch.autograd.grad(chance.sum(), fake)[0]
            out["epsilon"].append((chance.max() + slope.abs().max()).item())
    return {"steps": np.array(CHECKPOINTS), **{k: np.array(v) for k, v in out.items()}}


def _left(held: Mapping[str, Array], loss: str) -> dict[str, float]:
    return {"last gradient / largest": float(held[loss][-1] / held[loss].max())}


def vanishing(seed: int) -> Result:
    """Disjoint segments 3 apart; in the control they overlap by three quarters."""
    reseed(seed, "vanishing-gradients")
    held = {"disjoint": strengthen(3.0), "overlapping": strengthen(0.25)}
    arrays = {f"{side} {k}": v for side, one in held.items() for k, v in one.items()}
    return Result(_left(held["disjoint"], "saturating"), _left(held["overlapping"], "saturating"), arrays)


def lasting(seed: int) -> Result:
    """The non-saturating loss on disjoint segments; the control is the saturating loss."""
    reseed(seed, "label-switching")
    held = strengthen(3.0)
    arrays = {f"disjoint {k}": v for k, v in held.items()}
    return Result(_left(held, "non-saturating"), _left(held, "saturating"), arrays)


def draw_strength(results: Sequence[Result]) -> Figure:
    """Norms of the generator's gradient against the discriminator's steps, averaged over seeds."""
    panels = []
    for side in ("disjoint", "overlapping"):
        if f"{side} steps" in results[0].arrays:
            lines = {}
            for loss in ("saturating", "non-saturating"):
                mean = np.exp(np.mean([np.log(r.arrays[f"{side} {loss}"]) for r in results], 0))
                lines[loss] = results[0].arrays[f"{side} steps"], mean
            panels.append(
                Curves(f"{side} segments", "steps of the discriminator", "norm of G's gradient", lines, log="xy")
            )
    return curves(panels)


def bounded(seed: int) -> Result:
    """Theorem 2.4 on disjoint segments at every checkpoint; the control is the non-saturating loss."""
    reseed(seed, "generator-gradient-theorem")
    held = strengthen(3.0)
    valid = held["epsilon"] < 1
    limit = math.sqrt(1 + 1 / 12) * held["epsilon"][valid] / (1 - held["epsilon"][valid])  # E |dg|^2 = 1 + E z^2
    worst = {k: float((held[k][valid] / limit).max()) for k in ("saturating", "non-saturating")}
    last = {k: float(held[k][-1] / held[k].max()) for k in worst}
    names = ["largest gradient / bound", "last gradient / largest"]
    found = {k: dict(zip(names, (worst[k], last[k]), strict=True)) for k in worst}
    arrays = {**{k: v[valid] for k, v in held.items()}, "limit": limit}
    return Result(found["saturating"], found["non-saturating"], arrays)


def draw_bounded(results: Sequence[Result]) -> Figure:
    held = results[0].arrays
    order = np.argsort(held["epsilon"])
    lines = {"bound": (held["epsilon"][order], held["limit"][order])}
    marks = {k: (held["epsilon"], held[k]) for k in ("saturating", "non-saturating")}
    panel = Curves("", "ε, distance of D to its optimum", "norm of G's gradient", lines, marks, log="xy")
    return curves([panel], width=4.2, height=3.0)


def good_samples(seed: int, rows: int = 20_000) -> Result:
    """Who pulls: samples of N(2, 1) beside data N(0, 1), with D optimal; the control is the non-saturating loss."""
    x = 2 + torch.randn(rows, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    pulls, chance = {}, torch.sigmoid(2 - 2 * x)  # log p / q = 2 - 2 x
    for name, objective in {"saturating": Minimax(), "non-saturating": NonSaturating()}.items():
        place = x.clone().requires_grad_()
        pulls[name] = torch.autograd.grad(objective.generator(None, 2 - 2 * place).sum(), place)[0].abs()
    good = chance > 0.5
    share = {name: float(pull[good].sum() / pull.sum()) for name, pull in pulls.items()}
    names = ["share of the gradient from D > 1/2", "share of the gradient / share of samples"]
    found = {k: dict(zip(names, (v, v / good.double().mean().item()), strict=True)) for k, v in share.items()}
    order = x.argsort()
    counts = {k: np.cumsum(v[order].numpy())[::100] / v.sum().item() for k, v in pulls.items()}
    return Result(found["saturating"], found["non-saturating"], {"D": chance[order].numpy()[::100], **counts})


def draw_good_samples(results: Sequence[Result]) -> Figure:
    held = results[0].arrays
    lines = {name: (held["D"], held[name]) for name in ("saturating", "non-saturating")}
    lines["samples"] = held["D"], (np.arange(len(held["D"])) + 0.5) / len(held["D"])
    panel = Curves("", "D(G(z))", "share from D(G(z)) and above", lines)
    return curves([panel], width=4.2, height=3.0)


def divergences(mean: float, sigma: float) -> tuple[float, float]:
    """KL(q, p) and JS(q, p) of q = N(mean, sigma^2) and p = N(0, 1)."""
    log_p, log_q = normal(), normal(mean, sigma)
    return kl(log_q, log_p), js(log_q, log_p)


def sides(mean: float, sigma: float, strength: float = 1.0, step: float = 1e-4) -> tuple[float, float, float]:
    """E -d log D / dm by the mean m at the optimal D, held fixed; then d/dm of KL - 2 JS and of KL - 4 JS."""
    log_p, log_q = normal(), normal(mean, sigma)
    score = strength * (log_p - log_q)
    slope = strength * (-GRID + (GRID - mean) / sigma**2)
    left = float(trapezoid(np.exp(log_q) * -expit(-score) * slope, GRID))
    high, low = divergences(mean + step, sigma), divergences(mean - step, sigma)
    by_kl, by_js = ((a - b) / (2 * step) for a, b in zip(high, low, strict=True))
    return left, by_kl - 2 * by_js, by_kl - 4 * by_js


def identity(seed: int) -> Result:
    """The gradient of the non-saturating loss for a random normal; the control's discriminator has half the score."""
    draw = np.random.default_rng(seed)
    mean, sigma = draw.uniform(0.5, 1.5), draw.uniform(0.7, 1.2)
    left, right, printed = sides(mean, sigma)
    names = "left - right, JS with 1/2", "left - right, JS as printed"
    shift = np.linspace(-2, 2, 21)
    found = np.array([sides(s, sigma) for s in shift])
    arrays = {"shift": shift, "left": found[:, 0], "right": found[:, 1], "printed": found[:, 2]}
    weak = sides(mean, sigma, strength=0.5)[0]
    return Result(dict(zip(names, (left - right, left - printed), strict=True)), {names[0]: weak - right}, arrays)


def draw_identity(results: Sequence[Result]) -> Figure:
    held = results[0].arrays
    lines = {"KL - 2 JS": (held["shift"], held["right"]), "the same, JS as printed": (held["shift"], held["printed"])}
    marks = {"gradient of -log D*": (held["shift"], held["left"])}
    return curves([Curves("", "the generator's mean", "gradient", lines, marks)], width=4.2, height=3.0)


CLAIMS = (
    Claim(
        name="vanishing-gradients",
        statement="A strong discriminator makes the generator's gradients vanish.",
        lecture="B:131, C:713",
        paper="Arjovsky and Bottou 2017, arXiv 1701.04862",
        experiment=vanishing,
        bounds={"last gradient / largest": (-math.inf, 0.05)},
        control="the two segments overlap by three quarters, and the discriminator cannot become perfect.",
        budget="300 discriminator steps on 256 + 256 events, twice",
        figure=draw_strength,
        fast=True,
        note="The loss is log(1 - D), of which the lecture speaks. It takes disjoint distributions: see the control.",
    ),
    Claim(
        name="label-switching",
        statement="With switched labels, minimising -log D, the generator's gradients do not vanish.",
        lecture="B:733-746",
        paper="Goodfellow et al. 2014, arXiv 1406.2661",
        experiment=lasting,
        bounds={"last gradient / largest": (0.5, math.inf)},
        control="the saturating loss log(1 - D).",
        budget="300 discriminator steps on 256 + 256 events",
        figure=draw_strength,
        fast=True,
        note='B:733 says "in discriminator"; it is the generator whose gradients vanish.',
    ),
    Claim(
        name="generator-gradient-theorem",
        statement="Within ε of the optimal discriminator of disjoint supports, the generator's gradient is at most "
        "M ε / (1 - ε).",
        lecture="B:131, C:713",
        paper="Arjovsky and Bottou 2017, arXiv 1701.04862, theorem 2.4",
        experiment=bounded,
        bounds={"largest gradient / bound": (-math.inf, 1.0), "last gradient / largest": (-math.inf, 0.05)},
        control="the non-saturating loss, of which the theorem does not speak.",
        budget="300 discriminator steps on 256 + 256 events",
        figure=draw_bounded,
        fast=True,
        note="ε = max |D - D*| + max |D' - D*'| on the fakes, M² = E |∂g/∂θ|².",
    ),
    Claim(
        name="good-samples-dominate",
        statement="The gradient signal of log(1 - D) is dominated by the region where samples are already good.",
        lecture="D:312",
        paper="Goodfellow et al. 2014, arXiv 1406.2661",
        experiment=good_samples,
        bounds={
            "share of the gradient from D > 1/2": (0.6, math.inf),
            "share of the gradient / share of samples": (2.0, math.inf),
        },
        control="the non-saturating loss.",
        budget="20,000 samples",
        figure=draw_good_samples,
        fast=True,
        note="A good sample pulls harder than a bad one, but there are few. D q = p q / (p + q) is the same on "
        "both sides of the middle of two equal normals, so that good and bad samples pull half each.",
    ),
    Claim(
        name="non-saturating-identity",
        statement="The gradient of the non-saturating loss at the optimal D is that of KL(q, p) - 2 JS(q, p).",
        lecture="B:750",
        paper="Arjovsky and Bottou 2017, arXiv 1701.04862, theorem 2.5",
        experiment=identity,
        bounds={"left - right, JS with 1/2": (-1e-6, 1e-6), "left - right, JS as printed": (-1e-6, 1e-6)},
        control="a discriminator of half the optimal score.",
        budget="quadrature on 6,001 points",
        figure=draw_identity,
        fast=True,
        note="It holds for JS with the factors 1/2, and not for JS as B:173 defines it. JS is pushed up.",
    ),
)  # fmt: skip
