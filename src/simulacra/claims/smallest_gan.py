"""The smallest GAN: g(z) = u z + c and D(x) = sigmoid(w x + b), four numbers, played under several schedules."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy.special import expit, log_expit

from simulacra.claims.claim import Claim, Result
from simulacra.figures.games import four_parameters

Array = np.ndarray
LOG2 = math.log(2)
GAMES = 20
"""Independent games of one seed."""


class Schedule(NamedTuple):
    """Rounds, steps of D and of G in each, and the width of the noise that is added to data and fakes alike."""

    rounds: int
    critic: int
    generator: int
    noise: float = 0.0


SCHEDULES = {
    "1 : 1": Schedule(1500, 1, 1),
    "50 : 1": Schedule(500, 50, 1),
    "1 : 50": Schedule(500, 1, 50),
    "50 : 1 with noise": Schedule(500, 50, 1, noise=1.0),
}
"""Steps of D : steps of G."""


def value(place: Array, x: Array, fake: Array) -> Array:
    """V [G] of places [G, 4] = (w, b, u, c) on data and fakes [G, n]."""
    w, b = place[:, 0, None], place[:, 1, None]
    return log_expit(w * x + b).mean(1) + log_expit(-w * fake - b).mean(1)


def gradient(place: Array, x: Array, fake: Array, z: Array) -> Array:
    """The gradient of V, [G, 4]."""
    w, b = place[:, 0, None], place[:, 1, None]
    real, made = expit(-w * x - b), -expit(w * fake + b)
    return np.stack(
        [(real * x + made * fake).mean(1), (real + made).mean(1), (made * w * z).mean(1), (made * w).mean(1)], 1
    )


def hessian(place: Array, x: Array, fake: Array, z: Array) -> Array:
    """The matrix of second derivatives of V, [G, 4, 4]."""
    w, b = place[:, 0, None], place[:, 1, None]
    one, none = np.ones_like(x), np.zeros_like(x)
    real, made = expit(w * x + b), expit(w * fake + b)
    by_real = np.stack([x, one, none, none], 1) * np.sqrt(real * (1 - real))[:, None]
    by_made = np.stack([fake, one, w * z, w * one], 1) * np.sqrt(made * (1 - made))[:, None]
    out = -(by_real @ by_real.transpose(0, 2, 1) + by_made @ by_made.transpose(0, 2, 1)) / x.shape[1]
    for k, pull in ((2, (made * z).mean(1)), (3, made.mean(1))):  # the score w (u z + c) + b is bent by w u and w c
        out[:, 0, k] -= pull
        out[:, k, 0] -= pull
    return out


def play(seed: int, schedule: Schedule, games: int = GAMES, rate: float = 0.1) -> dict[str, Array]:
    """Games on ten fixed draws of N(5, 1) each, with noise z on [0, 1], as in Sansone's demonstration (2017).

    Returns:
        By round: `value` [N, G], `critic` and `generator`, norms of their gradients, [N, G], `eigenvalues` [N, G, 4] in
        rising order; and `x` [G, 10] and the last `place` [G, 4].
    """
    draw = np.random.default_rng(seed)
    x = draw.normal(5, 1, (games, 10))
    place = np.zeros((games, 4))
    place[:, ::2] = draw.normal(0, 0.1, (games, 2))
    seen: dict[str, list[Array]] = {"value": [], "critic": [], "generator": [], "eigenvalues": []}
    for _ in range(schedule.rounds):
        noise = schedule.noise * draw.normal(size=x.shape)
        z = draw.uniform(size=x.shape)
        fake = place[:, 2, None] * z + place[:, 3, None] + noise
        for _ in range(schedule.critic):
            place[:, :2] += rate * gradient(place, x + noise, fake, z)[:, :2]
        seen["critic"].append(np.linalg.norm(gradient(place, x + noise, fake, z)[:, :2], axis=1))
        for _ in range(schedule.generator):
            z = draw.uniform(size=x.shape)
            fake = place[:, 2, None] * z + place[:, 3, None] + noise
            place[:, 2:] -= rate * gradient(place, x + noise, fake, z)[:, 2:]
        fake = place[:, 2, None] * z + place[:, 3, None] + noise
        seen["generator"].append(np.linalg.norm(gradient(place, x + noise, fake, z)[:, 2:], axis=1))
        seen["value"].append(value(place, x + noise, fake))
        seen["eigenvalues"].append(np.linalg.eigvalsh(hessian(place, x + noise, fake, z)))
    return {"x": x, "place": place, **{name: np.array(held) for name, held in seen.items()}}


@cache
def games(seed: int, name: str) -> dict[str, Array]:
    return play(seed, SCHEDULES[name])


def reached(game: dict[str, Array]) -> Array:
    """Which games [G] end, over their last 100 rounds, at V = -2 log 2 within 0.05."""
    return np.abs(game["value"][-100:].mean(0) + 2 * LOG2) < 0.05


def pictures(named: Mapping[str, Mapping[str, Array]]) -> dict[str, Array]:
    """What the figure needs of the first game under each schedule."""
    return {f"{name}/{k}": v for name, game in named.items() for k, v in _picture(game).items()}


def _picture(game: Mapping[str, Array]) -> dict[str, Array]:
    w, b, u, c = game["place"][0]
    line = np.linspace(-1, 9, 101)
    first = {k: game[k][::10, 0] for k in ("value", "critic", "generator", "eigenvalues")}
    fakes = u * np.linspace(0, 1, 200) + c
    rounds = np.arange(1, len(game["value"]) + 1, 10)
    return {"round": rounds, "data": game["x"][0], "fakes": fakes, "line": line, "D": expit(w * line + b), **first}


def draw_games(results: Sequence[Result]) -> Figure:
    named: dict[str, dict[str, Array]] = {}
    for key, held in results[0].arrays.items():
        name, quantity = key.split("/")
        named.setdefault(name, {})[quantity] = held
    return four_parameters(named, -2 * LOG2)


def stalled(game: Mapping[str, Array]) -> Array:
    """Which games [G] end with the mean of the fakes more than 1 from that of the data."""
    return np.abs(game["place"][:, 2] / 2 + game["place"][:, 3] - game["x"].mean(1)) > 1


def strong(seed: int) -> Result:
    """Fifty steps of D for one of G; in the control one for one."""
    found = {name: games(seed, name) for name in ("50 : 1", "1 : 1")}
    names = ["share of games that stall", "G's last gradient / its largest"]
    left = {name: float(np.median(game["generator"][-1] / game["generator"].max(0))) for name, game in found.items()}
    values = {k: dict(zip(names, (float(stalled(g).mean()), left[k]), strict=True)) for k, g in found.items()}
    return Result(values["50 : 1"], {names[0]: values["1 : 1"][names[0]]}, pictures(found))


def balance(seed: int) -> Result:
    """Which schedules reach the solution; in the control the steps are a thousand times smaller."""
    found = {name: games(seed, name) for name in ("1 : 1", "50 : 1", "1 : 50")}
    share = {f"{name}, share of games that arrive": float(reached(game).mean()) for name, game in found.items()}
    slow = reached(play(seed, SCHEDULES["1 : 1"], rate=1e-4))
    return Result(share, {"1 : 1, share of games that arrive": float(slow.mean())}, pictures(found))


def noisy(seed: int) -> Result:
    """Fifty steps of D for one of G with noise on data and fakes; the control is without noise."""
    found = {name: games(seed, name) for name in ("50 : 1 with noise", "50 : 1")}
    share = [float(reached(game).mean()) for game in found.values()]
    name = "share of games that arrive"
    return Result({name: share[0]}, {name: share[1]}, pictures(found))


def saddle(seed: int, small: float = 1e-2) -> Result:
    """Signs of the Hessian of V where games arrive; in the control where they stall."""
    found = {name: games(seed, name) for name in ("1 : 1", "50 : 1")}
    good, bad = found["1 : 1"], found["50 : 1"]
    name = "share with eigenvalues of both signs"

    def both(game: Mapping[str, Array], which: Array) -> float:
        last = game["eigenvalues"][-1][which]
        return float(np.mean((last[:, 0] < -small) & (last[:, -1] > small)))

    return Result({name: both(good, reached(good))}, {name: both(bad, stalled(bad))}, pictures(found))


SANSONE = "Sansone 2017, github.com/emsansone/GAN"
CLAIMS = (
    Claim(
        name="strong-discriminator-stalls",
        statement="A discriminator that is much stronger than the generator leaves it without a gradient.",
        lecture="B:131, C:713",
        paper=SANSONE,
        experiment=strong,
        bounds={"share of games that stall": (0.5, math.inf), "G's last gradient / its largest": (-math.inf, 0.1)},
        control="one step of the discriminator for one of the generator.",
        budget="20 games of 500 rounds, 50 steps of D and 1 of G",
        figure=draw_games,
        fast=True,
        note="Not every game: about one in five escapes, by the luck of its first weights.",
    ),
    Claim(
        name="same-scale-is-best",
        statement="Generator and discriminator are best on the same scale.",
        lecture="A:371, B:132",
        paper=SANSONE,
        experiment=balance,
        bounds={
            "1 : 1, share of games that arrive": (0.75, math.inf),
            "50 : 1, share of games that arrive": (-math.inf, 0.5),
            "1 : 50, share of games that arrive": (-math.inf, 0.5),
        },
        control="steps a thousand times smaller.",
        budget="20 games of 1,500 rounds 1 : 1, of 500 rounds 50 : 1 and 1 : 50 (steps of D : G)",
        figure=draw_games,
        fast=True,
        note="To arrive is to end at V = -2 log 2 within 0.05. Too strong a discriminator does harm; a strong "
        "generator does none here, and arrives in a third of the rounds.",
    ),
    Claim(
        name="noise-helps-against-a-strong-discriminator",
        statement="With noise on data and fakes the generator learns from a strong discriminator as well.",
        lecture="B:131-133",
        paper=f"{SANSONE}; Arjovsky and Bottou 2017, arXiv 1701.04862; Sønderby et al. 2017, arXiv 1610.04490",
        experiment=noisy,
        bounds={"share of games that arrive": (0.75, math.inf)},
        control="the same games without noise.",
        budget="20 games of 500 rounds, 50 steps of D and 1 of G",
        figure=draw_games,
        fast=True,
    ),
    Claim(
        name="the-solution-is-a-saddle",
        statement="A GAN's solution is no minimum but a saddle of V, and its Hessian has eigenvalues of both signs.",
        lecture="B:125, D:431-432",
        paper=SANSONE,
        experiment=saddle,
        bounds={"share with eigenvalues of both signs": (1.0, 1.0)},
        control="games that a strong discriminator has stalled.",
        budget="20 games of 1,500 rounds 1 : 1 and of 500 rounds 50 : 1",
        figure=draw_games,
        fast=True,
        note="Where a strong discriminator stalls the game, all eigenvalues are negative: nobody has where to go.",
    ),
)  # fmt: skip
