"""Pairs of pictures from two domains, learned without a pair."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.figures.images import image_grid
from simulacra.random import draws, reseed
from simulacra.recipes.cogan import cogan
from simulacra.testing import Rows, streams_for
from simulacra.training.loop import train

PICTURES = 1000
"""Pairs that are compared."""


def pairs(seed: int, rounds: int, tied: int | None) -> Batch:
    """Pictures and partners of a game on the digits, half of which are shown as negatives only."""
    pixels, _ = load_digits(return_X_y=True)
    x = torch.tensor(pixels, dtype=torch.float32).view(-1, 1, 8, 8) / 16
    spec = DataSpec("digits", "image", Field((1, 8, 8), range=(0.0, 1.0)), rows=len(x))
    reseed(seed, "claims", "coupling")
    game = cogan(spec, tied_generator=tied, tied_critic=tied, width=16, latent=32, rounds=rounds)
    for _ in train(game, streams_for(game, Rows(spec, Batch(x)), seed), seed=seed):
        pass
    with draws(seed):
        return game.model.sample(PICTURES)  # type: ignore[operator]


def agreement(pictures: torch.Tensor, partners: torch.Tensor) -> float:
    """Of pixels, black or white, with the negative of the partner's: 0 by chance, 1 for all of them.

    `(a - c) / (1 - c)`, a the share that agrees, c that with the partners of other pictures.
    """
    here, there = pictures > 0, -partners > 0
    with_own, by_chance = ((here == other).double().mean().item() for other in (there, there.roll(1, 0)))
    return (with_own - by_chance) / (1 - by_chance)


def coupling(seed: int, rounds: int = 1200) -> Result:
    """How well pictures agree with their partners; the control has as many layers, of which none is tied."""
    name = "agreement of pixels beyond chance"
    made = {"tied": pairs(seed, rounds, None), "untied": pairs(seed, rounds, 0)}
    values = {kind: {name: agreement(batch.x, batch.given["partner"])} for kind, batch in made.items()}
    arrays: dict[str, np.ndarray] = {}
    for kind, batch in made.items():
        arrays |= {kind: batch.x[:10].numpy(), f"{kind}, partners": batch.given["partner"][:10].numpy()}
    return Result(values["tied"], values["untied"], arrays)


def draw_coupling(results: Sequence[Result]) -> Figure:
    shown = results[0].arrays
    first, second = (
        np.concatenate([shown[f"{kind}{end}"] for kind in ("tied", "untied")]) for end in ("", ", partners")
    )
    return image_grid((first + 1) / 2, 10, names=["tied", "untied"], beside=(second + 1) / 2)


CLAIMS = (
    Claim(
        name="tied-layers-pair-two-domains",
        statement="Coupled GANs learn pairs of pictures from two domains without seeing a pair.",
        lecture="D:622",
        paper="Liu and Tuzel 2016, arXiv 1606.07536",
        experiment=coupling,
        bounds={"agreement of pixels beyond chance": (0.7, math.inf)},
        control="the same networks with no layer tied.",
        budget="1,200 rounds of two games on 64 digits each",
        figure=draw_coupling,
        note="Digits and negatives of other digits. A share of pixels alone would count the background as agreement.",
    ),
)  # fmt: skip
