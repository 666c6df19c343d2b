"""Eight games of pictures: with and without a smooth metric, a penalty on gradients, and growth."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from torch.optim import Adam

from simulacra.batch import Batch
from simulacra.claims.claim import Claim, Result
from simulacra.claims.growing import LATER, PROGAN, SPEC
from simulacra.claims.ingredients import OTHER_DICE
from simulacra.claims.small_games import Pictures, end, fashion, path
from simulacra.figures.rates import effects
from simulacra.gan import GAN, GradientPenalty, NonSaturating, StandardNormal, Wasserstein
from simulacra.gan.drift import Drift
from simulacra.networks.progressive import ProgressiveBody, ProgressiveCritic, ProgressiveGenerator
from simulacra.recipes._parts import codec_for
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Loss, Player, modules
from simulacra.training.growing import Growing, GrowingBatch, Growth

Array = np.ndarray
ROUNDS, LOOKS, BATCH, LATENT = 600, 9, 16, 32
FACTORS = ("smooth metric", "penalty", "growth")
CELLS = tuple(itertools.product((False, True), repeat=3))
"""Which of the factors a game has."""


def game(metric: bool, penalty: bool, growth: bool) -> Experiment:
    """The game of `progan`, with the Wasserstein or the non-saturating loss, with or without a penalty and growth."""
    codec = codec_for(SPEC)
    spec = codec.spec(SPEC)
    generator_net = ProgressiveGenerator(spec.x.shape, LATENT, base=8, most=16)
    body = ProgressiveBody(spec.x.shape, base=8, most=16)
    critic_net = ProgressiveCritic(body)
    terms = [Drift(1e-3), *([GradientPenalty(10.0)] if penalty else [])]
    objective = Wasserstein() if metric else NonSaturating()
    duel = GAN(generator_net, critic_net, objective, StandardNormal(LATENT), terms)
    model, growing = duel.averaged(), Growth(generator_net.stages, LATER if growth else 0.0)
    critic, generator = (Adam(net.parameters(), 1e-3, betas=(0.0, 0.99)) for net in (critic_net, generator_net))

    def critic_loss(events: Batch) -> Loss:
        return duel.critic_loss(critic_net.faded(events))

    players = [
        Player("critic", critic_net, critic_loss, critic),
        Player("generator", generator_net, duel.generator_loss, generator),
    ]
    hooks = [Growing(growing, generator_net, body), EMA(generator_net, model.generator, 0.98)]
    roots = modules(game=duel, model=model)
    return Experiment(model, players, codec, ROUNDS, GrowingBatch(growing, BATCH), roots, hooks)


NEARER, ALONE, SPREAD = (
    "{}: log2 of the distance, with / without",
    "{}: the same, where nothing else is there",
    "{}: spread of log2 of the distance over starts, with - without",
)


def measured(ends: Array) -> dict[str, float]:
    """What each factor does, of log2 of distances [2, 2, 2, starts] without (0) and with (1) each of them.

    The spread is estimated from the absolute difference of two starts, of which it is sqrt(pi) / 2 for normal ones.
    """
    means, spreads = ends.mean(-1), np.abs(ends[..., 0] - ends[..., -1]) * math.sqrt(math.pi) / 2
    found: dict[str, float] = {}
    for axis, name in enumerate(FACTORS):
        alone = np.diff(np.moveaxis(means, axis, 0)[:, 0, 0])
        found[NEARER.format(name)] = float(np.diff(means, axis=axis).mean())
        found[ALONE.format(name)] = float(alone[0])
        found[SPREAD.format(name)] = float(np.diff(spreads, axis=axis).mean())
    return found


def crossing(seed: int, rounds: int = ROUNDS, data: Pictures | None = None) -> Result:
    """Every combination from two starts; control: the game without any of them, with other dice, for each factor."""
    data = data or fashion()

    def reached(cell: tuple[bool, ...], dice: int) -> float:
        return math.log2(end(path(partial(game, *cell), data, dice, rounds, LOOKS, averaged=True)))

    starts = (seed, OTHER_DICE + seed)
    ends = np.array([[reached(cell, dice) for dice in starts] for cell in CELLS]).reshape(2, 2, 2, len(starts))
    again = reached(CELLS[0], 2 * OTHER_DICE + seed) - float(ends[0, 0, 0].mean())
    control = {form.format(name): again for form in (NEARER, ALONE) for name in FACTORS}
    return Result(measured(ends), control, {"ends": ends})


def draw_crossing(results: Sequence[Result]) -> Figure:
    runs: list[Mapping[str, float]] = []
    for result in results:
        means = result.arrays["ends"].mean(-1).reshape(-1)
        labels = (" + ".join(np.array(FACTORS)[list(cell)]) or "none" for cell in CELLS)
        runs.append({label: float(value - means[0]) for label, value in zip(labels, means, strict=True)})
    return effects(runs, "log2 of the distance, with / with none")


CLAIMS = (
    Claim(
        name="metric-penalty-and-growth-steady",
        statement="A smooth metric, a penalty on gradients and a prior on the generator's architecture "
        "stabilise games.",
        lecture="B:609-611",
        paper=f"Gulrajani et al. 2017, arXiv 1704.00028; {PROGAN}; Lucic et al. 2018, arXiv 1711.10337",
        experiment=crossing,
        bounds={
            form.format(name): (-math.inf, high)
            for form, high in ((NEARER, -0.1), (ALONE, -0.1), (SPREAD, 0.0))
            for name in FACTORS
        },
        control="the game without any of them, with other dice.",
        budget="600 rounds of ProGAN's networks on 16 Fashion-MNIST pictures of 16 x 16, eight games from two starts",
        figure=draw_crossing,
        note="Sliced W1 of the bands of a Laplacian pyramid, the mean over the last third, of averaged weights; "
        "-0.1 is 7 % nearer. In games this short the smooth metric helps a little, on the mean of all games and not "
        "alone; a penalty or growth alone slow them. Whether starts lie closer together these seeds do not tell.",
    ),
)  # fmt: skip
