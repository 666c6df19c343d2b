"""A generator of what is asked for, made by Bayes' rule of a classifier and a model that was told nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.neighbors import KNeighborsClassifier

from simulacra.batch import Batch
from simulacra.claims.claim import Claim, Result
from simulacra.claims.classical import numerals, solved
from simulacra.evaluation.kernels import energy_distance
from simulacra.figures.classical import asked_for
from simulacra.random import reseed

RATIO = "distance from real digits of the class / mixture of each class"


def asking(seed: int, rounds: int = 30, n: int = 200) -> Result:
    """Digits asked for by class from a mixture that knows none and a classifier; in the control it is not heard."""
    reseed(seed, "asking")
    pool = numerals()[torch.randperm(1797)]
    seen, held = pool[:1000], pool[1000:]
    judge = KNeighborsClassifier(3).fit(held.x.flatten(1).numpy(), held.given["label"].numpy())
    label = torch.arange(10).repeat_interleave(n)
    makers = {
        "classifier and p(x)": solved("logistic_regression", seen, rounds),
        "p(x) alone": solved("logistic_regression", seen, rounds, candidates=1),
        "mixture of each class": solved("gmm", seen, rounds, components=4),
    }
    share, far, arrays = {}, {}, {}
    for name, experiment in makers.items():
        given = {"label": label}
        code: Any = experiment.model.sample(len(label), given)  # type: ignore[operator]
        x = experiment.codec.decode(Batch(code.x, given)).x.flatten(1)
        share[name] = float((judge.predict(x.numpy()) == label.numpy()).mean())
        real = [held.x[held.given["label"] == y].flatten(1) for y in range(10)]
        far[name] = float(np.mean([energy_distance(x[label == y], real[y]).value for y in range(10)]))
        arrays[name] = x.view(10, n, 64)[:, :6].numpy()
    values = {
        "called what was asked for": share["classifier and p(x)"],
        RATIO: far["classifier and p(x)"] / far["mixture of each class"],
    }
    control = {
        "called what was asked for": share["p(x) alone"],
        RATIO: far["p(x) alone"] / far["mixture of each class"],
    }
    return Result(values, control, {**arrays, "shares": np.array(list(share.values()))})


def draw_asking(results: Sequence[Result]) -> Figure:
    makers = {name: v for name, v in results[0].arrays.items() if name != "shares"}
    means = np.mean([r.arrays["shares"] for r in results], axis=0)
    return asked_for(makers, dict(zip(makers, map(float, means), strict=True)))


CLAIMS = (
    Claim(
        name="a-classifier-makes-a-generator",
        statement="By Bayes' rule a classifier and an unconditional model generate what is asked for.",
        lecture="D:57",
        paper="Rubin 1988; corrected, for the lecture has p(x | y) classify",
        experiment=asking,
        bounds={"called what was asked for": (0.8, math.inf), RATIO: (-math.inf, 1.5)},
        control="the classifier is not heard: the first of the mixture's pictures is taken.",
        budget="30 steps of expectation maximisation on 1,000 digits, three times",
        figure=draw_asking,
        seeds=8,
        fast=True,
        note="Called by the three nearest of held-back digits. The energy distance is in units of that of a mixture "
        "that was told the classes. What is used is p(x | y) = p(y | x) p(x) / p(y); what classifies is p(y | x).",
    ),
)
