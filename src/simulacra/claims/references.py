"""What papers that the lectures cite say of their own: batches, equal steps, encoders that play along."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.collapse import ring
from simulacra.claims.conditioning import learn
from simulacra.claims.cures import modes
from simulacra.claims.shortcuts import digits
from simulacra.domains.toys import TOYS
from simulacra.figures.collapse import clouds
from simulacra.figures.curves import Curves, curves
from simulacra.gan.path_length import path_lengths
from simulacra.networks import generator_for
from simulacra.random import draws, reseed
from simulacra.recipes.ali import ali
from simulacra.recipes.dcgan import dcgan
from simulacra.recipes.gan import gan
from simulacra.recipes.stylegan2 import stylegan2
from simulacra.recipes.vbn_gan import vbn_gan
from simulacra.training.game import Experiment

Array = np.ndarray
DIGITS = DataSpec("digits", "image", Field((1, 8, 8), range=(0.0, 1.0)), rows=1797)
PLANE = DataSpec("plane", "vector", Field((2,)))

MOVES = "log10 of the change of a picture with its batch, over how much pictures differ"


def moved(model: Any, seed: int, times: int = 20) -> float:
    """log10 of `E |g(z | batch) - g(z | another)|^2 / E |g(z) - g(z')|^2` of a GAN in training mode, batches of 64."""
    generator = model.generator.train()
    with torch.no_grad(), draws(seed):
        kept = model.noise(8)["z"]
        made = torch.stack([generator({"z": torch.cat([kept, model.noise(56)["z"]])}, {})[:8] for _ in range(times)])
    apart = (made[0, :, None] - made[0]).square().flatten(2).sum(2).sum() / (8 * 7)
    return math.log10(max(float((made[1:] - made[:-1]).square().flatten(2).sum(2).mean() / apart), 1e-12))


def depending(seed: int, rounds: int = 200) -> Result:
    """A generator with virtual batch norm; the control has batch norm."""
    build = {
        "virtual": partial(vbn_gan, latent=16, base=8, lr=2e-4),
        "batch norm": partial(dcgan, latent=16, base=8, lr=2e-4),
    }
    found = {}
    for name, recipe in build.items():
        game = learn(lambda data, r=recipe: r(data, rounds=rounds), DIGITS, Batch(digits()), seed, "batches")
        roots: Any = game.learners
        found[name] = moved(roots["game"], seed)
    arrays = {name: np.array(value) for name, value in found.items()}
    return Result({MOVES: found["virtual"]}, {MOVES: found["batch norm"]}, arrays)


def draw_depending(results: Sequence[Result]) -> Figure:
    seeds = np.arange(len(results))
    lines = {name: (seeds, np.array([r.arrays[name] for r in results])) for name in results[0].arrays}
    panel = Curves("a picture in another batch", x="seed", y="log10 of its change", lines=lines, marks=lines)
    return curves([panel], width=5)


UNEVEN = "spread of path lengths over their mean, with over without"


def unevenness(path: float, seed: int, rounds: int) -> tuple[Array, float]:
    """Lengths || J^T y || of StyleGAN2's pictures at 1,000 points of w, trained with this weight."""
    options: dict[str, Any] = {"latent": 16, "depth": 2, "width": 8, "batch": 16, "rounds": rounds, "ema": 0.99}
    reseed(seed, "claims", "path")
    game = learn(lambda data: stylegan2(data, path=path, gamma=0.1, **options), DIGITS, Batch(digits()), seed, "paths")
    model: Any = game.model
    found = []
    with draws(seed):
        for _ in range(10):
            noise = model.noise(100)
            w = model.generator.mapping(noise["z"], {}).detach().requires_grad_()
            found.append(path_lengths(model.generator.from_w(w, noise), w).detach())
    lengths = torch.cat(found)
    return lengths.numpy(), float(lengths.std() / lengths.mean())


def evening(seed: int, rounds: int = 500) -> Result:
    """Weight 2 over none. Control: none over none with other dice."""
    (even, a), (uneven, b), (_, c) = (
        unevenness(weight, at, rounds) for weight, at in ((2.0, seed), (0.0, seed), (0.0, 500 + seed))
    )
    return Result({UNEVEN: a / b}, {UNEVEN: c / b}, {"with": even, "without": uneven})


def draw_evening(results: Sequence[Result]) -> Figure:
    shown = results[0].arrays
    top = float(max(np.quantile(x, 0.995) for x in shown.values()))
    steps = {}
    for name, x in shown.items():
        heights, edges = np.histogram(x, bins=40, range=(0, top), density=True)
        steps[name] = (edges, heights)
    return curves([Curves("path lengths of StyleGAN2", x="|| J^T y ||", y="density", steps=steps)], width=5)


BACK, MORE = (
    "log2 of the error there and back: ALI over an encoder fitted afterwards",
    "modes: ALI beyond the GAN",
)


def fitted(model: Any, seed: int, steps: int) -> nn.Module:
    """An encoder of points that guesses z from g(z), by least squares."""
    reseed(seed, "claims", "afterwards")
    encoder = generator_for(PLANE, 2, hidden=(128, 128, 128))
    optimizer = torch.optim.Adam(encoder.parameters(), 1e-3)
    for _ in range(steps):
        z = model.noise(256)["z"]
        with torch.no_grad():
            x = model.generator({"z": z}, {})
        loss = (encoder({"z": x}, {}) - z).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return encoder


def points(game: Experiment) -> Array:
    """2,000 of its points in physical units."""
    model: Any = game.model
    return game.codec.decode(model.sample(2000)).x.numpy()


def inferring(seed: int, rounds: int = 3000) -> Result:
    """ALI and a GAN of the same networks on the ring of eight, and an encoder fitted to the GAN afterwards."""
    data = Batch(TOYS["ring8"].sample(20_000, seed=seed))
    playing = learn(lambda told: ali(told, latent=2, rounds=rounds), PLANE, data, seed, "ali")
    plain, other = (
        learn(lambda told: gan(told, latent=2, rounds=rounds), PLANE, data, at, "ali") for at in (seed, 500 + seed)
    )
    model: Any = playing.model
    alone: Any = plain.model
    after = fitted(alone, seed, rounds)
    held = TOYS["ring8"].sample(2000, seed=seed + 1)
    code = playing.codec.encode(Batch(held)).x

    def back(x: Tensor) -> float:
        return float((x - code).square().sum(1).mean())

    with torch.no_grad(), draws(seed):
        own = model.reconstruct(Batch(code)).x
        theirs = alone.generator({"z": after({"z": code}, {})}, {})
        games = {"ALI": playing, "GAN": plain, "GAN again": other}
        clouds_of = {name: points(game) for name, game in games.items()}
    held_modes = {name: modes(x[None]) for name, x in clouds_of.items()}
    values = {BACK: math.log2(back(own) / back(theirs)), MORE: held_modes["ALI"] - held_modes["GAN"]}
    control = {BACK: math.log2(back(own.roll(1, 0)) / back(theirs)), MORE: held_modes["GAN again"] - held_modes["GAN"]}
    there = {"ALI, there and back": playing.codec.decode(Batch(own)).x.numpy()}
    return Result(values, control, {**clouds_of, **there})


def draw_inferring(results: Sequence[Result]) -> Figure:
    return clouds(results[0].arrays, ring()[0])


CLAIMS = (
    Claim(
        name="virtual-batch-norm-leaves-events-alone",
        statement="Batch norm makes an event depend on the others of its batch, and virtual batch normalisation "
        "does not.",
        lecture="D:617",
        paper="Salimans et al. 2016, arXiv 1606.03498",
        experiment=depending,
        bounds={MOVES: (-math.inf, -6.0)},
        control="batch norm.",
        budget="200 rounds on 64 digits of 8 x 8, two games",
        figure=draw_depending,
        note="Eight latents, each time with 56 others.",
    ),
    Claim(
        name="path-length-makes-steps-equal",
        statement="Path-length regularisation makes equal steps of a style-based generator equal steps in pictures.",
        lecture="C:735-757",
        paper="Karras et al. 2020, arXiv 1912.04958",
        experiment=evening,
        bounds={UNEVEN: (-math.inf, 0.8)},
        control="no regularisation, over the same with other dice.",
        budget="500 rounds on 16 digits of 8 x 8, with and without",
        figure=draw_evening,
        note="1,000 points of w, one random direction y in pictures for each.",
    ),
    Claim(
        name="encoders-that-play-infer-and-cover",
        statement="Adversarially learned inference finds latents better than an encoder fitted afterwards, and covers "
        "more modes than the GAN.",
        lecture="D:624",
        paper="Dumoulin et al. 2017, arXiv 1606.00704",
        experiment=inferring,
        bounds={BACK: (-math.inf, -0.15), MORE: (0.5, math.inf)},
        control="codes of other events; the GAN with other dice.",
        seeds=8,
        budget="3,000 rounds on 256 points of the ring for each game, and as many for the encoder",
        figure=draw_inferring,
        note="Mean squared error of real points there and back, 2 numbers in a code; modes of 8.",
    ),
)  # fmt: skip
