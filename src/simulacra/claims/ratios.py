"""What an implicit model says of densities: nothing by itself, and a ratio to a known one by a discriminator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.integrate import trapezoid
from torch import Tensor

from simulacra import recipes
from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.claims.objectives import fit
from simulacra.claims.samplers import PAIR
from simulacra.figures.curves import Curves, curves
from simulacra.protocols import Bound, Density, Sampler
from simulacra.random import reseed
from simulacra.recipes.gan import gan

Array = np.ndarray
LINE = DataSpec("two Gaussians on the line", "vector", Field((1,)), rows=20_000)
IMPLICIT = ("gan", "minimax_gan", "lsgan", "wgan", "wgan_gp", "unrolled_gan", "gsn")
EXPLICIT = ("nsf", "maf", "realnvp", "gmm", "kde", "vae", "ddpm")
BLUR = 0.15
"""Width of the Gaussian noise on what the generator makes, under which its density is finite and can be integrated."""
GRID = np.linspace(-6, 6, 4001)
ASKED = "share of implicit models that sample and give a density or a bound"
ERROR = "mean |log D / (1 - D) - log q / r| where q and r overlap / nats"
MISSED = "|mean log q of data by the odds - exact| / nats"
TOTAL = "|log of the integral of r D / (1 - D)|"


def shares(names: Sequence[str]) -> float:
    """The share of recipes whose model, untrained, is a Density or a Bound.

    Raises:
        ValueError: one of them cannot sample.
    """
    spec, told = DataSpec("plane", "vector", Field((2,)), rows=1000), []
    for name in names:
        model = recipes.find(name).function(spec).model
        if not isinstance(model, Sampler):
            raise ValueError(f"expected a model that samples, came {name}; leave it out")
        told.append(isinstance(model, Density | Bound))
    return float(np.mean(told))


def pushed(made: Array, weight: Array, x: Array = GRID) -> Array:
    """Density at x of points `made` of these weights under Gaussian noise of the width `BLUR`."""
    away = np.square((x[:, None] - made[None]) / BLUR)
    return np.exp(-0.5 * away) @ weight / (BLUR * math.sqrt(2 * math.pi) * weight.sum())


def estimating(seed: int, rounds: int = 300, steps: int = 2000, rows: int = 512) -> Result:
    """A fresh discriminator's log odds against log q / r of a short GAN and of N(0, 1); the control's labels are mixed.

    The generator's density is an integral over its latent, which it does not know itself.
    """
    game = learn(
        partial(gan, latent=1, rounds=rounds, hidden=32), LINE, Batch(PAIR.sample(20_000, seed)), seed, "ratios"
    )
    model: Any = game.model

    def push(z: Tensor) -> Tensor:
        with torch.no_grad():
            return game.codec.decode(model.push({"z": z})).x

    z = torch.linspace(-6, 6, 4001)[:, None]
    q = pushed(push(z)[:, 0].double().numpy(), np.exp(-0.5 * z[:, 0].double().numpy() ** 2))
    p = PAIR.log_prob(torch.from_numpy(GRID)[:, None]).double().exp().numpy()
    known = np.exp(-0.5 * GRID**2) / math.sqrt(2 * math.pi)
    reseed(seed, "ratios")

    def honest() -> tuple[Tensor, Tensor]:
        return push(torch.randn(rows, 1)) + BLUR * torch.randn(rows, 1), torch.randn(rows, 1)

    def mixed() -> tuple[Tensor, Tensor]:
        every = torch.cat(honest())[torch.randperm(2 * rows)]
        return every[:rows], every[rows:]

    truth = np.log(np.maximum(q, 1e-300)) - np.log(known)
    both = np.minimum(q, known)
    found, scores = {}, {}
    for name, draw in {"honest": honest, "mixed": mixed}.items():
        *_, network = fit(draw, steps, 5e-3)
        with torch.no_grad():
            score = network(torch.tensor(GRID, dtype=torch.float32)[:, None])[:, 0].double().numpy()
        found[name] = {
            ERROR: float(trapezoid(both * np.abs(score - truth), GRID) / trapezoid(both, GRID)),
            MISSED: abs(float(trapezoid(p * (score - truth), GRID))),
            TOTAL: abs(math.log(trapezoid(known * np.exp(score), GRID))),
        }
        scores[name] = score
    values = {ASKED: shares(IMPLICIT), **found["honest"]}
    control = {ASKED: shares(EXPLICIT), ERROR: found["mixed"][ERROR]}
    some = slice(1000, 3001, 10)
    arrays = {"x": GRID, "data": p, "q": q, "r": known, "log q / r": truth, "log D / (1 - D)": scores["honest"]}
    return Result(values, control, {k: v[some] for k, v in arrays.items()})


def draw_estimating(results: Sequence[Result]) -> Figure:
    panels = []
    for seed, arrays in enumerate(r.arrays for r in results):
        x = arrays["x"]
        panels.append(Curves(f"seed {seed}", "x", "density", {name: (x, arrays[name]) for name in ("data", "q", "r")}))
    for arrays in (r.arrays for r in results):
        x = arrays["x"]
        lines = {name: (x, arrays[name]) for name in ("log q / r", "log D / (1 - D)")}
        panels.append(Curves("their ratio", "x", "nats", lines, limits=(-10.0, 4.0)))
    return curves(panels, columns=len(results), width=2.8)


CLAIMS = (
    Claim(
        name="a-discriminator-has-the-density-of-an-implicit-model",
        statement="An implicit model can only be sampled: its density has to be taken from a discriminator's odds.",
        lecture="C:91-94, D:99-102, D:404",
        paper="Mohamed and Lakshminarayanan 2017, arXiv 1610.03483; Sugiyama, Suzuki and Kanamori 2012",
        experiment=estimating,
        bounds={
            ASKED: (-math.inf, 0.0),
            ERROR: (-math.inf, 0.1),
            TOTAL: (-math.inf, 0.05),
            MISSED: (-math.inf, 0.1),
        },
        control="explicit models, and a discriminator whose labels are mixed.",
        budget="300 rounds of a GAN on the line, 2,000 steps of each discriminator on 512 + 512 events",
        figure=draw_estimating,
        seeds=8,
        fast=True,
        note="The GAN's z is one number and what it makes has Gaussian noise of 0.15 added, so that its density q is "
        "an integral over z; r is the normal density. Overlap is weighed by the lesser of both. There a fresh "
        "discriminator has the optimal D = q / (q + r), and r D / (1 - D) is the density. Where a GAN leaves out a "
        "part of the data, as one start of eight does, their likelihood is less by 2 nats than odds can say that are "
        "learnt of events.",
    ),
)  # fmt: skip
