"""Whether momentum helps two players against each other as it helps one who plays alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.special import expit
from sklearn.datasets import load_digits

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.following import adjust, follow
from simulacra.evaluation.frechet import frechet
from simulacra.figures.curves import Curves, curves
from simulacra.recipes.dcgan import dcgan

Array = np.ndarray
Rule = Callable[[Array], Array]
"""A place -> the direction in which the players want to go."""

MOMENTA = (0.0, 0.5, 0.9)
DIGITS = DataSpec("digits", "image", Field((1, 8, 8), range=(0.0, 1.0)))


def duel(place: Array) -> Array:
    """The Dirac GAN at (theta, psi): data at 0, the generator at theta, the critic psi x; V = f(psi theta).

    theta goes by `-f'(psi theta) psi`, psi by `f'(psi theta) theta`, with `f(t) = -log(1 + exp(-t))`.

    Source: Mescheder, Geiger and Nowozin (2018), arXiv 1801.04406.
    """
    theta, psi = place
    return expit(-psi * theta) * np.array([-psi, theta])


def alone(place: Array) -> Array:
    """Two who both want theta^2 + psi^2 small, with the slopes that they have in the duel."""
    return -0.5 * place


def heavy_ball(rule: Rule, start: Array, momentum: float, rate: float = 0.02, steps: int = 400) -> Array:
    """Distance [steps + 1] from the equilibrium at 0; steps `rate (1 - momentum)`, so that all go equally fast."""
    place, speed = start, np.zeros(2)
    out = [float(np.hypot(*place))]
    for _ in range(steps):
        speed = momentum * speed + rate * (1 - momentum) * rule(place)
        place = place + speed
        out.append(float(np.hypot(*place)))
    return np.array(out)


def quality(seed: int, beta1: float, rounds: int, looks: int) -> Array:
    """Frechet distance of pixels between digits and those of a DCGAN, at each look [looks]."""
    pixels, _ = load_digits(return_X_y=True)
    real = pixels / 16
    data = Batch(torch.tensor(real, dtype=torch.float32).view(-1, 1, 8, 8))
    build = partial(dcgan, DIGITS, latent=32, base=8, batch=32, lr=1e-3)
    made = follow(lambda: adjust(build(), beta1=beta1), DIGITS, data, seed, rounds=rounds, looks=looks, count=1000)
    flat = np.nan_to_num(made.reshape(looks, 1000, -1), nan=1e3).astype(float)
    return np.array([frechet(real.mean(0), np.cov(real.T), x.mean(0), np.cov(x.T)) for x in flat])


def hurting(seed: int, rounds: int = 400, looks: int = 8) -> Result:
    """Distances from the equilibrium with momentum over those without; the control is a descent without a duel."""
    angle = np.random.default_rng(seed).uniform(0, 2 * math.pi)
    start = np.array([math.cos(angle), math.sin(angle)])
    paths = {m: heavy_ball(duel, start, m) for m in MOMENTA}
    steady = {m: heavy_ball(alone, start, m) for m in MOMENTA}
    pictures = {m: quality(seed, m, rounds, looks) for m in MOMENTA}

    def against(ends: dict[float, float], name: str) -> dict[str, float]:
        return {f"{name}, {m:g} / 0": math.log2(ends[m] / ends[0.0]) for m in MOMENTA[1:]}

    dirac = "Dirac GAN: log2 of the distance"
    ends = {m: float(path[-looks // 2 :].mean()) for m, path in pictures.items()}
    values = against({m: path[-1] for m, path in paths.items()}, dirac)
    values |= against(ends, "DCGAN: log2 of the Frechet distance")
    control = against({m: path[-1] for m, path in steady.items()}, dirac)
    arrays = {f"{name}/{m:g}": v for name, held in (("dirac", paths), ("dcgan", pictures)) for m, v in held.items()}
    return Result(values, control, arrays)


def draw_hurting(results: Sequence[Result]) -> Figure:
    panels = []
    for name, title, label in (
        ("dirac", "Dirac GAN", "distance from the equilibrium"),
        ("dcgan", "DCGAN on digits", "Frechet distance of pixels"),
    ):
        lines = {}
        for m in MOMENTA:
            mean = np.mean([r.arrays[f"{name}/{m:g}"] for r in results], 0)
            lines[f"momentum {m:g}"] = (1.0 + np.arange(len(mean))) / len(mean), mean
        panels.append(Curves(title, "share of the game", label, lines, log="y" if name == "dcgan" else ""))
    return curves(panels)


CLAIMS = (
    Claim(
        name="momentum-hurts-games",
        statement="Momentum, with which the first GANs were trained, hurts a game of two players.",
        lecture="D:342",
        paper="Goodfellow et al. 2014, arXiv 1406.2661; Mescheder, Geiger and Nowozin 2018, arXiv 1801.04406",
        experiment=hurting,
        bounds={
            "Dirac GAN: log2 of the distance, 0.5 / 0": (0.001, math.inf),
            "Dirac GAN: log2 of the distance, 0.9 / 0": (0.01, math.inf),
            "DCGAN: log2 of the Frechet distance, 0.5 / 0": (0.0, math.inf),
            "DCGAN: log2 of the Frechet distance, 0.9 / 0": (0.0, math.inf),
        },
        control="two who descend together, with equal slopes.",
        budget="400 steps of the Dirac GAN, 400 rounds of DCGAN on 32 digits, at three momenta",
        figure=draw_hurting,
        seeds=5,
        note="The lectures quote the first paper, which used momentum. The Dirac GAN goes by gradient steps with "
        "momentum m and a rate times 1 - m, so that all are equally fast; for DCGAN m is Adam's beta1: 0.9 more than "
        "doubles the distance, 0.5, the usual choice, costs a tenth on most seeds.",
    ),
)  # fmt: skip
