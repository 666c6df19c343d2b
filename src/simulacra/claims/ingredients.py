"""Which ingredient of a game of pictures matters most: each is left out once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch.optim import Adam

from simulacra.batch import Batch
from simulacra.claims.claim import Claim, Result
from simulacra.claims.following import follow
from simulacra.claims.momentum import DIGITS
from simulacra.evaluation.frechet import frechet
from simulacra.figures.rates import effects
from simulacra.gan import GAN, GradientPenalty, NonSaturating, StandardNormal, Wasserstein
from simulacra.networks import critic_for, generator_for
from simulacra.recipes._parts import codec_for
from simulacra.training.game import Experiment, Player, linear_decay, modules

Array = np.ndarray
ROUNDS, COUNT, OTHER_DICE = 200, 1000, 1000
LATENT, BATCH, RATE = 32, 32, 1e-2


@cache
def digits() -> Array:
    """The pictures of `load_digits`, flat [1797, 64], from 0 to 1."""
    return load_digits(return_X_y=True)[0] / 16


def apart(pictures: Array) -> float:
    """The Frechet distance of pixels between pictures [N, 1, 8, 8] and digits; huge where they are not finite."""
    real, made = digits(), np.nan_to_num(pictures.reshape(len(pictures), -1), nan=1e3).astype(float)
    return frechet(real.mean(0), np.cov(real.T), made.mean(0), np.cov(made.T))


def reached(build: Callable[[], Experiment], seed: int, rounds: int, count: int = COUNT) -> float:
    """The distance of a game to digits, the mean over the last third of its looks."""
    looks = min(9, rounds)
    data = Batch(torch.tensor(digits(), dtype=torch.float32).view(-1, 1, 8, 8))
    made = follow(build, DIGITS, data, seed, rounds=rounds, looks=looks, count=count)
    return float(np.mean([apart(x) for x in made[-max(looks // 3, 1) :]]))


def game(
    objective: NonSaturating | Wasserstein,
    *,
    penalty: float = 10.0,
    norm: str = "batch",
    lr: float = RATE,
    beta1: float = 0.5,
    n_critic: int = 2,
    width: int = 16,
) -> Experiment:
    """The networks of DCGAN with a penalty on the critic's slope; the rates fall over the second half."""
    codec = codec_for(DIGITS)
    spec = codec.spec(DIGITS)
    networks = generator_for(spec, LATENT, base=width, norm=norm), critic_for(spec, base=width, norm="layer")
    terms = [GradientPenalty(penalty)] if penalty else []
    duel = GAN(*networks, objective, StandardNormal(LATENT), terms)
    critic, generator = (Adam(net.parameters(), lr, betas=(beta1, 0.9)) for net in (duel.critic, duel.generator))
    falling = linear_decay(0.5)
    players = [
        Player("critic", duel.critic, duel.critic_loss, critic, repeats=n_critic, schedule=falling),
        Player("generator", duel.generator, duel.generator_loss, generator, schedule=falling),
    ]
    return Experiment(duel, players, codec, ROUNDS, BATCH, modules(game=duel))


PENALTY = "no penalty"
CHANGES: Mapping[str, Mapping[str, Any]] = {
    PENALTY: {"penalty": 0.0},
    "no batch norm": {"norm": "none"},
    "rate x 5": {"lr": 5 * RATE},
    "beta1 0.9": {"beta1": 0.9},
    "one critic turn": {"n_critic": 1},
    "half width": {"width": 8},
}
"""What the game is built with where one ingredient is changed."""
OBJECTIVES = {"non-saturating": NonSaturating, "Wasserstein": Wasserstein}
EFFECT, MARGIN = "{}: log2 of the distance, no penalty / full", "{}: the penalty's effect - the largest other"


def measured(found: Mapping[str, float], objective: str) -> dict[str, float]:
    """The quantities of one objective from the effects of all changes."""
    largest = max(value for change, value in found.items() if change != PENALTY)
    return {EFFECT.format(objective): found[PENALTY], MARGIN.format(objective): found[PENALTY] - largest}


def leaving_out(seed: int, rounds: int = ROUNDS) -> Result:
    """Distances without one ingredient over that with all; control: the full game again, with other dice."""
    values: dict[str, float] = {}
    control: dict[str, float] = {}
    arrays: dict[str, Array] = {}
    for name, objective in OBJECTIVES.items():
        whole = reached(partial(game, objective()), seed, rounds)
        ends = {change: reached(partial(game, objective(), **how), seed, rounds) for change, how in CHANGES.items()}
        again = reached(partial(game, objective()), OTHER_DICE + seed, rounds)
        found = {change: math.log2(end / whole) for change, end in ends.items()}
        dice = math.log2(again / whole)
        values |= measured(found, name)
        control |= measured(found | {PENALTY: dice}, name)
        arrays |= {f"{name}, {change}": np.array(value) for change, value in (found | {"other dice": dice}).items()}
    return Result(values, control, arrays)


def draw_leaving_out(results: Sequence[Result]) -> Figure:
    runs = [{name: float(value) for name, value in r.arrays.items()} for r in results]
    return effects(runs, "log2 of the distance, changed / full")


CLAIMS = (
    Claim(
        name="gradient-regularisation-matters-most",
        statement="Gradient regularisation is the most important ingredient of a GAN.",
        lecture="B:425",
        paper="Kurach et al. 2019, arXiv 1807.04720; Lucic et al. 2018, arXiv 1711.10337",
        experiment=leaving_out,
        bounds={EFFECT.format(name): (0.5, math.inf) for name in OBJECTIVES}
        | {MARGIN.format(name): (0.0, math.inf) for name in OBJECTIVES},
        control="the full game again, with other dice, in the place of the game without a penalty.",
        budget="200 rounds on 32 digits of 8 x 8 for each of eight games of two objectives",
        figure=draw_leaving_out,
        seeds=5,
        note="Frechet distance of pixels, the mean over the last third; 0.5 is 40 % farther. At 8 x 8 pixels the "
        "critic has no norm. It holds for the Wasserstein game, which is twice as far without the penalty, more "
        "than after any other change. The non-saturating game does without: one critic turn in place of two costs "
        "80 %, beta1 0.9 costs 30 %, no penalty a few per cent, if anything. Batch norm is not missed, and a rate five "
        "times larger is better, so that the full game's rate is not the best.",
    ),
)  # fmt: skip
