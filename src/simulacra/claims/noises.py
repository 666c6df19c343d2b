"""What generators are fed with: Gaussian noise, uniform noise, and points of another distribution."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.cluster import KMeans
from torch import Tensor

from simulacra.claims.claim import Claim, Result
from simulacra.claims.collapse import ring
from simulacra.claims.cures import modes
from simulacra.claims.steadiness import BATCH, COUNT, PLANE, RATE, WIDTH, Build, distance, last_third
from simulacra.domains.toys import TOYS
from simulacra.figures.collapse import clouds
from simulacra.gan.latent import Latent, StandardNormal, UniformCube
from simulacra.recipes.wgan_gp import wgan_gp
from simulacra.training.game import Experiment

Array = np.ndarray


def fed(build: Build, latent: Latent) -> Build:
    """The same game, whose generator starts from other noise."""

    def built() -> Experiment:
        game = build()
        parts: Any = (game.learners["game"], game.model)  # type: ignore[index]
        for part in parts:
            part.latent = {"z": latent}
        return game

    return built


@dataclass(frozen=True)
class Spiral:
    """Points of the Swiss roll, by their standard deviation, [n, 2]: data in the place of noise."""

    size: int = 2

    def draw(self, n: int, device: torch.device | str = "cpu") -> Tensor:
        points = TOYS["swissroll"].sample(n, seed=int(torch.randint(2**31, ())))
        return (points / points.std(0)).to(device)

    def project(self, z: Tensor) -> Tensor:
        return z


NOISES: Mapping[str, Latent] = {
    "Gaussian": StandardNormal(2),
    "uniform": UniformCube(2),
    "Swiss roll": Spiral(),
}
OTHERS = ("uniform", "Swiss roll")
FARTHER, FEWER = "{}: log2 of W1, over that of Gaussian noise", "{}: modes less those of Gaussian noise"


def pair(seed: int) -> Array:
    """As samples [1, 500, 2], the two points that k-means finds in the ring: the most that a coin could become."""
    real = TOYS["ring8"].sample(2000, seed=seed).numpy()
    return KMeans(2, random_state=seed).fit(real).cluster_centers_.repeat(COUNT // 2, 0)[None]


def feeding(seed: int, steps: int = 2700) -> Result:
    """The same game on the ring from every noise; the control's noise has two values."""
    build = partial(wgan_gp, PLANE, width=WIDTH, lr=RATE, batch=BATCH)
    held = {name: last_third(fed(build, latent), seed, steps) for name, latent in NOISES.items()}
    held["two values"] = pair(seed)
    far = {name: math.log2(distance(x, seed)) for name, x in held.items()}
    many = {name: modes(x) for name, x in held.items()}

    def against(name: str) -> dict[str, float]:
        return {FARTHER: far[name] - far["Gaussian"], FEWER: many[name] - many["Gaussian"]}

    values = {quantity.format(name): v for name in OTHERS for quantity, v in against(name).items()}
    control = {quantity.format(name): v for name in OTHERS for quantity, v in against("two values").items()}
    return Result(values, control, {name: x[-1] for name, x in held.items()})


def draw_feeding(results: Sequence[Result]) -> Figure:
    return clouds({name: np.nan_to_num(x, nan=1e6) for name, x in results[0].arrays.items()}, ring()[0], columns=2)


CLAIMS = (
    Claim(
        name="any-noise-will-do",
        statement="A generator starts from Gaussian or uniform noise, or from numbers that are no noise at all.",
        lecture="D:261, C:761",
        paper="Goodfellow et al. 2014, arXiv 1406.2661; Gulrajani et al. 2017, arXiv 1704.00028",
        experiment=feeding,
        bounds={
            quantity.format(name): bound
            for name in OTHERS
            for quantity, bound in ((FARTHER, (-0.7, 0.7)), (FEWER, (-1.5, 1.5)))
        },
        control="noise of two values, of which a generator makes two points: the best that k-means finds.",
        budget="2,700 steps of both players on 64 events for each of three games",
        figure=draw_feeding,
        seeds=4,
        note="Exact W1 to real points and modes of 8, over the last third of a WGAN-GP on the ring of eight. Uniform "
        "noise ends a little further away. C:761 has pictures in the place of noise; here it is points of a Swiss "
        "roll.",
    ),
)  # fmt: skip
