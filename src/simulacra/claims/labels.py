"""What labels do for a GAN of digits: to the pictures, and to their variety."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import Build, learn, told
from simulacra.evaluation.frechet import frechet
from simulacra.figures.images import image_grid
from simulacra.random import reseed
from simulacra.recipes.acgan import acgan
from simulacra.recipes.cgan import cgan
from simulacra.recipes.dcgan import dcgan
from simulacra.training.game import Experiment, constant

Array = np.ndarray
SPEC = DataSpec("digits", "image", Field((1, 8, 8), range=(0.0, 1.0)), {"label": Field((), "class", 10)})
EACH = 180
"""Generated digits of each class."""
ROUNDS, RATE = 2400, 2e-4
"""Rounds, and the learning rate of all, from first to last."""


@cache
def digits() -> tuple[Tensor, Tensor]:
    """Scikit-learn's digits [1797, 1, 8, 8] from 0 to 1, and which they are."""
    pixels, label = load_digits(return_X_y=True)
    return torch.tensor(pixels, dtype=torch.float32).view(-1, 1, 8, 8) / 16, torch.tensor(label)


def level(game: Experiment) -> Experiment:
    """The same game with learning rates that stay."""
    players: list[Any] = list(game.players)
    return replace(game, players=[replace(player, schedule=constant) for player in players])


@cache
def made(kind: str, seed: int, rounds: int) -> Array:
    """Generated digits [10, EACH, 64] by the class that the generator was told."""
    x, label = digits()
    reseed(seed, "claims", "labels")
    sizes: dict[str, Any] = {"latent": 32, "rounds": rounds, "ema": 0.99, "lr": RATE}
    builds: Mapping[str, Build] = {
        "GAN": lambda spec: dcgan(spec, base=16, **sizes),
        "cGAN": lambda spec: cgan(spec, joint=0, width=16, **sizes),
        "AC-GAN": lambda spec: acgan(spec, width=16, **sizes),
    }
    if kind == "cGAN, shuffled labels":
        label, kind = label[torch.randperm(len(label))], "cGAN"
    game = learn(lambda spec: level(builds[kind](spec)), SPEC, Batch(x, {"label": label}), seed, "labels")
    return told(game, torch.arange(10).repeat_interleave(EACH), seed).view(10, EACH, 64).double().numpy()


class Reader:
    """A linear classifier of the digits, and the two spaces in which distances to them are taken."""

    def __init__(self) -> None:
        x, label = digits()
        self.x, self.label = x.flatten(1).double().numpy(), label.numpy()
        self.classifier = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.1).fit(self.x, self.label)
        self.pixels = PCA(20, svd_solver="full").fit(self.x)

    def certainty(self, x: Array) -> float:
        """The mean of the largest probability of a class."""
        return float(self.classifier.predict_proba(x).max(1).mean())

    def distances(self, x: Array) -> tuple[float, float]:
        """Fréchet distances to the digits: of nine discriminants of the classes, and of 20 principal components."""
        spaces = (self.classifier.transform, self.pixels.transform)
        of = [(at(x), at(self.x)) for at in spaces]
        first, second = (frechet(a.mean(0), np.cov(a.T), b.mean(0), np.cov(b.T)) for a, b in of)
        return first, second

    def variety(self, x: Array) -> float:
        """The variance within a class [10, N, 64] over that of the digits, averaged over classes."""
        ours = [x[k].var(0).sum() / self.x[self.label == k].var(0).sum() for k in range(10)]
        return float(np.mean(ours))


def improving(seed: int, rounds: int = ROUNDS) -> Result:
    """Games with labels against one without, on equal rounds; the control's labels are shuffled."""
    read, plain = Reader(), made("GAN", seed, rounds).reshape(-1, 64)

    def against(kind: str) -> tuple[float, float, float]:
        x = made(kind, seed, rounds).reshape(-1, 64)
        ratios = np.log2(np.divide(read.distances(x), read.distances(plain)))
        return read.certainty(x) - read.certainty(plain), float(ratios[0]), float(ratios[1])

    names = ("gain of a classifier's certainty", "log2 of the distance of class features", "log2 of that of pixels")
    found = {kind: dict(zip(names, against(kind), strict=True)) for kind in ("cGAN", "AC-GAN", "cGAN, shuffled labels")}
    values = {f"{kind}: {name}": v for kind in ("cGAN", "AC-GAN") for name, v in found[kind].items()}
    control = {f"cGAN: {name}": v for name, v in found["cGAN, shuffled labels"].items()}
    return Result(values, control, _rows(seed, rounds, ("GAN", "cGAN", "AC-GAN", "cGAN, shuffled labels")))


def _rows(seed: int, rounds: int, kinds: Sequence[str]) -> dict[str, Array]:
    return {kind: made(kind, seed, rounds)[:, 0].astype(np.float32) for kind in kinds}


def draw_rows(results: Sequence[Result]) -> Figure:
    rows = results[0].arrays
    return image_grid(np.concatenate([x.reshape(-1, 1, 8, 8) for x in rows.values()]), 10, names=list(rows))


def narrowing(seed: int, rounds: int = ROUNDS) -> Result:
    """The variance within a class; the control is a game without a classifier."""
    name, read = "AC-GAN: variance within a class, made / real", Reader()
    found = {kind: read.variety(made(kind, seed, rounds)) for kind in ("AC-GAN", "cGAN")}
    pictures = {f"{kind} {k}": made(kind, seed, rounds)[k, :10].astype(np.float32) for kind in found for k in (2, 4, 7)}
    return Result({name: found["AC-GAN"]}, {name: found["cGAN"]}, pictures)


CLAIMS = (
    Claim(
        name="labels-improve-samples",
        statement="Supervision with the labels of real data generates much better samples.",
        lecture="D:514-519, A:562",
        paper="Mirza and Osindero 2014, arXiv 1411.1784; Odena et al. 2017, arXiv 1610.09585",
        experiment=improving,
        bounds={
            "cGAN: gain of a classifier's certainty": (0.05, math.inf),
            "cGAN: log2 of the distance of class features": (-math.inf, 0.0),
            "cGAN: log2 of that of pixels": (-math.inf, 0.0),
            "AC-GAN: gain of a classifier's certainty": (0.05, math.inf),
            "AC-GAN: log2 of the distance of class features": (-math.inf, 0.0),
            "AC-GAN: log2 of that of pixels": (-math.inf, 0.0),
        },
        control="a cGAN whose labels are shuffled.",
        budget="2,400 rounds on 64 digits of 8 x 8, four games",
        figure=draw_rows,
        note="All against the same networks without labels (DCGAN). Certainty is the mean largest probability of a "
        "linear discriminant of the classes; distances are Fréchet's, of its nine features and of 20 principal "
        "components. The cGAN's digits are surer and nearer in pixels; the AC-GAN's are as sure and further away, as "
        "it makes almost one picture of each class.",
    ),
    Claim(
        name="auxiliary-classifier-costs-variety",
        statement="An auxiliary classifier makes digits of a class more alike than they are.",
        lecture="A:585",
        paper="Odena et al. 2017, arXiv 1610.09585",
        experiment=narrowing,
        bounds={"AC-GAN: variance within a class, made / real": (-math.inf, 0.5)},
        control="the conditional GAN, whose critic is told the class and asked for none.",
        budget="2,400 rounds on 64 digits of 8 x 8, two games",
        figure=draw_rows,
        seeds=5,
        note="The sum of the pixels' variances within a class, over that of the digits.",
    ),
)  # fmt: skip
