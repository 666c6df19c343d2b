"""Generators that match the critic's mean features, where the plain game collapses and wanders."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from simulacra.batch import Batch
from simulacra.claims.claim import Claim, Result
from simulacra.claims.collapse import ARRIVED
from simulacra.claims.cures import BATCH, PLANE, RATE, SLOW, WIDTH
from simulacra.claims.following import adjust, follow
from simulacra.claims.runs import w1
from simulacra.domains.toys import TOYS
from simulacra.figures.curves import Curves, curves
from simulacra.random import draws
from simulacra.recipes.feature_matching_gan import feature_matching_gan
from simulacra.recipes.gan import gan
from simulacra.training.game import Experiment

Array = np.ndarray
RING, LOOKS, COUNT = TOYS["ring8"], 30, 400
GAP = "squared gap of the mean features, over their variance"
MOVES, FAR = "W1 from look to look", "W1 to the ring"
GAMES: Mapping[str, Callable[[], Experiment]] = {
    "matching": partial(feature_matching_gan, PLANE, width=WIDTH, lr=RATE, batch=BATCH),
    "GAN": partial(gan, PLANE, hidden=WIDTH, lr=RATE, batch=BATCH),
}


def gap(real: torch.Tensor, fake: torch.Tensor) -> float:
    """`|| E phi(x) - E phi(x') ||^2 / E || phi(x) - E phi(x) ||^2` of features [N, F] of real x and fakes x'."""
    return float((real.mean(0) - fake.mean(0)).square().sum() / real.var(0).sum())


def last(x: Array) -> float:
    """The mean over the last third."""
    return float(x[-max(len(x) // 3, 1) :].mean())


def watched(build: Callable[[], Experiment], seed: int, rounds: int) -> dict[str, Array]:
    """Of a game with a slow critic: the three quantities, the last at every look and the second from look to look."""
    held: list[Experiment] = []

    def building() -> Experiment:
        held.append(adjust(build(), slow=SLOW))
        return held[0]

    data, looks = Batch(RING.sample(20_000, seed=seed)), min(LOOKS, rounds)
    seen = follow(building, PLANE, data, seed, rounds=rounds, looks=looks, count=COUNT).astype(float)
    roots: Any = held[0].learners
    with torch.no_grad(), draws(seed):
        batch = held[0].codec.encode(data[torch.arange(5000)])
        duel = roots["game"].eval().duel(batch)
        features = gap(duel.on_real.features, duel.on_fake.features)
    unit = float(data.x.std(0).mean())
    real, alive = RING.sample(COUNT, seed=1000 + seed).numpy() / unit, np.nan_to_num(seen, nan=1e3) / unit
    return {
        GAP: np.array([features]),
        MOVES: np.array([w1(x, y) for x, y in pairwise([alive[0], *alive])]),
        FAR: np.array([w1(x, real.astype(float)) for x in alive]),
    }


def matching(seed: int, rounds: int = 1500) -> Result:
    """Features and W1 over the last third of a game that matches features; the control is the plain game."""
    arrays: dict[str, Array] = {"round": rounds // min(LOOKS, rounds) * (1 + np.arange(min(LOOKS, rounds)))}
    found = {name: watched(build, seed, rounds) for name, build in GAMES.items()}
    for name, seen in found.items():
        arrays |= {f"{name}/{quantity}": values for quantity, values in seen.items()}
    values, control = ({quantity: last(v) for quantity, v in found[name].items()} for name in GAMES)
    del control[GAP]  # large, but of any size
    return Result(values, control, arrays)


def draw_matching(results: Sequence[Result]) -> Figure:
    panels = []
    for quantity in (MOVES, FAR):
        mean = {name: np.mean([r.arrays[f"{name}/{quantity}"] for r in results], 0) for name in GAMES}
        lines = {name: (results[0].arrays["round"][1:], held[1:]) for name, held in mean.items()}
        panels.append(Curves("", "round", f"{quantity}, mean of seeds", lines, log="y", at={"settled": ARRIVED}))
    return curves(panels)


CLAIMS = (
    Claim(
        name="matching-features-steadies-the-game",
        statement="A generator that matches the critic's mean features is stable where the plain game is not.",
        lecture="D:428-434",
        paper="Salimans et al. 2016, arXiv 1606.03498",
        experiment=matching,
        bounds={GAP: (-math.inf, 0.1), MOVES: (-math.inf, ARRIVED), FAR: (-math.inf, ARRIVED)},
        control="the plain game with the same networks, rates and steps.",
        budget="1,500 rounds on 64 points of the ring of eight, two games",
        figure=draw_matching,
        note="The critic has a tenth of the generator's rate, at which the plain game collapses and wanders. "
        "Features are the critic's last hidden layer at the end of the game; W1 is exact, of 400 points, a mean "
        "over the last third of 30 looks, in standard deviations of the data; a game is settled within 0.4.",
    ),
)  # fmt: skip
