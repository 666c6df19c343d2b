"""Spectral normalisation of the generator, beside that of the critic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from simulacra.claims.claim import Claim, Result
from simulacra.claims.ingredients import OTHER_DICE, digits, reached
from simulacra.claims.momentum import DIGITS
from simulacra.figures.curves import Curves, curves
from simulacra.recipes.sngan import sngan

Array = np.ndarray
RATES, STARTS, ROUNDS = (1.6e-2, 6.4e-2, 2.56e-1), 2, 200
SPREAD = "spread of log2 of the distance, both normalised - the critic alone"
LOST = "share of games that are lost, both normalised - the critic alone"


def mean_alone() -> float:
    """The Frechet distance of a generator that makes the mean digit and nothing else: the trace of the covariance."""
    return float(np.trace(np.cov(digits().T)))


def judged(found: Array) -> tuple[float, float]:
    """Of distances of games: the standard deviation of their log2, and the share worse than the mean digit alone."""
    return float(np.log2(found).std(ddof=1)), float((found > mean_alone()).mean())


def distances(normalised: bool, seed: int, rounds: int, starts: int) -> Array:
    """Of games of all rates and starts [R, S]."""

    def one(rate: float, start: int) -> float:
        build = partial(
            sngan, DIGITS, normalised_generator=normalised, latent=32, width=16, lr=rate, rounds=rounds, batch=32
        )
        return reached(build, 100 * seed + start, rounds)

    return np.array([[one(rate, start) for start in range(starts)] for rate in RATES])


def normalising(seed: int, rounds: int = ROUNDS, starts: int = STARTS) -> Result:
    """Spread and losses over rates and starts; control: the critic alone, with other dice, in the place of both."""
    alone, both = (distances(normalised, seed, rounds, starts) for normalised in (False, True))
    again = distances(False, OTHER_DICE + seed, rounds, starts)

    def against(found: Array) -> dict[str, float]:
        (spread, lost), (usual, usually) = judged(found), judged(alone)
        return {SPREAD: spread - usual, LOST: lost - usually}

    return Result(against(both), against(again), {"critic": alone, "both": both})


def draw_normalising(results: Sequence[Result]) -> Figure:
    marks = {}
    for k, name in enumerate(("critic", "both")):
        found = np.concatenate([r.arrays[name] for r in results], 1)
        marks[name] = np.repeat(np.array(RATES) * 1.15**k, found.shape[1]), found.ravel()
    lines = {
        name: (np.unique(x), np.exp2(np.log2(y).reshape(len(RATES), -1).mean(1))) for name, (x, y) in marks.items()
    }
    at = {"the mean digit alone": mean_alone()}
    panel = Curves(
        "spectrally normalised", "learning rate", "Frechet distance of pixels", lines, marks, log="xy", at=at
    )
    return curves([panel], width=4.6)


CLAIMS = (
    Claim(
        name="normalised-generators-are-steadier",
        statement="Spectral normalisation in the generator improves stability, too.",
        lecture="B:489",
        paper="Zhang et al. 2019, arXiv 1805.08318",
        experiment=normalising,
        bounds={SPREAD: (-math.inf, -0.2), LOST: (-math.inf, -0.1)},
        control="the critic alone normalised, with other dice, in the place of both.",
        budget="200 rounds on 32 digits of 8 x 8, three rates and two starts for each of three kinds",
        figure=draw_normalising,
        seeds=6,
        note="A game is lost where it ends, over the last third, farther than a generator of the mean digit alone. At "
        "rates of 0.016 and 0.064 none is, with or without; at 0.256 some of both are, and the spread is that rate's.",
    ),
)  # fmt: skip
