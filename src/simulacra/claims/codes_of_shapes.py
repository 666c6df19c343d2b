"""Codes of VAEs where the factors are known: what an axis carries, and how many numbers are in use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import spearmanr
from sklearn.metrics import r2_score
from sklearn.neighbors import KNeighborsRegressor
from torch import Tensor

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.ae_codes import told
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.claims.factors import rendered
from simulacra.claims.manifolds import two_nn
from simulacra.claims.representations import SUM
from simulacra.domains.images.rendered import faces
from simulacra.evaluation.latent import manifold
from simulacra.figures.curves import Curves, curves
from simulacra.figures.images import image_grid
from simulacra.random import draws, reseed
from simulacra.recipes.vae import vae

Array = np.ndarray
SIDE, SEEN = 16, 4000
"""Pixels of a side of faces, and pictures that are trained on."""


def trained(x: Tensor, latent: int, seed: int, rounds: int) -> Any:
    """A VAE of pictures [N, 1, S, S] as rows of pixels."""
    spec = DataSpec("pictures", "vector", Field((x[0].numel(),)))
    build = partial(vae, latent=latent, sigma=SUM, width=128, batch=64, rounds=rounds)
    return learn(build, spec, Batch(x.flatten(1)), seed, "codes of shapes")


def means(game: Any, x: Tensor) -> Tensor:
    """The means of q(z | x), [N, D]."""
    return game.model.eval().encode(game.codec.encode(Batch(x.flatten(1)))).mean


def pictures(game: Any, z: Tensor) -> Tensor:
    """The means of p(x | z) as rows of pixels."""
    return game.codec.decode(Batch(game.model.eval().decode(z).mean)).x


AXIS, BOTH = "rank correlation of a factor and a number of the code", "R2 of a factor from the code"
ALONG = "share of steps along an axis that go its factor's way"


def along(codes: Array, factors: Array) -> tuple[float, list[int]]:
    """The least of the factors' largest |rank correlation| with a number of the code, and those numbers."""
    table = [[abs(float(np.asarray(spearmanr(code, factor))[0])) for code in codes.T] for factor in factors.T]
    return min(max(row) for row in table), [int(np.argmax(row)) for row in table]


@torch.no_grad()
def posing(seed: int, rounds: int = 1500) -> Result:
    """Pose and smile in a code of two numbers; controls: pose put between them, codes of others, and shuffled."""
    reseed(seed, "posing")
    factors = 2 * torch.rand(SEEN + 1000, 2) - 1
    x, told_of = faces(factors, SIDE), factors.numpy()
    with torch.enable_grad():
        game = trained(x[:SEEN], 2, seed, rounds)
    codes = means(game, x).numpy()
    unit = (codes - codes.mean(0)) / codes.std(0)
    way = unit.T @ told_of[:, 0]
    ahead, aside = unit @ way, unit @ np.array([-way[1], way[0]])
    turned = np.stack([ahead + aside, ahead - aside], 1)
    correlated, axes = along(codes, told_of)

    def known(rows: Array) -> float:
        reader = KNeighborsRegressor(5).fit(rows[:SEEN], told_of[:SEEN])
        return float(np.min(r2_score(told_of[SEEN:], reader.predict(rows[SEEN:]), multioutput="raw_values")))

    reads = KNeighborsRegressor(5, weights="distance").fit(x[:SEEN].flatten(1).numpy(), told_of[:SEEN])
    draw, shares = np.random.default_rng(seed), []
    for factor, axis in enumerate(axes):
        z = torch.zeros(21, 2)
        z[:, axis] = torch.linspace(-1.5, 1.5, 21)
        read = reads.predict(pictures(game, z).numpy())[:, factor]
        shares.append([np.mean(np.diff(v) * np.sign(read[-1] - read[0]) > 0) for v in (read, draw.permutation(read))])
    least = np.min(shares, 0)
    shown = pictures(game, manifold(9)).view(-1, 1, SIDE, SIDE).clamp(0, 1).numpy()
    return Result(
        {AXIS: correlated, BOTH: known(codes), ALONG: float(least[0])},
        {AXIS: along(turned, told_of)[0], BOTH: known(draw.permutation(codes)), ALONG: float(least[1])},
        {"shown": shown},
    )


def draw_posing(results: Sequence[Result]) -> Figure:
    return image_grid(
        results[0].arrays["shown"], 9, width=5, note="the two numbers of the code, in equal steps of prior probability"
    )


FACTORS = (1, 2, 3)
USED, MADE = "numbers in use, of 8: factors {}", "AUC, decoded prior and shapes of 3 factors"
LOST = "error / variance of what comes back of shapes of 3 factors"


@torch.no_grad()
def sufficing(seed: int, rounds: int = 800, rows: int = 3000, latent: int = 8) -> Result:
    """Numbers in use of VAEs of shapes with 1 to 4 factors; controls: a factor more, and a Gaussian of the pixels."""
    used, near, found = {}, {}, []
    for k in (*FACTORS, FACTORS[-1] + 1):
        reseed(seed, "sufficing", str(k))
        x = rendered(rows, k)[0]
        with torch.enable_grad():
            game = trained(x, latent, seed, rounds)
        used[k] = float((means(game, x).var(0) > 0.01).sum())
        near[k] = two_nn(x.flatten(1).numpy().astype(float))
        if k == FACTORS[-1]:
            with draws(seed):
                made = pictures(game, torch.randn(rows, latent)).numpy()
            real, z = x.flatten(1).numpy(), means(game, x)
            lost = [((pictures(game, c).numpy() - real) ** 2).sum() / ((real - real.mean(0)) ** 2).sum()
                    for c in (z, z.roll(1, 0))]  # fmt: skip
            plain = np.random.default_rng(seed).multivariate_normal(real.mean(0), np.cov(real.T), rows)
            found = [{MADE: told(real, y), LOST: float(e)} for y, e in zip((made, plain), lost, strict=True)]
    values = {USED.format(k): used[k] for k in FACTORS} | found[0]
    control = {USED.format(k): used[k + 1] for k in FACTORS} | found[1]
    return Result(values, control, {"used": np.array(list(used.values())), "near": np.array(list(near.values()))})


def draw_sufficing(results: Sequence[Result]) -> Figure:
    factors = np.arange(1, len(results[0].arrays["used"]) + 1)
    lines = {f"in use, seed {k}": (factors, r.arrays["used"]) for k, r in enumerate(results)}
    lines |= {
        "TwoNN of the pictures": (factors, np.mean([r.arrays["near"] for r in results], 0)),
        "factors": (factors, factors),
    }
    return curves([Curves("VAE of 8 numbers", "factors of the shapes", "dimension", lines, lines)], width=4.6)


CLAIMS = (
    Claim(
        name="axes-carry-pose-and-smile",
        statement="The numbers of a VAE's code carry factors such as pose and smile, which vary smoothly along them.",
        lecture="D:206",
        paper="Kingma and Welling 2014, arXiv 1312.6114; Rolinek et al. 2019, arXiv 1812.06775",
        experiment=posing,
        bounds={AXIS: (0.8, math.inf), BOTH: (0.9, math.inf), ALONG: (0.9, math.inf)},
        control="the code turned so that pose lies between its numbers, codes of others, and steps in another order.",
        budget="1,500 rounds of a VAE of 2 codes on 64 drawn faces of 16 x 16",
        figure=draw_posing,
        fast=True,
        note="The lesser of pose and smile, which are independent. Nothing in the prior prefers these axes to turned "
        "ones, and starts differ. Along an axis, the other number 0, factors are read off the pictures by their "
        "nearest neighbours.",
    ),
    Claim(
        name="few-degrees-of-freedom-suffice",
        statement="A few degrees of freedom with a simple density, and a network, describe the features of data.",
        lecture="C:343-347",
        paper="Kingma and Welling 2014, arXiv 1312.6114; Burda et al. 2016, arXiv 1509.00519",
        experiment=sufficing,
        bounds={USED.format(k): (k - 0.5, k + 0.5) for k in FACTORS} | {MADE: (-math.inf, 0.7), LOST: (-math.inf, 0.1)},
        control="shapes of one factor more, a Gaussian with the pixels' mean and covariance, and codes of others.",
        budget="800 rounds of VAEs of 8 codes on 64 shapes of 12 x 12 with 1 to 4 factors",
        figure=draw_sufficing,
        fast=True,
        note="Place across and down, size and angle of ellipses. A number of the code is in use where the variance of "
        "its posterior means exceeds 0.01. AUC of boosted trees, a half where shapes cannot be told apart.",
    ),
)
