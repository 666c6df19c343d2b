"""What the loss of a game is worth: does it follow the quality of the samples, and can settings be chosen by it?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from simulacra.claims.claim import Claim, Result
from simulacra.claims.runs import Run, Setting, play
from simulacra.figures.critics import losses, settings

Array = np.ndarray


def rank(x: Array, y: Array) -> float:
    """Spearman's correlation."""
    return float(np.asarray(spearmanr(x, y))[0])


def correlating(seed: int, games: int = 2, setting: Setting = Setting()) -> Result:
    """Losses against exact W1 during games on the ring; in the control the looks are shuffled."""
    draw = np.random.default_rng(seed)
    runs = {k: [play(replace(setting, kind=k), seed, g) for g in range(games)] for k in ("gan", "wgan", "wgan_gp")}

    def follows(kind: str, player: str, sign: float) -> float:
        return float(np.mean([rank(sign * getattr(run, player), run.distance) for run in runs[kind]]))

    values = {
        "GAN: discriminator's loss and W1": follows("gan", "critic", 1.0),
        "GAN: generator's loss and W1": follows("gan", "generator", 1.0),
        "WGAN, clipped: critic's estimate and W1": follows("wgan", "critic", -1.0),
        "WGAN-GP: critic's estimate and W1": follows("wgan_gp", "critic", -1.0),
    }
    mixed = [rank(-run.critic, draw.permutation(run.distance)) for run in runs["wgan_gp"]]
    parts = ("rounds", "critic", "generator", "distance")
    arrays = {f"{kind} {part}": getattr(run[0], part) for kind, run in runs.items() for part in parts}
    return Result(values, {"WGAN-GP: critic's estimate and W1": float(np.mean(mixed))}, arrays)


def draw_correlating(results: Sequence[Result]) -> Figure:
    kinds = {"gan": "GAN", "wgan": "WGAN, clipped", "wgan_gp": "WGAN with gradient penalty"}
    arrays = {k: -v if k in ("wgan critic", "wgan_gp critic") else v for k, v in results[0].arrays.items()}
    return losses(arrays, kinds)


SEARCH = {
    "generators": [
        Setting("wgan_gp", generator=width, rate=rate, steps=1200, looks=10)
        for width in (4, 8, 16, 32, 64) for rate in (3e-4, 1e-3)
    ],
    "critics": [
        Setting("wgan_gp", critic=width, penalty=penalty, steps=1200, looks=10)
        for width in (8, 16, 32, 64, 96) for penalty in (0.1, 1.0)
    ],
}  # fmt: skip
"""Settings among which the critic's loss should find the best: of the generator, and of the critic itself."""


def searching(seed: int, cut: int = 1) -> Result:
    """Last loss against last W1 over settings; the control pairs them at random.

    Args:
        cut: divides the budget.
    """
    ends = {
        name: np.array([_end(play(replace(s, steps=s.steps // cut), seed)) for s in group])
        for name, group in SEARCH.items()
    }
    values = {f"over settings of the {name[:-1]}": rank(*pairs.T) for name, pairs in ends.items()}
    draw = np.random.default_rng(seed)
    name = "over settings of the generator"
    mixed = np.mean([rank(ends["generators"][:, 0], draw.permutation(ends["generators"][:, 1])) for _ in range(20)])
    return Result(values, {name: float(mixed)}, ends)


def _end(run: Run) -> tuple[float, float]:
    """The critic's estimate and W1 over the last fifth of a run."""
    last = max(len(run.distance) // 5, 1)
    return float(-run.critic[-last:].mean()), float(run.distance[-last:].mean())


def draw_searching(results: Sequence[Result]) -> Figure:
    return settings([r.arrays for r in results])


WGAN = "Arjovsky, Chintala and Bottou 2017, arXiv 1701.07875"
CLAIMS = (
    Claim(
        name="loss-correlates-with-quality",
        statement="The loss of a WGAN correlates with the quality of its samples, that of a GAN does not.",
        lecture="B:128-129, B:305-317",
        paper=WGAN,
        experiment=correlating,
        bounds={
            "GAN: discriminator's loss and W1": (-0.5, 0.5),
            "GAN: generator's loss and W1": (-0.5, 0.5),
            "WGAN, clipped: critic's estimate and W1": (0.8, math.inf),
            "WGAN-GP: critic's estimate and W1": (0.8, math.inf),
        },
        control="the looks of WGAN-GP in another order.",
        budget="3,600 steps of both players on 128 events, two games of each kind",
        figure=draw_correlating,
        note="Spearman's correlation over 40 looks within a game, with exact W1 of 500 samples. True of the gradient "
        "penalty; the scale of a clipped critic drifts during training, and its estimate with it.",
    ),
    Claim(
        name="loss-allows-a-search",
        statement="A meaningful loss allows for an easy search of hyperparameters.",
        lecture="B:304",
        paper=WGAN,
        experiment=searching,
        bounds={
            "over settings of the generator": (0.8, math.inf),
            "over settings of the critic": (0.8, math.inf),
        },
        control="losses and distances of different settings.",
        budget="1,200 steps of both players on 128 events for each of 20 settings",
        figure=draw_searching,
        note="Spearman's correlation over ten settings each. Losses of one critic rank generators. Those of different "
        "critics, of other width or penalty, are on different scales, and rank nothing.",
    ),
)  # fmt: skip
