"""Diffusion: its bound on the likelihood, and its modes against a GAN's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.claims.samplers import LECTURE, exact
from simulacra.diffusion import Ancestral, Chain, DiffusionChain
from simulacra.diffusion.predictions import Denoised
from simulacra.domains.toys import TOYS, Mixture
from simulacra.evaluation.modes import modes
from simulacra.figures.collapse import clouds
from simulacra.figures.curves import Curves, curves
from simulacra.random import draws
from simulacra.recipes.ddpm import ddpm
from simulacra.recipes.gan import gan

Array = np.ndarray
RING = TOYS["ring8"]
assert isinstance(RING, Mixture)
CENTRES = RING.centres
WIDTH = 0.2
CHAIN = 400
WIDE = Mixture("ring of wide Gaussians", CENTRES, WIDTH)
LEARNT, IDEAL = (
    "bound on -log p minus the true -log p / nats, learnt denoiser",
    "bound on -log p minus the true -log p / nats, exact denoiser",
)


def bounding(seed: int, rounds: int = 2000, rows: int = 20_000) -> Result:
    """DDPM's bound with a learnt and with an exact denoiser; in the control both are shown the event itself."""
    spec, data = DataSpec("ring", "vector", Field((2,))), Batch(WIDE.sample(20_000, seed=seed))
    game = learn(
        partial(ddpm, chain=CHAIN, steps=CHAIN, variance="large", rounds=rounds), spec, data, seed, "diffusing"
    )
    test = WIDE.sample(rows, seed=seed + 1)
    code = game.codec.encode(Batch(test))
    stretch = game.codec.log_det(Batch(test)).double()
    truth = WIDE.log_prob(test) - stretch
    scale = float(code.x.std() / test.std())
    unit = Mixture("unit", tuple((x * scale, y * scale) for x, y in WIDE.centres), WIDTH * scale)
    models = {LEARNT: game.model, IDEAL: exact(DiffusionChain, unit, Chain(steps=CHAIN), Ancestral(variance="large"))}
    values, control = {}, {}
    for name, model in models.items():
        events: Any = code if name == LEARNT else Batch(test.double() * scale)
        known: Any = truth if name == LEARNT else unit.log_prob(events.x)
        with draws(seed):
            values[name] = float((known - model.log_prob_bound(events, times=CHAIN)).mean())
        model.denoise = lambda x, t, given, shown=events: Denoised(shown.x, x)
        with draws(seed):
            control[name] = float((known - model.log_prob_bound(events, times=CHAIN)).mean())
    return Result(values, control)


def draw_bounding(results: Sequence[Result]) -> Figure:
    seeds = np.arange(len(results))
    names = {"learnt": LEARNT, "exact": IDEAL}
    marks = {f"{name} denoiser": (seeds, [r.values[key] for r in results]) for name, key in names.items()}
    return curves([Curves("bound, above the true -log p", "seed", "nats", marks=marks, at={"truth": 0.0})], width=4.5)


COVERED, QUALITY, AHEAD = (
    "modes of 8 covered",
    "share of samples within 3 sigma of a mode",
    "modes covered, more than by a GAN of equal CPU time",
)


def covering(seed: int, rounds: int = 4400, other: int = 3000, n: int = 10_000) -> Result:
    """The ring of eight Gaussians by DDPM and by a GAN; in the control DDPM denoises in one step."""
    spec, data = DataSpec("ring8", "vector", Field((2,))), Batch(RING.sample(50_000, seed=seed))
    games = {
        "diffusion": learn(partial(ddpm, rounds=rounds), spec, data, seed, "diffusing"),
        "GAN": learn(partial(gan, rounds=other), spec, data, seed, "diffusing"),
    }
    games["diffusion, one step"] = games["diffusion"]
    found, arrays = {}, {}
    for name, game in games.items():
        model: Any = game.model
        if name == "diffusion, one step":
            model.sampler = Ancestral(1)
        with draws(seed):
            x = game.codec.decode(model.sample(n)).x.numpy()
        seen = modes(RING.sample(n, seed=seed + 1).numpy(), x, CENTRES, 0.02)
        found[name] = {COVERED: seen["modes/covered"].value, QUALITY: seen["modes/high_quality"].value}
        arrays[name] = x[:1500]
        arrays[f"{name}, found"] = np.array(list(found[name].values()))
    for name in ("diffusion", "diffusion, one step"):
        found[name][AHEAD] = found[name][COVERED] - found["GAN"][COVERED]
    return Result(found["diffusion"], found["diffusion, one step"], arrays)


def draw_covering(results: Sequence[Result]) -> Figure:
    shown = results[0].arrays

    def title(name: str) -> str:
        covered, good = np.mean([r.arrays[f"{name}, found"] for r in results], 0)
        return f"{name}: {covered:.1f}, {100 * good:.0f} %"

    return clouds({title(k): shown[k] for k in ("diffusion", "GAN", "diffusion, one step")}, CENTRES)


ABOVE = (0.0, math.inf)

CLAIMS = (
    Claim(
        name="diffusion-bounds-the-likelihood",
        statement="A diffusion model has a variational lower bound of its likelihood.",
        lecture=LECTURE,
        paper="Sohl-Dickstein et al. 2015, arXiv 1503.03585; Ho et al. 2020, arXiv 2006.11239",
        experiment=bounding,
        bounds={LEARNT: ABOVE, IDEAL: (0.0, 0.1)},
        control="a denoiser that is shown the event itself, and so has no bound.",
        budget="2,000 rounds on 128 events of eight wide Gaussians, a chain of 400 steps",
        figure=draw_bounding,
        note="The mean of -log p of a model lies above that of the truth, by the KL divergence, and the bound above "
        "both. With the exact denoiser the rest is what a chain of 400 steps gives away. Its steps back are "
        "as wide as those of the noise.",
    ),
    Claim(
        name="denoising-step-by-step-covers-modes",
        statement="A model that learns to denoise step by step finds the modes of the data.",
        lecture=LECTURE,
        paper="Ho et al. 2020, arXiv 2006.11239",
        experiment=covering,
        bounds={COVERED: (7.5, math.inf), QUALITY: (0.5, math.inf), AHEAD: ABOVE},
        control="the same network asked once in place of a hundred times.",
        budget="4,400 rounds of DDPM and 3,000 of a GAN, about 25 seconds of CPU each",
        figure=draw_covering,
        note="Rounds are fixed so that both cost the same, at 5.7 and 8.4 ms a round; batches of 128 and 256.",
    ),
)
