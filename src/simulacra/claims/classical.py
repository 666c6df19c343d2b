"""Generative against discriminative classifiers, with the oldest models there are of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import avg_pool2d, one_hot

from simulacra import recipes
from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.manifolds import TOP, digits
from simulacra.classical.bayes import log_evidence, log_posterior
from simulacra.domains import open_data
from simulacra.domains.dataset import in_memory
from simulacra.figures.classical import learning_curves, rejected
from simulacra.random import reseed
from simulacra.testing import streams_for
from simulacra.training.game import Clock, Experiment
from simulacra.training.loop import train

Array = np.ndarray
SPEC = DataSpec("pictures", "image", Field((1, 8, 8)), {"label": Field((), "class", 10)})
SIZES = (1, 2, 5, 10, 20, 50, 100)
"""Pictures of each class."""
FEW = 10
KEPT = 0.95
"""Share of held-back pictures of the kind that was learnt which a threshold lets pass."""


@cache
def numerals() -> Batch:
    """The 1,797 handwritten digits of 8 x 8 pixels of scikit-learn, from 0 to 1."""
    from sklearn.datasets import load_digits

    x = torch.from_numpy(digits() / TOP).float().view(-1, 1, 8, 8)
    return Batch(x, {"label": torch.from_numpy(load_digits().target).long()})  # pyright: ignore


@cache
def garments() -> Batch:
    """2,000 pictures of Fashion-MNIST, their frame of 2 pixels left out and 3 x 3 pixels averaged."""
    batch = open_data("fashion-mnist")[torch.arange(2000)]
    return Batch(avg_pool2d(batch.x[..., 2:26, 2:26], 3), batch.given)


def solved(recipe: str, batch: Batch, rounds: int = 1, **arguments: Any) -> Experiment:
    """A recipe on these pictures, after so many rounds."""
    data, chosen = in_memory(SPEC, batch), recipes.find(recipe)
    experiment: Experiment = chosen.build(data.spec, chosen.resolve(arguments))
    experiment.clock, experiment.batch_size = Clock(0, rounds), len(batch)
    seed = int(torch.randint(2**31, ()))  # training starts the generators anew: from where they are, not from 0
    for _ in train(experiment, streams_for(experiment, data, seed), seed=seed):
        pass
    return experiment


def posterior(experiment: Experiment, batch: Batch) -> Tensor:
    """`log p(y | x)` of a classifier, its own or by Bayes' rule."""
    model: Any = experiment.model
    code = experiment.codec.encode(batch)
    return model.log_posterior(code) if hasattr(model, "log_posterior") else log_posterior(model, code)


def dealt(batch: Batch) -> Batch:
    """Every pixel's values dealt out anew among the pictures of a class: independent once the class is known."""
    x = batch.x.clone()
    for y in batch.given["label"].unique():
        rows = (batch.given["label"] == y).nonzero()[:, 0]
        order = torch.rand(len(rows), x[0].numel()).argsort(0)
        x[rows] = batch.x[rows].flatten(1).gather(0, order).view(-1, *x.shape[1:])
    return batch.with_x(x)


def growing(seed: int, sizes: Sequence[int] = SIZES, repeats: int = 30) -> Result:
    """Accuracy of both classifiers on black and white digits, and on the same pixels without their dependences."""
    reseed(seed, "growing")
    arrays: dict[str, Array] = {"sizes": np.asarray(sizes, dtype=float)}
    kinds = {"digits": numerals(), "independent pixels": dealt(numerals())}
    for kind, pictures in kinds.items():
        pictures = pictures.with_x(pictures.x.round())
        scores = {"naive Bayes": np.zeros(len(sizes)), "logistic regression": np.zeros(len(sizes))}
        for _ in range(repeats):
            shuffled = pictures[torch.randperm(len(pictures))]
            place = (one_hot(shuffled.given["label"], 10).cumsum(0) - 1).gather(1, shuffled.given["label"][:, None])[
                :, 0
            ]
            held = shuffled[place >= max(sizes)]
            for k, n in enumerate(sizes):
                seen = shuffled[place < n]
                models = {
                    "naive Bayes": solved("naive_bayes", seen, likelihood="bernoulli"),
                    "logistic regression": solved("logistic_regression", seen, components=1),
                }
                for name, model in models.items():
                    right = posterior(model, held).argmax(1) == held.given["label"]
                    scores[name][k] += float(right.double().mean()) / repeats
        arrays |= {f"{kind}, {name}": score for name, score in scores.items()}
    ahead = {kind: arrays[f"{kind}, logistic regression"] - arrays[f"{kind}, naive Bayes"] for kind in kinds}
    few = list(sizes).index(FEW) if FEW in sizes else 0
    values = {
        "few: naive Bayes ahead": -float(ahead["digits"][few]),
        "few, independent pixels: naive Bayes ahead": -float(ahead["independent pixels"][few]),
        "many: logistic regression ahead": float(ahead["digits"][-1]),
    }
    control = {"many: logistic regression ahead": float(ahead["independent pixels"][-1])}
    return Result(values, control, arrays)


def rejecting(seed: int, rows: int = 900) -> Result:
    """Pictures of another kind, rejected by p(x) or by the largest p(y | x) where 5 % of the known kind are."""
    reseed(seed, "rejecting")
    pools = {"digits": numerals(), "garments": garments()}
    pools = {name: pool[torch.randperm(len(pool))] for name, pool in pools.items()}
    shares: dict[str, float] = {}
    for known, strange in (("digits", "garments"), ("garments", "digits")):
        seen, held = pools[known][:rows], pools[known][rows : rows + 800]
        cut = len(held) // 2
        models = {
            "p(x) of kernels": solved("kde", seen),
            "p(x) of naive Bayes": solved("naive_bayes", seen),
            "confidence": solved("logistic_regression", seen, components=1),
        }
        for name, model in models.items():
            scores = [_score(model, pictures) for pictures in (held[:cut], held[cut:], pools[strange][:rows])]
            limit = np.quantile(scores[0], 1 - KEPT)
            shares[f"{known} learnt, known: {name}"] = float((scores[1] < limit).mean())
            shares[f"{known} learnt, strange: {name}"] = float((scores[2] < limit).mean())
    values = {f"{name.replace(', strange:', ':')} rejects": v for name, v in shares.items() if "strange" in name}
    control = {f"{name.replace(', known:', ':')} rejects": v for name, v in shares.items() if "known: p(x)" in name}
    return Result(values, control, {name: np.array(v) for name, v in shares.items()})


def _score(experiment: Experiment, batch: Batch) -> Array:
    """How much a model holds pictures for what it knows: log p(x), or the largest log p(y | x)."""
    model: Any = experiment.model
    if hasattr(model, "log_posterior"):
        return posterior(experiment, batch).amax(1).numpy()
    return log_evidence(model, experiment.codec.encode(batch)).numpy()


def draw_growing(results: Sequence[Result]) -> Figure:
    return learning_curves([r.arrays for r in results])


def draw_rejecting(results: Sequence[Result]) -> Figure:
    return rejected([{name: float(v) for name, v in r.arrays.items()} for r in results])


ABOVE, BELOW = (0.0, math.inf), (-math.inf, 0.5)

CLAIMS = (
    Claim(
        name="naive-bayes-first-logistic-regression-later",
        statement="A generative classifier is ahead with few events, a discriminative one with many.",
        lecture="D:58, D:71",
        paper="Ng and Jordan, On discriminative vs. generative classifiers (2002)",
        experiment=growing,
        bounds={
            "few: naive Bayes ahead": ABOVE,
            "few, independent pixels: naive Bayes ahead": ABOVE,
            "many: logistic regression ahead": ABOVE,
        },
        control="pixels dealt out within each class, so that naive Bayes is right and nothing is ahead of it.",
        budget="both classifiers at seven sizes, 30 times, on two kinds of pictures",
        figure=draw_growing,
        note="Differences in accuracy on digits of 8 x 8 black and white pixels; few are 10 of each class, many 100. "
        "Where its assumption is true naive Bayes leads; on digits it never does, and falls behind with many. "
        "Training sets are balanced: Laplace's smoothing makes classes of fewer events flatter.",
    ),
    Claim(
        name="p-of-x-rejects-what-confidence-lets-pass",
        statement="A generative model knows what it has never seen by its small p(x), a discriminative one does not.",
        lecture="D:82-85",
        paper="Bishop 1994, IEE Proc. 141, 217; against it: Nalisnick et al. 2019, arXiv 1810.09136",
        experiment=rejecting,
        bounds={
            f"{known} learnt: {name} rejects": BELOW if name == "confidence" else (0.8, math.inf)
            for known in ("digits", "garments")
            for name in ("p(x) of kernels", "p(x) of naive Bayes", "confidence")
        },
        control="digits for who learnt digits, garments for who learnt garments.",
        budget="six models of 900 pictures each",
        figure=draw_rejecting,
        fast=True,
        note="Shares of pictures of another kind below the score that 5 % of the known kind are below. A p(x) rejects "
        "only as well as it knows its own kind: naive Bayes, blind to what hangs together, takes digits for garments.",
    ),
)
