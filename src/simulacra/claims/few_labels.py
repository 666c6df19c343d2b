"""What unlabelled events do for a classifier with few labels: the semi-supervised GAN."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from simulacra.batch import Batch
from simulacra.claims.claim import Claim, Result
from simulacra.claims.labels import SPEC, digits
from simulacra.figures.conditioning import errors
from simulacra.random import draws, reseed
from simulacra.recipes.sgan import sgan
from simulacra.testing import Rows
from simulacra.training.loop import train
from simulacra.training.stream import DataStream

Array = np.ndarray
LABELLED, TRAINED = 5, 1200
"""Labels of each class, and digits of the training half."""
LEAST = 0.01
"""Share of digits by which the error has to fall."""
KINDS = ("feature matching", "plain game", "labels only", "plain game on noise")


def classified(kind: str, seed: int, rounds: int) -> Array:
    """The error on unseen digits of the classifier in `sgan`, at eight times [2, 8]: rounds and errors.

    It has five labels of each class. The generator matches features or plays the non-saturating game, on all digits of
    the training half or on uniform noise in their place; with labels only, nobody but the classifier plays.
    """
    x, label = digits()
    reseed(seed, "claims", "few labels")
    order, batch = torch.randperm(len(x)), Batch(x, {"label": label})
    matching = kind == "feature matching"
    game = sgan(SPEC, labelled=LABELLED, matching=matching, width=16, latent=32, rounds=rounds)
    stream = DataStream(Rows(SPEC, batch), order[:TRAINED], game.codec, seed=seed)
    streams = {"labelled": stream.few("label", LABELLED), "data": stream}
    if kind == "plain game on noise":
        noise = Rows(SPEC, Batch(torch.rand_like(x), {"label": label}))
        streams["data"] = DataStream(noise, order[:TRAINED], game.codec, seed=seed)
    if kind == "labels only":
        game.players = [player for player in game.players if player.name == "classifier"]
    unseen, every = game.codec.encode(batch[order[TRAINED:]]), max(rounds // 8, 1)
    networks: Any = game.learners
    seen = []
    for step in train(game, streams, seed=seed):
        if step.clock.round % every == 0:
            networks["game"].critic.eval()
            with torch.no_grad(), draws(seed):
                guess = networks["game"].judge(unseen).guess["label"].argmax(1)
            wrong = (guess != unseen.given["label"]).double().mean().item()
            seen.append((step.clock.round, wrong))
    return np.array(seen).T


def few_labels(seed: int, rounds: int = 2000) -> Result:
    """What unlabelled digits take off the error, by what the generator wants; in the control they are noise."""
    curves = {kind: classified(kind, seed, rounds) for kind in KINDS}
    gain = {kind: float(curve[1, -1] - curves["labels only"][1, -1]) for kind, curve in curves.items()}
    values = {f"{kind}: change of the error": gain[kind] for kind in KINDS[:2]}
    return Result(values, {"plain game: change of the error": gain["plain game on noise"]}, curves)


def draw_few(results: Sequence[Result]) -> Figure:
    return errors([r.arrays for r in results], f"error, {LABELLED} labels a class")


CLAIMS = (
    Claim(
        name="unlabelled-events-help-a-classifier",
        statement="A semi-supervised GAN classifies better with few labels than its classifier alone.",
        lecture="A:568-573",
        paper="Salimans et al. 2016, arXiv 1606.03498; Odena 2016, arXiv 1606.01583",
        experiment=few_labels,
        bounds={
            "feature matching: change of the error": (-math.inf, -LEAST),
            "plain game: change of the error": (-math.inf, -LEAST),
        },
        control="uniform noise in the place of the unlabelled digits.",
        budget="2,000 rounds on 100 digits of 8 x 8, four games",
        figure=draw_few,
        seeds=8,
        note="Five labels of each of ten classes; errors on 597 unseen digits, less that of the same network on the "
        "same labels alone; one digit in a hundred is the least that counts. Feature matching is Salimans et al.'s "
        "generator, the plain game Odena's. On whole pictures of MNIST with ten labels of each digit, the plain game "
        "is right on 95 %, labels alone on 75 % (docs/gan.md): here digits are small and few.",
    ),
)  # fmt: skip
