"""What codes are good for when labels are few: under a constraint and without one, and beside principal components."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from simulacra.claims.claim import Claim, Result
from simulacra.claims.representations import LATENT, SEEN, coded, digits, network
from simulacra.evaluation.probes import linear_probe
from simulacra.figures.curves import Curves, curves

Array = np.ndarray


def probe(space: Array, label: Array, each: int = 10, times: int = 10) -> float:
    """Accuracy on held-back digits of a linear classifier of codes with so many labels of each class, mean of draws."""
    return linear_probe(space[:SEEN], label[:SEEN], space[SEEN:], label[SEEN:], each=each, times=times)


NARROW, NOISY = "accuracy with 10 labels, 8 codes - 128", "accuracy with 10 labels, 128 codes denoising - 128"
COPY = "error, 128 codes / 8"


def constraining(seed: int, rounds: int = 600) -> Result:
    """Codes under a constraint and without; in the control two starts of the same."""
    held, found, errors = digits(seed), {}, {}
    for name, kind, start in (("8", "AE", 0), ("8 again", "AE", 1), ("128", "wide", 0), ("128 again", "wide", 1),
                              ("denoising", "denoising", 0)):  # fmt: skip
        codes, wrong = coded(network(kind, seed, rounds, start), held.x)
        found[name], errors[name] = probe(codes, held.label), float(wrong[SEEN:].mean())
    values = {
        NARROW: found["8"] - found["128"],
        NOISY: found["denoising"] - found["128"],
        COPY: errors["128"] / errors["8"],
    }
    again = found["128 again"] - found["128"]
    control = {NARROW: again, NOISY: again, COPY: errors["8 again"] / errors["8"]}
    return Result(values, control, {"accuracy": np.array([found[k] for k in ("8", "128", "denoising")])})


def draw_constraining(results: Sequence[Result]) -> Figure:
    return _by_seed(
        "a linear classifier of codes, 10 labels of each class", ("8 codes", "128 codes", "128, denoising"), results
    )


def _by_seed(title: str, names: Sequence[str], results: Sequence[Result]) -> Figure:
    seeds = np.arange(len(results))
    lines = {name: (seeds, np.array([r.arrays["accuracy"][k] for r in results])) for k, name in enumerate(names)}
    return curves([Curves(title, "seed", "accuracy on held-back digits", lines, lines)], width=5)


KNOWS, BEYOND, RAW = (
    "accuracy with 10 labels, VAE",
    "accuracy with 10 labels, VAE - principal components",
    "accuracy with 10 labels, VAE - pixels",
)


def serving(seed: int, rounds: int = 1000) -> Result:
    """Few labels of a VAE's codes, as many principal components, and pixels; in the control an encoder of one round."""
    held = digits(seed)
    means, new = (coded(network("VAE", seed, n), held.x)[0] for n in (rounds, 1))
    plain = PCA(LATENT, random_state=0).fit(held.x[:SEEN]).transform(held.x)
    names = {"VAE": means, "PCA": plain, "pixels": held.x, "new": new}
    found = {name: probe(space, held.label) for name, space in names.items()}
    made = {k: found[k] for k in ("VAE", "new")}
    values, control = (
        {KNOWS: a, BEYOND: a - found["PCA"], RAW: a - found["pixels"]} for a in (made["VAE"], made["new"])
    )
    return Result(values, control, {"accuracy": np.array(list(found.values()))})


def draw_serving(results: Sequence[Result]) -> Figure:
    return _by_seed(
        "a linear classifier, 10 labels of each class",
        ("8 codes of a VAE", "8 components", "pixels", "new encoder"),
        results,
    )


CLAIMS = (
    Claim(
        name="constraints-make-codes-interesting",
        statement="A constraint on the hidden layer makes an autoencoder learn an interesting representation.",
        lecture="A:105",
        paper="Vincent et al. 2010",
        experiment=constraining,
        bounds={NARROW: (0.02, math.inf), NOISY: (0.02, math.inf), COPY: (-math.inf, 0.5)},
        control="the same autoencoder from another start.",
        budget="600 rounds of five autoencoders on 64 digits of 8 x 8",
        figure=draw_constraining,
        fast=True,
        note="Interesting to a linear classifier with ten labels of each digit, mean of ten draws of them. The "
        "constraint is a code of 8 numbers, or noise that 128 numbers cannot copy; 128 without it may copy all, and "
        "serve better than 8.",
    ),
    Claim(
        name="codes-serve-other-tasks",
        statement="Codes q(z | x) of a VAE are useful features for other tasks.",
        lecture="D:223",
        paper="Kingma and Welling 2014, arXiv 1312.6114; Kingma et al. 2014, arXiv 1406.5298",
        experiment=serving,
        bounds={KNOWS: (0.8, math.inf), BEYOND: (0.02, math.inf), RAW: (0.02, math.inf)},
        control="an encoder after a single round.",
        budget="1,000 rounds of a VAE of 8 codes on 64 digits of 8 x 8",
        figure=draw_serving,
        seeds=6,
        fast=True,
        note="A linear classifier of the posterior's means with ten labels of each digit, mean of ten draws of them, "
        "on held-back digits; beside it 8 principal components, and all 64 pixels, which serve better.",
    ),
)
