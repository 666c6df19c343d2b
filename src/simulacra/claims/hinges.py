"""Whether the loss of a discriminator of bounded slope says how good the samples are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.losses import rank
from simulacra.claims.runs import w1
from simulacra.domains.toys import TOYS
from simulacra.figures.critics import losses
from simulacra.random import draws, reseed
from simulacra.recipes.sngan import sngan
from simulacra.recipes.wgan_gp import wgan_gp
from simulacra.testing import Rows, streams_for
from simulacra.training.game import Experiment
from simulacra.training.loop import train

Array = np.ndarray
PLANE = DataSpec("plane", "vector", Field((2,)))
COUNT = 500
"""Samples at a look."""
TWO = 2
"""Games of each kind and seed."""
CRITIC, GENERATOR = "SN: discriminator's loss and W1", "SN: generator's loss and W1"


def watched(game: Experiment, seed: int, looks: int) -> dict[str, Array]:
    """The mean losses of both players since the last look, and exact W1 to real points, [looks] each."""
    data, every = Batch(TOYS["ring8"].sample(20_000, seed=seed)), game.clock.rounds // looks
    real = TOYS["ring8"].sample(COUNT, seed=seed + 1).numpy()
    roots: Any = game.learners
    sums, seen = {"critic": 0.0, "generator": 0.0}, {"rounds": [], "critic": [], "generator": [], "distance": []}
    for step in train(game, streams_for(game, Rows(PLANE, data), seed), seed=seed):
        for name in sums:
            sums[name] += float(step.losses[f"{name}/{name}"])
        if not step.clock.round % every and len(seen["rounds"]) < looks:
            with torch.no_grad(), draws(seed):
                made = game.codec.decode(roots["game"].sample(COUNT)).x.numpy()
            far = w1(made, real)
            found = {name: value / every for name, value in sums.items()}
            for name, value in {"rounds": float(step.clock.round), "distance": far, **found}.items():
                seen[name].append(value)
            sums = dict.fromkeys(sums, 0.0)
    return {name: np.array(value) for name, value in seen.items()}


def judging(seed: int, rounds: int = 1600, looks: int = 32) -> Result:
    """Losses against exact W1 within games of spectrally normalised discriminators; the control has WGAN-GP."""
    options: dict[str, Any] = {"width": 64, "batch": 128}
    builds = {
        "sngan": lambda: sngan(PLANE, rounds=rounds, **options),
        "wgan_gp": lambda: wgan_gp(PLANE, rounds=rounds // 2, **options),
    }
    held: dict[str, list[dict[str, Array]]] = {}
    for name, build in builds.items():
        held[name] = []
        for k in range(TWO):
            reseed(seed, "claims", "hinges", k)
            held[name].append(watched(build(), 100 * k + seed, looks))

    def follows(name: str, player: str, sign: float) -> float:
        return float(np.mean([rank(sign * seen[player], seen["distance"]) for seen in held[name]]))

    values = {CRITIC: follows("sngan", "critic", 1.0), GENERATOR: follows("sngan", "generator", 1.0)}
    control = dict.fromkeys(values, follows("wgan_gp", "critic", -1.0))
    arrays = {f"{name} {part}": x for name, games in held.items() for part, x in games[0].items()}
    return Result(values, control, arrays)


def draw_judging(results: Sequence[Result]) -> Figure:
    arrays = {k: -v if k == "wgan_gp critic" else v for k, v in results[0].arrays.items()}
    return losses(arrays, {"sngan": "spectral norm, hinge", "wgan_gp": "WGAN with gradient penalty"})


CLAIMS = (
    Claim(
        name="a-normalised-discriminators-loss-says-nothing",
        statement="With spectral normalisation the loss remains meaningless.",
        lecture="B:485",
        paper="Miyato et al. 2018, arXiv 1802.05957",
        experiment=judging,
        bounds={CRITIC: (-0.5, 0.5), GENERATOR: (-0.5, 0.5)},
        control="the critic's estimate of a WGAN with gradient penalty, in the place of either.",
        budget="1,600 rounds on 128 events, two games, and 800 with two critic turns of WGAN-GP",
        figure=draw_judging,
        seeds=5,
        note="Spearman's correlation over 32 looks within a game on the ring of eight, with exact W1 of 500 samples. "
        "The discriminator's loss rises while the samples get better; the generator's falls with the distance on most "
        "seeds, more loosely than the estimate of a WGAN.",
    ),
)
