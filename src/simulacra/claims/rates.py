"""Which games stand high learning rates and momenta."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.following import adjust, follow
from simulacra.claims.runs import w1
from simulacra.domains.toys import TOYS
from simulacra.figures.rates import heat_maps
from simulacra.recipes.gan import gan
from simulacra.recipes.gan_gp import gan_gp
from simulacra.recipes.sngan import sngan

Array = np.ndarray
PLANE = DataSpec("plane", "vector", Field((2,)))
RATES, MOMENTA = (1e-4, 1e-3, 1e-2), (0.0, 0.5, 0.9)
KINDS: Mapping[str, Any] = {
    "plain": partial(gan, PLANE, hidden=64),
    "GP": partial(gan_gp, PLANE, width=64),
    "SN": partial(sngan, PLANE, width=64),
}
"""One turn each, the same networks, rates that stay."""
ONE_MODE = 1.78
"""W1, in standard deviations of the data, of a generator that makes one mode alone; one at their centre has 1.41."""


def diverged(samples: Array, real: Array) -> bool:
    """Whether a game [T, N, 2] is over the last third of its looks worse than one mode alone, or NaN."""
    last = samples[-max(len(samples) // 3, 1) :]
    if not np.isfinite(last).all():
        return True
    scale = real.std(0).mean()
    return float(np.mean([w1(x / scale, real / scale) for x in last.astype(float)])) > ONE_MODE


def share(kind: str, rate: float, beta1: float, seed: int, rounds: int, games: int) -> float:
    """The share of games that diverge at a learning rate and a momentum."""
    ring = TOYS["ring8"]
    data, real = Batch(ring.sample(20_000, seed=seed)), ring.sample(300, seed=seed + 1).numpy()
    found = []
    for game in range(games):
        samples = follow(
            lambda: adjust(KINDS[kind](lr=rate, batch=64), beta1=beta1),
            PLANE, data, 1000 * game + seed, rounds=rounds, looks=min(9, rounds), count=300,
        )  # fmt: skip
        found.append(diverged(samples, real))
    return float(np.mean(found))


HIGH = np.array([[rate == RATES[-1] or beta1 == MOMENTA[-1] for beta1 in MOMENTA] for rate in RATES])
"""The cells of a high rate, a high momentum, or both."""
EXTREME = 1.0, 0.9
"""A rate and a momentum that nothing stands."""


def standing(seed: int, rounds: int = 200, games: int = 2) -> Result:
    """Shares that diverge where rate or momentum is high; the control is an extreme rate."""
    table = {kind: np.zeros(HIGH.shape) for kind in KINDS}
    for kind, (r, m) in product(KINDS, np.ndindex(HIGH.shape)):
        table[kind][r, m] = share(kind, RATES[r], MOMENTA[m], seed, rounds, games if HIGH[r, m] else 1)

    def measure(found: Mapping[str, float]) -> dict[str, float]:
        return {
            "SN: share that diverges": found["SN"],
            "SN - plain": found["SN"] - found["plain"],
            "SN - GP": found["SN"] - found["GP"],
        }

    control = measure({kind: share(kind, *EXTREME, seed, rounds, 1) for kind in KINDS})
    return Result(measure({kind: float(cells[HIGH].mean()) for kind, cells in table.items()}), control, table)


def draw_standing(results: Sequence[Result]) -> Figure:
    tables = {kind: np.mean([r.arrays[kind] for r in results], 0) for kind in KINDS}
    return heat_maps(tables, RATES, MOMENTA, "share of games that diverge")


CLAIMS = (
    Claim(
        name="spectral-norm-stands-high-rates",
        statement="Spectral normalisation increases stability at high learning rates and high momenta.",
        lecture="B:433",
        paper="Miyato et al. 2018, arXiv 1802.05957",
        experiment=standing,
        bounds={
            "SN: share that diverges": (-math.inf, 0.25),
            "SN - plain": (-math.inf, -0.1),
            "SN - GP": (-math.inf, -0.1),
        },
        control="a rate of 1 with beta1 0.9, which nothing stands.",
        budget="200 rounds on 64 events, two games at each high rate or momentum of a grid of nine, for three kinds",
        figure=draw_standing,
        note="The ring of eight, one turn each. High is a rate of 0.01, a beta1 of 0.9, or both. A game diverges where "
        "it ends, over the last third, worse in W1 than a generator of one mode alone, or is not finite. The gradient "
        "penalty stands most; the normalised discriminator, which must magnify the ring 30 times to see its modes, "
        "stands no more than the plain one.",
    ),
)  # fmt: skip
