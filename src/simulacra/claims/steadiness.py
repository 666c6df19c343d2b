"""Games on the ring of eight: penalties on the plain game, and losses that are said to be steadier."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.collapse import ring
from simulacra.claims.cures import modes
from simulacra.claims.following import follow, turns
from simulacra.claims.runs import w1
from simulacra.domains.toys import TOYS
from simulacra.figures.collapse import clouds
from simulacra.figures.curves import Curves, curves
from simulacra.recipes.dragan import dragan
from simulacra.recipes.fgan import fgan
from simulacra.recipes.gan import gan
from simulacra.recipes.gan_gp import gan_gp
from simulacra.recipes.lsgan import lsgan
from simulacra.recipes.noisy_gan import noisy_gan
from simulacra.recipes.r1_gan import r1_gan
from simulacra.recipes.relativistic_gan import relativistic_gan
from simulacra.recipes.wgan import wgan
from simulacra.recipes.wgan_gp import wgan_gp
from simulacra.training.game import Experiment

Array = np.ndarray
Build = Callable[..., Experiment]
PLANE = DataSpec("plane", "vector", Field((2,)))
STEPS, BATCH, WIDTH, COUNT = 3000, 64, 64, 500
RATE = 1e-3


def last_third(build: Build, seed: int, steps: int, looks: int = 9) -> Array:
    """Samples [T, COUNT, 2] of a game of so many steps of all players, over the last third of its looks."""
    data = Batch(TOYS["ring8"].sample(20_000, seed=seed))
    rounds = steps // turns(build())
    found = follow(build, PLANE, data, seed, rounds=rounds, looks=min(looks, rounds), count=COUNT)
    return found[-max(len(found) // 3, 1) :]


def distance(samples: Array, seed: int) -> float:
    """The mean exact W1 to real points, in units of the ring's own: the same of two sets of real points."""
    real, other = (TOYS["ring8"].sample(COUNT, seed=1000 + seed + k).numpy() for k in (0, 500))
    alive = np.nan_to_num(samples, nan=1e3).astype(float)
    return float(np.mean([w1(x, real) for x in alive])) / w1(other, real)


PENALISED: Mapping[str, Build] = {
    "plain": partial(gan, PLANE, hidden=WIDTH, lr=RATE, batch=BATCH),
    "GP": partial(gan_gp, PLANE, width=WIDTH, lr=RATE, batch=BATCH),
    "DRAGAN": partial(dragan, PLANE, width=WIDTH, lr=RATE, batch=BATCH),
    "R1": partial(r1_gan, PLANE, width=WIDTH, lr=RATE, batch=BATCH),
    "noise": partial(noisy_gan, PLANE, width=WIDTH, lr=RATE, batch=BATCH),
    "WGAN-GP": partial(wgan_gp, PLANE, width=WIDTH, lr=RATE, batch=BATCH),
}


TOLD, WORSE = ("GP", "DRAGAN", "R1", "noise"), "log2 of W1, {} / WGAN-GP"


def penalising(seed: int, steps: int = STEPS) -> Result:
    """W1 of every penalty over that of WGAN-GP. Control: the plain game."""
    held = {name: last_third(build, seed, steps) for name, build in PENALISED.items()}
    far = {name: distance(samples, seed) for name, samples in held.items()}
    log = {name: math.log2(value / far["WGAN-GP"]) for name, value in far.items()}
    values = {WORSE.format(name): log[name] for name in TOLD}
    control = dict.fromkeys(values, log["plain"])
    return Result(values, control, {name: samples[-1] for name, samples in held.items()})


def draw_penalising(results: Sequence[Result]) -> Figure:
    return clouds({name: np.nan_to_num(x, nan=1e6) for name, x in results[0].arrays.items()}, ring()[0])


RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
LOSSES: Mapping[str, Build] = {
    "GAN": partial(gan, PLANE, hidden=WIDTH, batch=BATCH),
    "LSGAN": partial(lsgan, PLANE, width=WIDTH, batch=BATCH),
    "WGAN": partial(wgan, PLANE, width=WIDTH, batch=BATCH, warm=5),
    "relativistic": partial(relativistic_gan, PLANE, width=WIDTH, batch=BATCH),
    "f-GAN, Pearson": partial(fgan, PLANE, divergence="pearson", width=WIDTH, batch=BATCH),
}


def standing(seed: int, steps: int = 2000, rates: Sequence[float] = RATES) -> Result:
    """Modes over all learning rates, beyond those of the GAN. Control: the GAN again, with other dice."""

    def held(name: str, at: int) -> Array:
        return np.array([modes(last_third(partial(LOSSES[name], lr=rate), at, steps)) for rate in rates])

    found = {name: held(name, seed) for name in LOSSES}
    again = held("GAN", 1000 + seed)
    values = {f"{name}: modes beyond the GAN": (found[name] - found["GAN"]).mean() for name in LOSSES if name != "GAN"}
    control = dict.fromkeys(values, float((again - found["GAN"]).mean()))
    return Result(values, control, found | {"rates": np.array(rates)})


def draw_standing(results: Sequence[Result]) -> Figure:
    rates = results[0].arrays["rates"]
    lines = {name: (rates, np.mean([r.arrays[name] for r in results], 0)) for name in LOSSES}
    panel = Curves("the ring of eight", x="learning rate", y="modes", lines=lines, log="x")
    return curves([panel])


CLAIMS = (
    Claim(
        name="penalties-help-the-plain-game",
        statement="The non-saturating GAN with a penalty on its gradient performs very well, too.",
        lecture="B:428",
        paper="Fedus et al. 2018, arXiv 1710.08446; Kodali et al. 2017, arXiv 1705.07215; Mescheder et al. 2018, "
        "arXiv 1801.04406; Soenderby et al. 2017, arXiv 1610.04490",
        experiment=penalising,
        bounds={WORSE.format(name): (-math.inf, 0.25) for name in TOLD},
        control="the plain game, without a penalty.",
        seeds=8,
        budget="3,000 steps of both players on 64 events for each of six games",
        figure=draw_penalising,
        note="Exact W1 to real points, over the last third of the game; 0.25 is a fifth farther. At equal rates and "
        "widths, each recipe with its own weight of the penalty and its own turns. Noise on both inputs is a penalty "
        "in the limit of little noise.",
    ),
    Claim(
        name="other-losses-are-steadier",
        statement="LSGAN and WGAN are more stable to train than the GAN.",
        lecture="D:600",
        paper="Mao et al. 2017, arXiv 1611.04076; Arjovsky et al. 2017, arXiv 1701.07875; "
        "Jolicoeur-Martineau 2019, arXiv 1807.00734; Nowozin et al. 2016, arXiv 1606.00709",
        experiment=standing,
        bounds={f"{name}: modes beyond the GAN": (0.5, math.inf) for name in LOSSES if name != "GAN"},
        control="the GAN again, with other dice.",
        budget="2,000 steps of all players on 64 events for each of five losses at five learning rates",
        figure=draw_standing,
        note="Modes of 8 over the last third of a game, the mean of five learning rates from 1e-4 to 1e-2. "
        "WGAN takes five critic steps in a round and clips at 0.1, and uses RMSprop; the others take one.",
    ),
)  # fmt: skip
