"""How well a critic that is trained to convergence estimates the Wasserstein distance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from simulacra.claims.claim import Claim, Result
from simulacra.claims.fitting import fit, normals
from simulacra.figures.critics import estimates
from simulacra.gan import GradientPenalty
from simulacra.random import reseed

PAIRS = {
    "shift 1": (1.0, 1.0),
    "shift 2": (2.0, 1.0),
    "shift 3": (3.0, 1.0),
    "2 x wide": (0.0, 2.0),
    "3 x wide": (0.0, 3.0),
}
"""Normals of the plane by (shift, sigma); W1 to N(0, 1) is the shift, or sqrt(pi/2) (sigma - 1)."""


def estimating(seed: int, steps: int = 700) -> Result:
    """The critic's value where W1 is known in closed form; in the control weights are clipped."""
    reseed(seed, "critic-estimates")
    exact = np.array([shift or math.sqrt(math.pi / 2) * (sigma - 1) for shift, sigma in PAIRS.values()])
    runs: dict[str, Mapping[str, object]] = {"penalty": {"penalty": GradientPenalty(10.0)}, "clipped": {"clip": 0.1}}
    found = {
        name: np.array([fit(normals(*pair, size=2), steps, **options).value for pair in PAIRS.values()])  # type: ignore[arg-type]
        for name, options in runs.items()
    }
    name = "largest |value / W1 - 1|"
    worst = {k: float(np.abs(v / exact - 1).max()) for k, v in found.items()}
    return Result({name: worst["penalty"]}, {name: worst["clipped"]}, {"W1": exact, **found})


def draw_estimating(results: Sequence[Result]) -> Figure:
    return estimates([r.arrays for r in results])


WGAN = "Arjovsky, Chintala and Bottou 2017, arXiv 1701.07875"
WGAN_GP = "Gulrajani et al. 2017, arXiv 1704.00028"
CLAIMS = (
    Claim(
        name="critic-estimates-wasserstein",
        statement="A critic that is trained to convergence approximates the Wasserstein distance.",
        lecture="B:279-296",
        paper=f"{WGAN}; {WGAN_GP}",
        experiment=estimating,
        bounds={"largest |value / W1 - 1|": (-math.inf, 0.2)},
        control="clipped weights, which bound the slope by something else than 1.",
        budget="700 critic steps on 256 + 256 events for each of five pairs of normals, twice",
        figure=draw_estimating,
        fast=True,
        note="Always above W1, since a penalty gives way; by shift / (2 λ) of it where the two are disjoint.",
    ),
)  # fmt: skip
