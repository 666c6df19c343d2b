"""Every kind of flow, asked for its density anywhere and for samples of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.func import jacrev

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.claims.densities import ENTROPY, REACH, SHOWN, asked, on_the_plane
from simulacra.claims.shortcuts import digits
from simulacra.domains.toys import TOYS
from simulacra.figures.planes import Plane, planes
from simulacra.random import draws
from simulacra.recipes.ffjord import ffjord
from simulacra.recipes.glow import glow
from simulacra.recipes.iaf import iaf
from simulacra.recipes.maf import maf
from simulacra.recipes.nice import nice
from simulacra.recipes.nsf import nsf
from simulacra.recipes.planar_flow import planar_flow
from simulacra.training.game import Experiment

Array = np.ndarray
NARROW: dict[str, Any] = {"hidden": (64, 64), "decay": 0.99, "batch_size": 256}
PLANAR: Mapping[str, partial[Experiment]] = {
    "planar_flow": partial(planar_flow, layers=24, decay=0.99, batch_size=256, rounds=1200),
    "nice": partial(nice, rounds=1000, **NARROW),
    "maf": partial(maf, layers=6, rounds=1500, **NARROW),
    "iaf": partial(iaf, layers=6, rounds=2000, **NARROW),
    "nsf": partial(nsf, layers=4, rounds=500, **NARROW),
    "ffjord": partial(ffjord, hidden=(32, 32), rounds=500),
}
"""The flows of the plane, as they are played here; RealNVP is asked in `densities`."""
INTEGRAL = "|log of the integral of p over a square - log of the share of samples in it|"
WARM = 1.2
"""The width of the noise of the control's samples."""


def density(flow: Any, x: Tensor) -> Tensor:
    """log p(x) of a flow, [B]."""
    return flow.log_prob(Batch(x))


def within(x: Tensor) -> tuple[Tensor, float]:
    """Those of the points [N, 2] that lie on the plane that is asked, and their share."""
    inside = (x.abs() < REACH).all(1)
    return x[inside], float(inside.double().mean())


def lone(flow: Any, x: Tensor) -> Tensor:
    """The base's log density at the latents of x, [B]: log p(x) without the determinant."""
    return flow.base.log_prob(flow.bijection.to_latent(x.flatten(1), {})[0])


def evaluating(seed: int, share: float = 1.0, size: int = 400, samples: int = 40_000) -> Result:
    """Six flows of the two moons, after a `share` of their rounds; in the control without the determinant."""
    spec, data = DataSpec("moons", "vector", Field((2,))), Batch(TOYS["moons"].sample(20_000, seed=seed))
    values, control, arrays = {}, {}, {}
    cut = round(size * (1 - SHOWN / REACH) / 2)
    for name, build in PLANAR.items():
        rounds = max(2, round(share * build.keywords["rounds"]))
        flow: Any = learn(
            partial(build.func, **{**build.keywords, "rounds": rounds}), spec, data, seed, "flows"
        ).model.eval()
        log_prob = partial(density, flow)
        with torch.no_grad(), draws(seed):
            noise = flow.base.draw(samples)
            x, wide = flow.push({"z": noise}).x, flow.push({"z": WARM * noise}).x
        x, inside = within(x)
        found, p = asked(log_prob, x, size)
        warm, _ = within(wide)
        with torch.no_grad():
            wider = found[ENTROPY] + float(log_prob(x).double().mean() - log_prob(warm).double().mean())
        area = (2 * REACH / size) ** 2
        without = on_the_plane(partial(lone, flow), size)
        values |= {
            f"{name}: {INTEGRAL}": abs(math.log(p.sum() * area / inside)),
            f"{name}: {ENTROPY}": found[ENTROPY],
        }
        control |= {f"{name}: {INTEGRAL}": abs(math.log(without.sum() * area / inside)), f"{name}: {ENTROPY}": wider}
        arrays |= {f"{name}, p": p[cut : size - cut, cut : size - cut].astype(np.float32), name: x[:800].numpy()}
    return Result(values, control, arrays)


def draw_evaluating(results: Sequence[Result]) -> Figure:
    shown = results[0].arrays

    def panel(name: str) -> Plane:
        away = np.mean([r.values[f"{name}: {INTEGRAL}"] for r in results])
        p, title = shown[f"{name}, p"], f"{name}: |log integral| {away:.4f}"
        return Plane(title, p, (0, float(np.quantile(p, 0.999))), clouds={"samples": shown[name]})

    return planes([panel(name) for name in PLANAR], (-SHOWN, SHOWN, -SHOWN, SHOWN), columns=3)


DETERMINANT, BACK = "|log p - log p by autograd's Jacobian| / nats", "largest change of noise after a round trip"


def unfolding(seed: int, rounds: int = 200, asked_for: int = 8) -> Result:
    """Glow of digits of 8 x 8, its density against the determinant of all 64 x 64 slopes; in the control without."""
    pixels = digits()
    spec = DataSpec("digits", "image", Field((1, 8, 8), range=(0.0, 1.0)), rows=len(pixels))
    game = learn(partial(glow, steps=4, width=24, batch_size=64, rounds=rounds), spec, Batch(pixels), seed, "flows")
    flow: Any = game.model.double().eval()  # type: ignore[union-attr]
    with torch.no_grad(), draws(seed):
        noise = flow.noise(64)["z"]
        x = flow.push({"z": noise}).x
    picked = x[:asked_for].flatten(1)
    slopes = torch.stack([jacrev(lambda at: flow.bijection.to_latent(at[None], {})[0][0])(each) for each in picked])
    with torch.no_grad():
        without = lone(flow, x[:asked_for])
        truth = without + torch.linalg.slogdet(slopes)[1]
        claimed = flow.log_prob(Batch(x[:asked_for]))
        back = flow.bijection.to_latent(x.flatten(1), {})[0]
    values = {
        DETERMINANT: float((claimed - truth).abs().max()),
        BACK: float((back - noise).abs().max()),
    }
    control = {DETERMINANT: float((without - truth).abs().min())}
    return Result(values, control, {"slopes": slopes[0].detach().numpy().astype(np.float32)})


def draw_unfolding(results: Sequence[Result]) -> Figure:
    slopes = np.abs(results[0].arrays["slopes"])
    title = f"log det from this: off by {results[0].values[DETERMINANT]:.0e}"
    return planes(
        [Plane(title, np.log10(np.maximum(slopes, 1e-3)))],
        (0.5, 64.5, 0.5, 64.5),
        size=3.2,
        names=("pixel", "latent; colours: lg |slope|"),
    )


LECTURE = "C:491-494"
CLAIMS = (
    Claim(
        name="every-flow-evaluates-and-samples",
        statement="Once trained, flows of every kind evaluate p(x) for any point and generate new ones.",
        lecture=LECTURE,
        paper="Rezende and Mohamed 2015, arXiv 1505.05770; Papamakarios et al. 2021, arXiv 1912.02762",
        experiment=evaluating,
        bounds={
            f"{name}: {what}": bound
            for name in PLANAR
            for what, bound in ((INTEGRAL, (-math.inf, 0.01)), (ENTROPY, (-0.03, 0.03)))
        },
        control="the integral without the determinant, and samples from noise that is a fifth too wide.",
        budget="500 (NSF, FFJORD) to 2,000 rounds of each on 256 points of the moons; 160,000 points of the plane",
        figure=draw_evaluating,
        note="The square has sides of 12 deviations of the data; additive couplings fold the moons so that a few "
        "samples fall outside. Planar, additive, masked and inverse autoregressive, spline and continuous flows; "
        "RealNVP has its own claim. Nothing is said of which is best.",
    ),
    Claim(
        name="a-flow-of-pictures-knows-its-determinant",
        statement="The determinant that a flow of pictures reports is that of its map.",
        lecture=LECTURE,
        paper="Kingma and Dhariwal 2018, arXiv 1807.03039",
        experiment=unfolding,
        bounds={DETERMINANT: (-math.inf, 1e-4), BACK: (-math.inf, 1e-4)},
        control="the density without the determinant, at the picture where it matters least.",
        budget="200 rounds of Glow on 64 digits of 8 x 8; all slopes of 8 of its pictures",
        figure=draw_unfolding,
        fast=True,
    ),
)
