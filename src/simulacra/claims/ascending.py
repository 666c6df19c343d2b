"""Pictures that a discriminative classifier is surest of, beside samples of a generative one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from simulacra.batch import Batch
from simulacra.claims.claim import Claim, Result
from simulacra.claims.classical import numerals, solved
from simulacra.evaluation.memorisation import nearest_distance
from simulacra.figures.images import image_grid
from simulacra.random import draws, reseed

Array = np.ndarray
SEEN = 1000
"""Digits that are trained on; the others are held back."""
MAKERS = ("ascent from noise", "ascent from black", "naive Bayes")
SURE = "logistic regression's mean probability of the class"
DIGITS = "share that are digits of the class"
REAL = 0.99
"""Share of held-out digits that are as near to one that was trained on as a digit has to be."""


def climbed(classifier: Any, x: Tensor, label: Tensor, steps: int, rate: float = 0.1) -> Tensor:
    """Encoded pictures, from -1 to 1, after gradient ascent of log p(label | x) from x."""
    for _ in range(steps):
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            told = classifier.log_posterior(Batch(x)).gather(1, label[:, None]).sum()
            (slope,) = torch.autograd.grad(told, x)
        x = (x.detach() + rate * slope).clamp(-1, 1)
    return x


class Looked(NamedTuple):
    """What is seen of pictures: distances [N] to the nearest digit of the training, and who is called right [N]."""

    far: Array
    right: Array


def look(x: Tensor, label: Tensor, seen: Batch, held: Batch) -> Looked:
    """Distances of pictures [N, 1, 8, 8] to `seen`; called, by their three nearest of `held`, as they were asked."""
    rows, known = x.flatten(1).numpy(), held.x.flatten(1).numpy()
    guess = KNeighborsClassifier(3).fit(known, held.given["label"].numpy()).predict(rows)
    return Looked(nearest_distance(rows, seen.x.flatten(1).numpy()), guess == label.numpy())


@torch.no_grad()
def ascending(seed: int, each: int = 50, steps: int = 500) -> Result:
    """Digits asked for by class; in the control real ones stand for the ascent, noise for naive Bayes.

    The control's probability is that of another class than the one that was asked for.
    """
    reseed(seed, "ascending")
    pool = numerals()[torch.randperm(1797)]
    seen, held = pool[:SEEN], pool[SEEN:]
    with torch.enable_grad():
        discriminative, generative = solved("logistic_regression", seen, components=1), solved("naive_bayes", seen)
    model: Any = discriminative.model
    classifier, sampler = model.parts["classifier"], generative.model
    label = torch.arange(10).repeat_interleave(each)
    with draws(seed):
        noise = torch.rand(len(label), 1, 8, 8)
        black = 0.02 * torch.rand(len(label), 1, 8, 8)
        code: Any = sampler.sample(len(label), {"label": label})  # type: ignore[operator]
    pictures = {
        "ascent from noise": (climbed(classifier, 2 * noise - 1, label, steps).float() + 1) / 2,
        "ascent from black": (climbed(classifier, 2 * black - 1, label, steps).float() + 1) / 2,
        "naive Bayes": generative.codec.decode(Batch(code.x, {"label": label})).x,
    }
    real = look(held.x, held.given["label"], seen, held)
    limit = np.quantile(real.far, REAL)
    other = (label + 1 + torch.arange(len(label)) % 9) % 10
    values, control, arrays = {}, {}, {}
    for name, x in pictures.items():
        found = look(x, label, seen, held)
        instead = look(noise, label, seen, held) if name == "naive Bayes" else real
        told = classifier.log_posterior(Batch(2 * x - 1)).exp()
        for into, these, asked in ((values, found, label), (control, instead, other)):
            into[f"{name}: {SURE}"] = float(told.gather(1, asked[:, None]).mean())
            into[f"{name}: {DIGITS}"] = float(((these.far <= limit) & these.right).mean())
        arrays[f"{name}, called"] = np.array(found.right.mean())
    shown = {name: x.view(10, each, 8, 8)[:, 0].numpy() for name, x in pictures.items()}
    return Result(values, control, arrays | {"held-out digits": _one_each(held), **shown})


def _one_each(batch: Batch) -> Array:
    """The first picture of each class, [10, 8, 8]."""
    label = batch.given["label"]
    return np.stack([batch.x[label == k][0, 0].numpy() for k in range(10)])


def draw_ascending(results: Sequence[Result]) -> Figure:
    names = ("held-out digits", *MAKERS)
    rows = np.concatenate([results[0].arrays[name] for name in names])[:, None]
    called = {name: np.mean([r.arrays[f"{name}, called"] for r in results]) for name in MAKERS}
    note = "share called as asked for by the nearest: " + ", ".join(f"{k} {100 * v:.0f} %" for k, v in called.items())
    return image_grid(rows, 10, names=names, note=note)


HIGH, LOW = (0.5, math.inf), (-math.inf, 0.5)
CLAIMS = (
    Claim(
        name="a-classifier-alone-makes-no-digits",
        statement="A discriminative model cannot generate: what it is surest of is no digit, a generative one's "
        "samples are.",
        lecture="D:82-85",
        paper="Ng and Jordan 2002; Nguyen, Yosinski and Clune 2015, arXiv 1412.1897; Simonyan et al. 2014, "
        "arXiv 1312.6034",
        experiment=ascending,
        bounds={f"{name}: {SURE}": (0.8, math.inf) for name in MAKERS}
        | {f"{name}: {DIGITS}": HIGH if name == "naive Bayes" else LOW for name in MAKERS},
        control="real digits in place of the ascent's, noise in place of naive Bayes'; probabilities of another class.",
        budget="both classifiers of 1,000 digits of 8 x 8; 50 pictures of each class, 500 steps of gradient ascent",
        figure=draw_ascending,
        fast=True,
        note="The ascent of log p(y | x) begins at even noise, or at black with a fiftieth of it, and stays between "
        "black and white. A picture is a digit where it is as near to one that was trained on as 99 % of held-out "
        "digits, and its three nearest of these, which neither classifier saw, say the class. The class "
        "alone proves nothing: the nearest of what was climbed say it, too.",
    ),
)  # fmt: skip
