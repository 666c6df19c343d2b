"""What the value of a GAN's game is, where densities are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.integrate import trapezoid
from scipy.special import expit, log_expit
from scipy.stats import norm, spearmanr
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from simulacra.claims.claim import Claim, Result
from simulacra.figures.curves import Curves, curves
from simulacra.gan.objectives import Minimax, NonSaturating
from simulacra.networks.mlp import MLP
from simulacra.random import reseed

Array = np.ndarray
Density = Callable[[Array], Array]
"""Log density on points."""

LOG2 = math.log(2)
GRID = np.linspace(-12, 12, 6001)
"""Where integrals are taken."""


def value(score: Array, log_p: Array, log_q: Array) -> float:
    """V = E_p log D + E_q log(1 - D) on the grid, D = sigmoid(score)."""
    return float(trapezoid(np.exp(log_p) * log_expit(score) + np.exp(log_q) * log_expit(-score), GRID))


def kl(log_p: Array, log_q: Array) -> float:
    return float(trapezoid(np.exp(log_p) * (log_p - log_q), GRID))


def js(log_p: Array, log_q: Array) -> float:
    """KL(p, m)/2 + KL(q, m)/2 with m = (p + q)/2."""
    middle = np.logaddexp(log_p, log_q) - LOG2
    return 0.5 * kl(log_p, middle) + 0.5 * kl(log_q, middle)


def normal(mean: float = 0.0, sigma: float = 1.0, x: Array = GRID) -> Array:
    return norm.logpdf(x, mean, sigma)


def mixture(draw: np.random.Generator) -> Array:
    """Log density of a random mixture of three normals."""
    parts = [normal(draw.uniform(-3, 3), draw.uniform(0.4, 1.2)) for _ in range(3)]
    return np.logaddexp.reduce([part + math.log(w) for part, w in zip(parts, draw.dirichlet(np.ones(3)), strict=True)])


def fit(draw: Callable[[], tuple[Tensor, Tensor]], steps: int, rate: float = 1e-3, numbers: int = 1) -> Iterator[MLP]:
    """A discriminator, before each of its steps and after the last; `draw` gives real and fake [B, numbers]."""
    network = MLP(numbers, 1, hidden=(64, 64))
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        yield network
        real, fake = draw()
        optimizer.zero_grad()
        Minimax().critic(network(real), network(fake)).mean().backward()
        optimizer.step()
        schedule.step()
    yield network


def optimal(seed: int, steps: int = 500, rows: int = 512) -> Result:
    """A network against p / (p + q) for two normals; the control's labels are shuffled."""
    reseed(seed, "optimal-discriminator")
    mean, sigma = 1.0 + torch.rand(()).item(), 0.5 + 0.5 * torch.rand(()).item()
    log_p, log_q = normal(), normal(mean, sigma)
    best = log_p - log_q
    weight = (np.exp(log_p) + np.exp(log_q)) / 2
    level = 2 * js(log_p, log_q) - 2 * LOG2

    def honest() -> tuple[Tensor, Tensor]:
        return torch.randn(rows, 1), mean + sigma * torch.randn(rows, 1)

    def shuffled() -> tuple[Tensor, Tensor]:
        everything = torch.cat(honest())[torch.randperm(2 * rows)]
        return everything[:rows], everything[rows:]

    found, scores = {}, {}
    for name, draw in {"honest": honest, "shuffled": shuffled}.items():
        *_, network = fit(draw, steps, 5e-3)
        with torch.no_grad():
            score = network(torch.tensor(GRID, dtype=torch.float32)[:, None])[:, 0].double().numpy()
        error = float(trapezoid(weight * np.abs(expit(score) - expit(best)), GRID))
        found[name] = {"mean |D - D*|": error, "V - (2 JS - 2 log 2)": value(score, log_p, log_q) - level}
        scores[name] = expit(score)
    some = slice(2250, 4251, 20)
    arrays = {"x": GRID, "p": np.exp(log_p), "q": np.exp(log_q), "D*": expit(best), "D": scores["honest"]}
    return Result(found["honest"], found["shuffled"], {k: v[some] for k, v in arrays.items()})


def draw_optimal(results: Sequence[Result]) -> Figure:
    panels = []
    for seed, result in enumerate(results):
        x, p, q, best, score = (result.arrays[k] for k in ("x", "p", "q", "D*", "D"))
        lines = {"p": (x, p), "q": (x, q), "p / (p + q)": (x, best), "network": (x, score)}
        panels.append(Curves(f"seed {seed}", "x", "density, D", lines))
    return curves(panels, columns=3, width=2.6)


def at_the_optimum(seed: int, pairs: int = 10, others: int = 20) -> Result:
    """Pairs of random mixtures; the control's discriminator has half the optimal score."""
    draw = np.random.default_rng(seed)
    gaps, weak, less, less_weak = [], [], [], []
    strength, curve, level = np.linspace(0, 2, 41), np.zeros(41), 0.0
    for _ in range(pairs):
        log_p, log_q = mixture(draw), mixture(draw)
        best, level = log_p - log_q, 2 * js(log_p, log_q) - 2 * LOG2
        bent = [best + draw.normal() * np.sin(draw.uniform(0.2, 3) * GRID + draw.uniform(0, 6)) for _ in range(others)]
        values = np.array([value(score, log_p, log_q) for score in bent])
        there, half = value(best, log_p, log_q), value(best / 2, log_p, log_q)
        gaps.append(abs(there - level))
        weak.append(abs(half - level))
        less += list(values < there)
        less_weak += list(values < half)
        curve = np.array([value(s * best, log_p, log_q) for s in strength])
    names = ["|V(D*) - (2 JS - 2 log 2)|", "share of other D with less V"]
    return Result(
        dict(zip(names, (max(gaps), float(np.mean(less))), strict=True)),
        dict(zip(names, (float(np.mean(weak)), float(np.mean(less_weak))), strict=True)),
        {"strength": strength, "V": curve, "level": np.array(level)},
    )


def draw_at_the_optimum(results: Sequence[Result]) -> Figure:
    lines = {f"V, seed {k}": (r.arrays["strength"], r.arrays["V"]) for k, r in enumerate(results)}
    best = {f"V, seed {k}": ([1.0], [r.arrays["level"]]) for k, r in enumerate(results)}
    panel = Curves("points: 2 JS - 2 log 2", "score / optimal score", "V", lines, best)
    return curves([panel], width=4.2, height=3.0)


def follows(seed: int) -> Result:
    """V at the optimal discriminator as the generator moves past the data; the control's discriminator stands still."""
    draw = np.random.default_rng(seed)
    sigma = draw.uniform(0.7, 1.3)
    shift = np.sort(draw.uniform(-4, 4, 41))
    log_p, moved = normal(), [normal(s, sigma) for s in shift]
    divergence = np.array([js(log_p, log_q) for log_q in moved])
    best = np.array([value(log_p - log_q, log_p, log_q) for log_q in moved])
    still = np.array([value(log_p - normal(2.0, sigma), log_p, log_q) for log_q in moved])
    name = "rank correlation of V with JS"
    arrays = {"shift": shift, "JS": divergence, "V": best, "still": still}
    return Result(
        {name: float(np.asarray(spearmanr(best, divergence))[0])},
        {name: float(np.asarray(spearmanr(still, divergence))[0])},
        arrays,
    )


def draw_follows(results: Sequence[Result]) -> Figure:
    held = results[0].arrays
    lines = {"optimal D": (held["shift"], held["V"]), "D optimal at 2": (held["shift"], held["still"])}
    divergence = {"JS": (held["shift"], held["JS"])}
    return curves(
        [Curves("", "the generator's mean", "V", lines), Curves("", "the generator's mean", "JS", divergence)]
    )


ENTROPIES = "log likelihood + BCE", "their gradients", "G's loss + BCE", "G's gradients"


def likelihood(seed: int, rows: int = 1000) -> Result:
    """Losses and gradients by score of the game against binary cross entropy; the control's labels are swapped."""
    draw = torch.Generator().manual_seed(seed)
    real, fake = (3 * torch.randn(rows, 1, generator=draw, dtype=torch.float64).requires_grad_() for _ in range(2))

    def gap(one: Tensor, other: Tensor, by: Sequence[Tensor]) -> tuple[float, float]:
        slopes = [torch.autograd.grad(v.sum(), by, retain_graph=True) for v in (one, other)]
        return (one - other).abs().max().item(), max((a - b).abs().max().item() for a, b in zip(*slopes, strict=True))

    def against(labels: tuple[float, float]) -> dict[str, float]:
        entropy = [
            binary_cross_entropy_with_logits(s, torch.full_like(s, y), reduction="none")
            for s, y in zip((real, fake), labels, strict=True)
        ]
        critic = gap(Minimax().critic(real, fake), entropy[0] + entropy[1], [real, fake])
        generator = gap(Minimax().generator(None, fake), -entropy[1], [fake])
        return dict(zip(ENTROPIES, critic + generator, strict=True))

    score = torch.linspace(-6, 6, 121)
    losses = {"saturating": Minimax().generator(None, score), "non-saturating": NonSaturating().generator(None, score)}
    arrays = {"D": torch.sigmoid(score).numpy(), **{k: v.numpy() for k, v in losses.items()}}
    return Result(against((1.0, 0.0)), against((0.0, 1.0)), arrays)


def draw_likelihood(results: Sequence[Result]) -> Figure:
    held = results[0].arrays
    lines = {"log(1 - D) = -BCE with label 0": (held["D"], held["saturating"])}
    lines["-log D = BCE with label 1"] = held["D"], held["non-saturating"]
    return curves([Curves("", "D(G(z))", "G's loss", lines)], width=4.2, height=3.0)


CLAIMS = (
    Claim(
        name="optimal-discriminator",
        statement="A discriminator trained on a fixed generator approaches p / (p + q).",
        lecture="A:336, A:372, C:664",
        paper="Goodfellow et al. 2014, arXiv 1406.2661",
        experiment=optimal,
        bounds={"mean |D - D*|": (-math.inf, 0.02), "V - (2 JS - 2 log 2)": (-0.01, 0.001)},
        control="the labels of data and fakes are shuffled.",
        budget="500 steps on 512 + 512 events",
        figure=draw_optimal,
        fast=True,
    ),
    Claim(
        name="js-at-the-optimum",
        statement="At the optimal discriminator the value of the game is 2 JS - 2 log 2, so that the generator "
        "minimises the Jensen-Shannon divergence.",
        lecture="A:372, B:171",
        paper="Goodfellow et al. 2014, arXiv 1406.2661",
        experiment=at_the_optimum,
        bounds={"|V(D*) - (2 JS - 2 log 2)|": (-math.inf, 1e-9), "share of other D with less V": (1.0, 1.0)},
        control="a discriminator of half the optimal score.",
        budget="10 pairs of mixtures with 20 other discriminators each",
        figure=draw_at_the_optimum,
        fast=True,
        note="JS with the factors 1/2; with JS as printed at B:173 it is JS - 2 log 2.",
    ),
    Claim(
        name="value-follows-quality",
        statement="With a perfect discriminator V is low where the generator is good and high where it is not.",
        lecture="C:624-633",
        paper="Goodfellow et al. 2014, arXiv 1406.2661",
        experiment=follows,
        bounds={"rank correlation of V with JS": (0.99, 1.0)},
        control="a discriminator that stays optimal for one generator while the generator moves.",
        budget="41 generators",
        figure=draw_follows,
        fast=True,
        note="Only a discriminator that is optimal at every moment makes the loss a measure of quality.",
    ),
    Claim(
        name="likelihood-is-cross-entropy",
        statement="To maximise the likelihood is to minimise binary cross entropy, and the generator maximises it.",
        lecture="A:324, A:343",
        paper="Goodfellow et al. 2014, arXiv 1406.2661",
        experiment=likelihood,
        bounds=dict.fromkeys(ENTROPIES, (-math.inf, 1e-12)),
        control="the labels are swapped.",
        budget="1,000 scores of each kind",
        figure=draw_likelihood,
        fast=True,
        note="G maximises BCE with the label of fakes, 0. To minimise BCE with label 1, as most code does, is the "
        "non-saturating loss, with another gradient. A factor 1/2 lost between C:583 and C:610 moves no optimum.",
    ),
)  # fmt: skip
