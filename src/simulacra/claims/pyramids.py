"""What the levels of a Laplacian pyramid of GANs do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.claims.labels import Reader
from simulacra.claims.shortcuts import digits
from simulacra.evaluation.latent import decode
from simulacra.figures.images import image_grid
from simulacra.networks.pyramid import doubled, halved, pyramid, rebuilt
from simulacra.random import draws
from simulacra.recipes.dcgan import dcgan
from simulacra.recipes.lapgan import lapgan

Array = np.ndarray
DIGITS = DataSpec("digits", "image", Field((1, 8, 8), range=(0.0, 1.0)), rows=1797)
MADE = 1797
EXACT = "largest error of a pixel, rebuilt from its pyramid"
KEPT = "error of a sample's coarse picture, over that of doubling alone"
TOLD = "error of details to the real ones, over that by another's condition"
BETTER = "log2 of the distance to digits, over that of one GAN"


def missed(coarse: Tensor, picture: Tensor) -> float:
    """`E |d(x) - c|^2 / E |d(u(c)) - c|^2` of pictures x made of c: 0 where x keeps c, 1 where it is c doubled."""
    return float((halved(picture) - coarse).square().mean() / (halved(doubled(coarse)) - coarse).square().mean())


def levels(seed: int, rounds: int = 1000) -> Result:
    """A pyramid of two levels, and one GAN in as much time; the control's details are another picture's."""
    x = digits()
    # of as much time: a round of the pyramid has four turns
    game = learn(
        partial(lapgan, coarsest=4, latent=16, width=16, lr=3e-4, rounds=rounds, ema=0.99), DIGITS, Batch(x), seed
    )
    one = learn(partial(dcgan, base=16, latent=16, lr=1e-3, rounds=2 * rounds, ema=0.99), DIGITS, Batch(x), seed)
    model: Any = game.model
    details, smallest = model.generator.eval().levels
    plain: Any = one.model
    with torch.no_grad(), draws(seed):
        real = game.codec.encode(Batch(x)).x
        noise = model.noise(MADE)
        coarse = smallest({"z": noise["level1"]}, {})
        seen = {"made": doubled(coarse), "real": doubled(halved(real))}
        own = {of: details({"z": noise["level0"]}, {"low_pass": low}) for of, low in seen.items()}
        sample = decode(model, game.codec, noise).x
        alone = one.codec.decode(plain.sample(MADE)).x
    made = seen["made"] + own["made"]
    swapped = seen["made"] + own["made"].roll(1, 0)
    wanted = real - seen["real"]
    far = [(own["real"].roll(k, 0) - wanted).square().mean() for k in (0, 1, 2)]
    height, read = pyramid(real, 1), Reader()
    ours, theirs = (read.distances(p.flatten(1).double().numpy())[1] for p in (sample, alone))
    values = {
        EXACT: float((rebuilt(height) - real).abs().max()),
        KEPT: missed(coarse, made),
        TOLD: float(far[0] / far[1]),
        BETTER: math.log2(ours / theirs),
    }
    control = {
        EXACT: float((doubled(height[-1]) - real).abs().max()),
        KEPT: missed(coarse, swapped),
        TOLD: float(far[2] / far[1]),
    }
    rows = {"condition": seen["made"], "with its details": made, "with another's": swapped}
    arrays = {name: ((row[:12] + 1) / 2).numpy() for name, row in rows.items()}
    return Result(values, control, arrays | {"one GAN": alone[:12].numpy(), "digits": x[:12].numpy()})


def draw_levels(results: Sequence[Result]) -> Figure:
    rows = results[0].arrays
    return image_grid(np.concatenate(list(rows.values())), 12, names=list(rows))


CLAIMS = (
    Claim(
        name="a-pyramid-adds-what-its-coarse-pictures-lack",
        statement="Each level of a pyramid of GANs adds details of its coarse picture, and the pyramid makes better "
        "pictures than one GAN.",
        lecture="D:623",
        paper="Denton et al. 2015, arXiv 1506.05751; Burt and Adelson 1983",
        experiment=levels,
        bounds={
            EXACT: (-math.inf, 1e-5),
            KEPT: (-math.inf, 0.5),
            TOLD: (-math.inf, 0.9),
            BETTER: (-math.inf, 0.0),
        },
        control="details of another picture; for what is rebuilt, no details.",
        budget="1,000 rounds on 64 digits of 8 x 8 with coarsest pictures of 4 x 4, and 2,000 of one GAN",
        figure=draw_levels,
        note="Real details give back what the doubled coarse picture lost of itself, so that means of 2 x 2 pixels of "
        "a picture are its coarse picture. Errors of details are squared, to those of digits under their own coarse "
        "pictures. The distance is Fréchet's, of 20 principal components; one GAN has as much time. "
        "Details do follow their condition; at this size the dense game of the coarsest pictures varies too little, "
        "and no later level can make up for it.",
    ),
)  # fmt: skip
