"""How many turns the discriminator needs for each of the generator's, at equal cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from simulacra.claims.claim import Claim, Result
from simulacra.claims.runs import Setting, play
from simulacra.figures.curves import Curves, curves

Array = np.ndarray
MORE = (2, 3, 5)
WORSE = "log2 of W1 at k = 1 / at k = {}"


def ended(k: int, steps: int, seed: int) -> float:
    """W1 over the last fifth of a game of so many steps of both players, k of the discriminator in a round."""
    far = play(Setting("gan", steps=steps, turns=k), seed).distance
    return float(far[-max(len(far) // 5, 1) :].mean())


def sufficing(seed: int, steps: int = 3600) -> Result:
    """k = 1 against more turns; in the control k = 1 has a tenth of the steps."""
    once, early = ended(1, steps, seed), ended(1, steps // 10, seed)
    more = np.array([ended(k, steps, seed) for k in MORE])
    values, control = (
        {WORSE.format(k): math.log2(own / other) for k, other in zip(MORE, more, strict=True)} for own in (once, early)
    )
    return Result(values, control, {"k": np.array([1, *MORE]), "distance": np.array([once, *more])})


def draw_sufficing(results: Sequence[Result]) -> Figure:
    lines = {f"seed {seed}": (r.arrays["k"], r.arrays["distance"]) for seed, r in enumerate(results)}
    return curves([Curves("equal steps of both players", "k", "W1", lines, marks=lines, log="y")], width=5)


CLAIMS = (
    Claim(
        name="one-turn-suffices",
        statement="One turn of the discriminator for each of the generator suffices: k = 1 is the cheapest choice.",
        lecture="D:320",
        paper="Goodfellow et al. 2014, arXiv 1406.2661",
        experiment=sufficing,
        bounds={WORSE.format(k): (-math.inf, 0.25) for k in MORE},
        control="k = 1 after a tenth of the steps.",
        budget="3,600 steps of both players together on 128 events for each of four games",
        figure=draw_sufficing,
        seeds=8,
        note="The ring of eight, the non-saturating loss, equal learning rates. A round of k turns costs k + 1 steps, "
        "so that games of larger k have fewer turns of the generator. 0.25 is a fifth farther.",
    ),
)
