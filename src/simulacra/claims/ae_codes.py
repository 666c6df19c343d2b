"""Codes of plain autoencoders: from which density to draw them, how many are needed, and what a denoiser learns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import normaltest
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from torch import Tensor
from torch.nn.functional import avg_pool2d

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.domains.images.canonical import open_canonical
from simulacra.evaluation.roc import area
from simulacra.figures.images import image_grid
from simulacra.random import draws
from simulacra.recipes.ae import ae
from simulacra.recipes.vae import vae

Array = np.ndarray
PICTURES = DataSpec("digits", "image", Field((1, 8, 8), range=(0.0, 1.0)))
DENSITIES = ("diagonal Gaussian", "Gaussian", "mixture of 20")


@cache
def small_digits(rows: int) -> Batch:
    """MNIST at 8 x 8, from 0 to 1: means of 3 x 3 pixels of the middle, [rows, 1, 8, 8]."""
    batch = open_canonical("mnist")[torch.arange(rows)]
    return Batch(avg_pool2d(batch.x[..., 2:26, 2:26], 3), batch.given)


def densities(codes: Array, n: int, seed: int) -> dict[str, Array]:
    """As many draws [n, d] of each density, fitted to codes [N, d]."""
    kinds = {"diagonal Gaussian": (1, "diag"), "Gaussian": (1, "full"), "mixture of 20": (20, "full")}
    out = {}
    for name, (count, covariance) in kinds.items():
        fitted = GaussianMixture(count, covariance_type=covariance, reg_covar=1e-4, random_state=seed).fit(codes)
        out[name] = np.random.default_rng(seed).permutation(fitted.sample(n)[0])  # they come by component
    return out


def told(real: Array, made: Array) -> float:
    """AUC of boosted trees between pictures, on 16 principal components of both; each is asked about the other half."""
    rows, made_ones = np.concatenate([real, made]), np.arange(len(real) + len(made)) >= len(real)
    trees = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.1, max_leaf_nodes=15, random_state=0)
    halves = StratifiedKFold(2, shuffle=True, random_state=0)
    seen = PCA(16, random_state=0).fit_transform(rows)
    score = np.asarray(cross_val_predict(trees, seen, made_ones, cv=halves, method="decision_function"))
    return area(score[~made_ones], score[made_ones])[0]


NORMAL = "share of codes that are not Gaussian"
CERTAIN = "certainty of a classifier, VAE - AE with a diagonal Gaussian"
STEPS = (
    "AUC, diagonal Gaussian - Gaussian",
    "AUC, Gaussian - mixture of 20",
    "AUC, mixture of 20 - VAE",
)


@torch.no_grad()
def drawing(seed: int, rounds: int = 800, n: int = 2000, latent: int = 16) -> Result:
    """Digits decoded from densities of an autoencoder's codes, and a VAE's, against those of codes of held-back digits.

    In the control the two sides of each difference are draws of the same, and the codes those of a Gaussian.
    """
    pool = small_digits(6000 + n)
    seen, held = pool[:-n], pool[-n:]
    x, label = (v.numpy() for v in (seen.x.flatten(1), seen.given["label"]))
    reader = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.1).fit(x, label)
    games = {}
    with torch.enable_grad():
        for name, recipe in {"AE": ae, "VAE": vae}.items():
            games[name] = learn(
                lambda data, make=recipe: make(data, latent=latent, rounds=rounds), PICTURES, seen, seed, "drawing"
            )
    plain: Any = games["AE"].model.eval()
    codes = plain.encode(games["AE"].codec.encode(seen)).mean.numpy()
    back = _pictures(plain.reconstruct(games["AE"].codec.encode(held)).x)
    made = {name: _pictures(plain.decode(torch.from_numpy(z).float()))
            for name, z in densities(codes, 2 * n, seed).items()}  # fmt: skip
    full: Any = games["VAE"].model.eval()
    with draws(seed):
        ours = _pictures(full.decode(full.encode(games["VAE"].codec.encode(held)).sample()).mean)
        made["VAE"] = _pictures(full.sample(2 * n).x)
    sure = {name: reader.predict_proba(v).max(1) for name, v in made.items()}
    areas = {name: told(ours if name == "VAE" else back, v[:n]) for name, v in made.items()}
    again = {name: told(ours if name == "VAE" else back, v[n:]) for name, v in made.items()}
    order = [*DENSITIES, "VAE"]
    values = {step: areas[a] - areas[b] for step, a, b in zip(STEPS, order, order[1:], strict=False)}
    control = {step: areas[a] - again[a] for step, a in zip(STEPS, order, strict=False)}
    gaussian = np.random.default_rng(seed).multivariate_normal(codes.mean(0), np.cov(codes.T), len(codes))
    values |= {NORMAL: unusual(codes), CERTAIN: float(sure["VAE"].mean() - sure[DENSITIES[0]].mean())}
    control |= {NORMAL: unusual(gaussian), CERTAIN: float(sure["VAE"][:n].mean() - sure["VAE"][n:].mean())}
    shown = {name: v[:10] for name, v in {"digits": held.x.flatten(1).numpy(), **made}.items()}
    return Result(values, control, {**shown, "areas": np.array([areas[name] for name in order])})


def _pictures(x: Tensor) -> Array:
    """Encoded pictures as rows from 0 to 1."""
    return ((x.flatten(1) + 1) / 2).clamp(0, 1).numpy()


def unusual(codes: Array) -> float:
    """The share of numbers of a code for which skewness and kurtosis exclude a Gaussian at a level of 0.1 %."""
    return float((normaltest(codes).pvalue < 1e-3).mean())


def draw_drawing(results: Sequence[Result]) -> Figure:
    shown = {name: v for name, v in results[0].arrays.items() if name != "areas"}
    areas = ", ".join(f"{a:.2f}" for a in np.mean([r.arrays["areas"] for r in results], 0))
    rows = np.concatenate(list(shown.values())).reshape(-1, 1, 8, 8)
    return image_grid(rows, 10, names=list(shown), note=f"AUC, by row of made digits: {areas}")


CLAIMS = (
    Claim(
        name="density-of-an-autoencoders-codes-is-not-known",
        statement="The decoder of an autoencoder cannot be sampled, since the density of its codes is unknown.",
        lecture="C:56-69, D:141",
        paper="Kingma and Welling 2014, arXiv 1312.6114; Fleuret, Deep learning, 7.2",
        experiment=drawing,
        bounds=dict.fromkeys(STEPS, (0.02, math.inf)) | {NORMAL: (0.8, math.inf), CERTAIN: (0.02, math.inf)},
        control="two samples of the same density in place of two densities, and codes drawn from a Gaussian.",
        budget="800 rounds of an AE and a VAE of 16 codes on 64 MNIST digits of 8 x 8",
        figure=draw_drawing,
        seeds=6,
        note="AUC of boosted trees between what is decoded from a density and from the codes of held-back digits: it "
        "asks how well the density of codes is known, and not how sharp the decoder is. Of a VAE it is not known "
        "either: the codes of digits leave holes in N(0, 1), and a mixture fitted to those of an AE does better. "
        "Certainty is the mean largest probability of a linear discriminant of the classes.",
    ),
)  # fmt: skip
