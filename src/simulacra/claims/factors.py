"""Rendered shapes whose factors are known, and how many numbers an autoencoder needs for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.metrics import r2_score
from sklearn.neighbors import KNeighborsRegressor
from torch import Tensor

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.domains.images.rendered import shapes
from simulacra.figures.curves import Curves, curves
from simulacra.random import reseed
from simulacra.recipes.ae import ae

SIDE = 12
"""Of the pictures, in pixels."""


def rendered(n: int, count: int, side: int = SIDE) -> tuple[Tensor, Tensor]:
    """Pictures and factors [n, 4] of which the first `count` are drawn, uniform and independent, and the others 0."""
    factors = torch.zeros(n, 4)
    factors[:, :count] = 2 * torch.rand(n, count) - 1
    return shapes(factors, side), factors


def fitted(
    x: Tensor, held: Tensor, latent: int, seed: int, rounds: int, start: int = 0
) -> tuple[float, np.ndarray, np.ndarray]:
    """Error on held-back pictures over their variance, and the codes of both, of an autoencoder of `latent` numbers."""
    spec = DataSpec("shapes", "vector", Field((x[0].numel(),)))
    build = partial(ae, latent=latent, width=128, batch=64, lr=2e-3, rounds=rounds)
    game = learn(build, spec, Batch(x.flatten(1)), seed, "factors", str(start))
    model: Any = game.model.eval()
    both = [game.codec.encode(Batch(part.flatten(1))) for part in (x, held)]
    with torch.no_grad():
        wrong = model.reconstruct(both[1]).x - both[1].x
        codes = [model.encode(batch).mean.numpy() for batch in both]
    return float(wrong.square().sum() / (both[1].x - both[1].x.mean(0)).square().sum()), codes[0], codes[1]


READ, DROP, ELBOW = (
    "least R2 of a factor, from k codes",
    "log2 of error at k codes / at k - 1",
    "log2 of error at k + 1 codes / at k",
)
STARTS = 3


def counting(seed: int, rounds: int = 1500, count: int = 3, rows: int = 6000) -> Result:
    """Autoencoders of 1 to k + 1 codes on pictures of k factors; in the control the pictures have one factor more.

    Errors and what is read off the codes are medians over three starts.
    """
    found, least = {}, {}
    for k, sizes in ((count, range(1, count + 2)), (count + 1, range(count, count + 2))):
        reseed(seed, "counting")
        x, factors = rendered(rows + 1000, k)
        seen, held = slice(rows), slice(rows, None)
        for latent in sizes:
            errors, scores = [], []
            for start in range(STARTS if latent >= count else 1):
                error, codes, others = fitted(x[seen], x[held], latent, seed, rounds, start)
                errors.append(error)
                if latent == count:
                    reader = KNeighborsRegressor(5, weights="distance").fit(codes, factors[seen, :k].numpy())
                    read = r2_score(factors[held, :k].numpy(), reader.predict(others), multioutput="raw_values")
                    scores.append(float(np.min(read)))
            found[k, latent] = float(np.median(errors))
            if scores:
                least[k] = float(np.median(scores))
    values = {
        READ: least[count],
        DROP: math.log2(found[count, count] / found[count, count - 1]),
        ELBOW: math.log2(found[count, count + 1] / found[count, count]),
    }
    control = {
        READ: least[count + 1],
        ELBOW: math.log2(found[count + 1, count + 1] / found[count + 1, count]),
    }
    arrays = {
        f"{k} factors": np.array([[latent, error] for (j, latent), error in found.items() if j == k]).T
        for k in (count, count + 1)
    }
    return Result(values, control, arrays)


def draw_counting(results: Sequence[Result]) -> Figure:
    lines = {
        name: (results[0].arrays[name][0], np.exp(np.mean([np.log(r.arrays[name][1]) for r in results], 0)))
        for name in results[0].arrays
    }
    panel = Curves("what comes back of shapes", "numbers in a code", "error / variance", lines, marks=lines, log="y")
    return curves([panel], width=4.4)


CLAIMS = (
    Claim(
        name="autoencoders-find-the-degrees-of-freedom",
        statement="An autoencoder finds the meaningful degrees of freedom of its data.",
        lecture="C:25, C:40",
        paper="Hinton and Salakhutdinov 2006, Science 313",
        experiment=counting,
        bounds={READ: (0.95, math.inf), DROP: (-math.inf, math.log2(0.3)), ELBOW: (-1.0, math.inf)},
        control="pictures with a fourth factor, of which the same number of codes knows too few.",
        budget="1,500 rounds on 64 shapes of 12 x 12, 14 autoencoders",
        figure=draw_counting,
        seeds=6,
        note="Ellipses whose place across and down and whose size vary, three factors; the fourth is the angle. The "
        "codes know the factors together, by their five nearest neighbours; none of them need be one factor. "
        "Errors, but of too few codes, are medians over three starts: with one code more at least half of the error is "
        "left, with one less there is three times as much.",
    ),
)  # fmt: skip
