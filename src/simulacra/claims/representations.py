"""What codes of autoencoders tell about classes of which nobody told them: clusters, neighbours and strange events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from simulacra.batch import Batch
from simulacra.claims.ae_codes import PICTURES
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.evaluation.probes import retrieval_precision, retrieved
from simulacra.evaluation.roc import area
from simulacra.figures.images import image_grid
from simulacra.random import draws
from simulacra.recipes.ae import ae
from simulacra.recipes.dae import dae
from simulacra.recipes.vae import vae

Array = np.ndarray
LATENT, SEEN = 8, 1200
"""Numbers in a code, and digits of 1,797 that are trained on; the others are held back."""
SUM = 0.5**0.5
"""Width of p(x | z) whose -log p is the sum of squared errors, as lectures print a VAE's loss, up to a constant."""
STARTS: dict[str, Any] = {"n_init": 10}
"""Of k-means, of which the best is taken."""


class Digits(NamedTuple):
    """Pixels from 0 to 1 as rows, and the labels; in an order of the seed's, the first `SEEN` trained on."""

    x: Array
    label: Array


@cache
def digits(seed: int) -> Digits:
    """Scikit-learn's digits of 8 x 8, shuffled."""
    x, label = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(x))
    return Digits((np.asarray(x, dtype=np.float32) / 16)[order], np.asarray(label)[order])


@cache
def network(kind: str, seed: int, rounds: int, start: int = 0, without: int = -1) -> Any:
    """An experiment, trained on the pictures of all seen digits, or of all classes but one; labels are not told."""
    builds = {
        "AE": partial(ae, latent=LATENT),
        "wide": partial(ae, latent=128),
        "denoising": partial(dae, latent=128, components=1),
        "VAE": partial(vae, latent=LATENT, sigma=SUM),
    }
    held = digits(seed)
    x = held.x[:SEEN][held.label[:SEEN] != without]
    build = partial(builds[kind], rounds=rounds)
    return learn(build, PICTURES, Batch(grey(x)), seed, "representations", str(start))


def grey(x: Array) -> torch.Tensor:
    """Rows of pixels as pictures [N, 1, 8, 8], from 0 to 1."""
    return torch.from_numpy(x).view(-1, 1, 8, 8)


@torch.no_grad()
def coded(game: Any, x: Array) -> tuple[Array, Array]:
    """Codes [N, D] of digits, and the squared errors [N] of what comes back."""
    with draws(0):  # a codec may blur grey levels
        batch = game.codec.encode(Batch(grey(x)))
    model = game.model.eval()
    wrong = (model.reconstruct(batch).x - batch.x).flatten(1).square().sum(1)
    return model.encode(batch).mean.numpy(), wrong.numpy()


FOUND, MIXED, AHEAD = (
    "ARI, clusters of codes",
    "ARI, mixture of Gaussians of codes",
    "ARI, clusters of codes - of pixels",
)


def clustering(seed: int, rounds: int = 600) -> Result:
    """Ten clusters of codes against the labels; in the control labels are shuffled."""
    held = digits(seed)
    codes = coded(network("AE", seed, rounds), held.x)[0]
    shuffled = np.random.default_rng(seed).permutation(held.label)
    found = KMeans(10, random_state=seed, **STARTS).fit(codes)
    mixture = GaussianMixture(10, n_init=3, reg_covar=1e-3, random_state=seed).fit_predict(codes)
    pixels = KMeans(10, random_state=seed, **STARTS).fit_predict(held.x)
    score = adjusted_rand_score
    values = {
        FOUND: score(held.label, found.labels_),
        MIXED: score(held.label, mixture),
        AHEAD: score(held.label, found.labels_) - score(held.label, pixels),
    }
    control = {
        FOUND: score(shuffled, found.labels_),
        MIXED: score(shuffled, mixture),
        AHEAD: score(shuffled, found.labels_) - score(shuffled, pixels),
    }
    near = found.transform(codes).argsort(0)[:10].T  # [10 clusters, 10 digits]
    return Result(values, control, {"shown": held.x[near.ravel()]})


def draw_clustering(results: Sequence[Result]) -> Figure:
    score = np.mean([r.values[FOUND] for r in results]), np.mean([r.values[FOUND] - r.values[AHEAD] for r in results])
    note = f"a row: the digits nearest to the middle of a cluster; ARI {score[0]:.2f}, of pixels {score[1]:.2f}"
    return image_grid(results[0].arrays["shown"].reshape(-1, 1, 8, 8), 10, width=5, note=note)


ALIKE = "neighbours of the same digit: codes"
OVER, PLAIN = f"{ALIKE} - principal components", f"{ALIKE} - pixels"
ODD = "AUC of the error, digits of a class left out"


def finding(seed: int, rounds: int = 600, classes: int = 3) -> Result:
    """Neighbours of held-back digits, and a class left out; controls: shuffled labels, and nothing left out."""
    held, every = digits(seed), network("AE", seed, rounds)
    codes, error = coded(every, held.x)
    plain = PCA(LATENT, random_state=0).fit(held.x[:SEEN]).transform(held.x)
    spaces = {"codes": codes, "PCA": plain, "pixels": held.x}
    near = {name: retrieved(space[:SEEN], space[SEEN:]) for name, space in spaces.items()}
    same = {name: retrieval_precision(rows, held.label[:SEEN], held.label[SEEN:]) for name, rows in near.items()}
    shuffled = np.random.default_rng(seed).permutation(held.label)
    by_chance = retrieval_precision(near["codes"], shuffled[:SEEN], shuffled[SEEN:])
    areas = np.zeros((2, classes))
    for k in range(classes):
        odd = (seed + 3 * k) % 10
        strange = held.label[SEEN:] == odd
        wrong = coded(network("AE", seed, rounds, without=odd), held.x[SEEN:])[1]
        areas[:, k] = [area(e[~strange], e[strange])[0] for e in (wrong, error[SEEN:])]
    values = {
        ALIKE: same["codes"],
        OVER: same["codes"] - same["PCA"],
        PLAIN: same["codes"] - same["pixels"],
        ODD: float(areas[0].mean()),
    }
    control = {
        ALIKE: by_chance,
        OVER: by_chance - same["PCA"],
        PLAIN: by_chance - same["pixels"],
        ODD: float(areas[1].mean()),
    }
    asked = [int(np.flatnonzero(held.label[SEEN:] == k)[0]) for k in range(10)]
    shown = np.concatenate([np.stack([held.x[SEEN + k], *held.x[near["codes"][k, :9]]]) for k in asked])
    return Result(values, control, {"shown": shown})


def draw_finding(results: Sequence[Result]) -> Figure:
    note = "left a digit that was held back, right of it those with the nearest codes"
    return image_grid(results[0].arrays["shown"].reshape(-1, 1, 8, 8), 10, width=5, note=note)


HINTON = "Hinton and Salakhutdinov 2006, Science 313"
CLAIMS = (
    Claim(
        name="models-find-clusters-without-labels",
        statement="Models of data train without labels, and find the clusters that labels would name.",
        lecture="A:90-95",
        paper=HINTON,
        experiment=clustering,
        bounds={FOUND: (0.4, math.inf), MIXED: (0.4, math.inf), AHEAD: (0.02, math.inf)},
        control="shuffled labels.",
        budget="600 rounds of an autoencoder of 8 codes on 64 digits of 8 x 8",
        figure=draw_clustering,
        fast=True,
        note="The adjusted Rand index of ten clusters and the ten digits is 0 by chance and 1 where they agree. "
        "Clusters are those of k-means, in codes and in pixels, where they are found no worse.",
    ),
    Claim(
        name="codes-find-what-is-alike",
        statement="Encodings find similar samples, and those that are like no other.",
        lecture="A:93",
        paper=HINTON,
        experiment=finding,
        bounds={ALIKE: (0.9, math.inf), OVER: (0.01, math.inf), PLAIN: (0.0, math.inf), ODD: (0.8, math.inf)},
        control="shuffled labels, and autoencoders that have seen all classes.",
        budget="600 rounds of an autoencoder of 8 codes on 64 digits of 8 x 8, and of three with a class left out",
        figure=draw_finding,
        fast=True,
        note="The ten nearest of 1,200 digits, of those held back. A digit is strange where what comes back has a "
        "large error; of ten classes three are left out in turn. Neighbours by pixels are more often of the same "
        "digit.",
    ),
)
