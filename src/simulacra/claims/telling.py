"""What BigGAN tells every block of its generator: the class, and a piece of z."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from simulacra.batch import Batch
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn, told
from simulacra.claims.labels import SPEC, Reader, digits
from simulacra.claims.styles import bands, power
from simulacra.evaluation.latent import decode
from simulacra.figures.images import image_grid
from simulacra.random import draws, reseed
from simulacra.recipes.biggan import biggan
from simulacra.training.game import Experiment

Array = np.ndarray
EACH, MADE, LATENT = 50, 500, 20
FOLLOWED = "share of digits of the class that is told"
COARSE = "share of the change at 4 x 4, first - second piece"
SECOND = "change by the second piece, over change by both"


def played(seed: int, rounds: int) -> Experiment:
    """A trained `biggan` of the digits, with one turn of the critic and an embedding of 16 numbers."""
    x, label = digits()
    rates = {"lr": 2e-3, "critic_lr": 2e-3}
    build = partial(biggan, latent=LATENT, shared=16, width=8, n_critic=1, rounds=rounds, ema=0.98, **rates)
    reseed(seed, "claims", "telling")
    return learn(build, SPEC, Batch(x, {"label": label}), seed, "telling")


def changed(before: Tensor, after: Tensor) -> tuple[float, float]:
    """The power of a change of pictures [N, 1, 8, 8]: at 4 x 4 pixels, and in all."""
    coarse, fine = (power(band) for band in bands(after - before))
    return coarse, coarse + fine


def moved(game: Experiment, order: Tensor, seed: int) -> tuple[dict[str, float], dict[str, Array]]:
    """What the two halves of z change, other things equal, its numbers cut in two in this order; ten pictures each."""
    model: Any = game.model
    label, first = torch.arange(MADE) % 10, torch.zeros(LATENT, dtype=torch.bool)
    first[order[: LATENT // 2]] = True
    with draws(seed):
        own, other = (model.noise(MADE)["z"] for _ in range(2))
    noises = {"own": own, "first": other.where(first, own), "second": own.where(first, other), "both": other}
    made = {name: decode(model, game.codec, {"z": z}, {"label": label}).x for name, z in noises.items()}
    one, two, both = (changed(made["own"], made[name]) for name in ("first", "second", "both"))
    values = {COARSE: one[0] / one[1] - two[0] / two[1], SECOND: two[1] / both[1]}
    return values, {name: x[:10].numpy() for name, x in made.items()}


def telling(seed: int, rounds: int = 1000) -> Result:
    """Whether classes are followed and pieces have scales; the control asks for others and cuts z at random."""
    game, label = played(seed, rounds), torch.arange(10).repeat_interleave(EACH)
    made = told(game, label, seed).flatten(1).double().numpy()
    guess, asked = Reader().classifier.predict(made), label.numpy()
    with draws(seed):
        others, mixed = label[torch.randperm(len(label))].numpy(), torch.randperm(LATENT)
    values, rows = moved(game, torch.arange(LATENT), seed)
    control, _ = moved(game, mixed, seed)
    del control[SECOND]  # any half moves something
    followed, by_chance = (float(np.equal(guess, these).mean()) for these in (asked, others))
    return Result({FOLLOWED: followed, **values}, {FOLLOWED: by_chance, **control}, rows)


def draw_telling(results: Sequence[Result]) -> Figure:
    rows = results[0].arrays
    note = "a column is a class; own pictures, then with the first, the second or both pieces of another's z"
    return image_grid(np.concatenate(list(rows.values())), 10, names=list(rows), note=note)


CLAIMS = (
    Claim(
        name="every-block-is-told-class-and-scale",
        statement="A class embedding shared by all blocks makes the class followed, and pieces of z for each block "
        "move what is coarse and what is fine.",
        lecture="A:545, C:757",
        paper="Brock, Donahue and Simonyan 2019, arXiv 1809.11096",
        experiment=telling,
        bounds={FOLLOWED: (0.8, math.inf), COARSE: (0.1, math.inf), SECOND: (0.05, math.inf)},
        control="other classes than those that were told, and halves of z that mix both pieces.",
        budget="1,000 rounds on 32 digits of 8 x 8",
        figure=draw_telling,
        note="Classes are read by a linear discriminant of the digits. At 8 x 8 there are two pieces: the first "
        "makes maps of 4 x 4, the second is told to the block that doubles them. Changes are squared, as one piece is "
        "another picture's, of the band that 4 x 4 pixels show and of all. The second piece is used and moves the "
        "same scales as the first; but after so short a game z moves little of a digit beside its class.",
    ),
)  # fmt: skip
