"""Generators that lose modes, discriminators that do not notice, and what helps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from matplotlib.figure import Figure

from simulacra.claims.claim import Claim, Result
from simulacra.claims.runs import Run, Setting, play
from simulacra.domains.toys import TOYS
from simulacra.evaluation.modes import Cycling, cycling
from simulacra.figures.collapse import clouds, ratios, settles, visit_matrices

Array = np.ndarray
GAMES = {
    "equal rates": Setting("gan"),
    "slow discriminator": Setting("gan", slow=0.1),
    "strong discriminator": Setting("gan", turns=3),
}
"""The same networks under three schedules; the second is that of Metz et al. (2017, arXiv 1611.02163).

The strong discriminator has three turns in a round.
"""
CURES = {"WGAN-GP": Setting("wgan_gp"), "WGAN, clipped": Setting("wgan")}
SMALL = {"WGAN-GP, small critic": Setting("wgan_gp", critic=8)}
NEAR, SHARE = 0.3, 0.02
"""A mode is held where more than this share of samples is this near to it; modes are 1.53 apart."""


def ring() -> tuple[Array, float]:
    """The modes [8, 2] of the ring and their width."""
    centres, sigma = TOYS["ring8"].modes or (torch.zeros(0, 2), 1.0)
    return centres.numpy(), sigma


def held(run: Run) -> Array:
    """Which modes the generator holds, at each look [T, 8]."""
    centres, sigma = ring()
    return cycling(list(run.samples), centres, sigma, reach=NEAR / sigma).visits > SHARE


def last(run: Run) -> Run:
    """The last third of the looks."""
    start = -(len(run.rounds) // 3)
    return Run(*(part[start:] for part in run[:-1]), scale=run.scale)


def cut_to(setting: Setting, cut: int) -> Setting:
    return replace(setting, steps=setting.steps // cut)


def followed(run: Run) -> Cycling:
    """How the generator went about the modes; every sample counts with its nearest mode, from 5 % on."""
    return cycling(list(run.samples), *ring(), share=0.05, reach=math.inf)


def collapsing(seed: int, games: int = 2, cut: int = 1) -> Result:
    """Modes that a GAN holds at once and over time; the control is WGAN-GP with as many steps."""
    schedules = {k: GAMES[k] for k in ("slow discriminator", "equal rates")} | {"WGAN-GP": CURES["WGAN-GP"]}
    runs = {k: [play(cut_to(s, cut), seed, g) for g in range(games)] for k, s in schedules.items()}
    went = {k: [followed(run) for run in v] for k, v in runs.items()}

    def measure(name: str) -> dict[str, float]:
        return {
            "slow discriminator: modes at once": float(np.mean([w.at_once for w in went[name]])),
            "slow discriminator: modes over time": float(np.mean([w.over_time for w in went[name]])),
            "slow discriminator: cycling index": float(np.mean([w.index for w in went[name]])),
        }

    other = {"equal rates: modes at once": float(np.mean([w.at_once for w in went["equal rates"]]))}
    control = measure("WGAN-GP")
    control.pop("slow discriminator: modes over time")
    return Result(measure("slow discriminator") | other, control, {k: v[0].visits for k, v in went.items()})


def draw_collapsing(results: Sequence[Result]) -> Figure:
    return visit_matrices(results[0].arrays)


def covering(seed: int, games: int = 2, cut: int = 1) -> Result:
    """Modes held over the last third of the looks; the control are GANs under three schedules."""
    settings = CURES | SMALL | GAMES
    runs = {k: [play(cut_to(s, cut), seed, g) for g in range(games)] for k, s in settings.items()}
    modes = {k: float(np.mean([held(last(run)).sum(1).mean() for run in v])) for k, v in runs.items()}
    values = {f"{name}: modes": modes[name] for name in CURES | SMALL}
    control = {"WGAN-GP: modes": float(np.mean([modes[k] for k in GAMES]))}
    return Result(values, control, {k: v[0].samples[-1].astype(np.float32) for k, v in runs.items()})


def draw_covering(results: Sequence[Result]) -> Figure:
    return clouds(results[0].arrays, ring()[0])


ARRIVED = 0.4
"""W1, in standard deviations of the data, below which a game is at its solution; 1.4 is the distance of one mode."""


def settled(run: Run) -> bool:
    """Whether every look of the last third is at the solution."""
    return bool((last(run).distance < ARRIVED).all())


def settling(seed: int, games: int = 2, cut: int = 1) -> Result:
    """Games that arrive and stay; the control is WGAN-GP."""
    runs = {
        k: [play(cut_to(s, cut), seed, g) for g in range(games)]
        for k, s in (GAMES | {"WGAN-GP": CURES["WGAN-GP"]}).items()
    }
    name = "share of games that settle"
    value = float(np.mean([settled(run) for k in GAMES for run in runs[k]]))
    control = float(np.mean([settled(run) for run in runs["WGAN-GP"]]))
    arrays = {f"{k}/{g}": np.stack([r.rounds, r.distance]) for k, v in runs.items() for g, r in enumerate(v)}
    return Result({name: value}, {name: control}, arrays)


def draw_settling(results: Sequence[Result]) -> Figure:
    return settles(results[0].arrays, ARRIVED)


RATIOS = {"1/8": 4, "1/4": 8, "1": 32, "4": 128, "8": 256}
"""Width of the discriminator in units of the generator's, 32."""


def matching(seed: int, cut: int = 1) -> Result:
    """W1 at the end for five widths of the discriminator; the control looks after 20 steps."""
    game = Setting("gan", generator=32, looks=15)
    ends, starts = (
        np.array([last(play(s, seed)).distance.mean() for s in settings])
        for settings in (
            [replace(game, critic=width, steps=game.steps // cut) for width in RATIOS.values()],
            [replace(game, critic=width, steps=20, looks=3) for width in RATIOS.values()],
        )
    )

    def measure(w: Array) -> dict[str, float]:
        names = {k: n for n, k in enumerate(RATIOS)}
        octaves = np.log2(w / w[names["1"]]).clip(-3, 3)  # a generator that runs away is not to decide alone
        return {f"log2 of W1 at {k} / W1 at 1": float(octaves[names[k]]) for k in ("1/8", "8")}

    return Result(measure(ends), measure(starts), {"ratio": np.array(list(RATIOS.values())) / 32, "W1": ends})


def draw_matching(results: Sequence[Result]) -> Figure:
    return ratios([r.arrays for r in results])


METZ = "Metz et al. 2017, arXiv 1611.02163"
CLAIMS = (
    Claim(
        name="mode-collapse-and-cycling",
        statement="GANs often hold a few modes only, and the discriminator pushes them from one to the next.",
        lecture="B:145-152, D:448-452",
        paper=METZ,
        experiment=collapsing,
        bounds={
            "slow discriminator: modes at once": (-math.inf, 4.0),
            "slow discriminator: modes over time": (6.0, math.inf),
            "slow discriminator: cycling index": (0.3, math.inf),
            "equal rates: modes at once": (-math.inf, 4.0),
        },
        control="WGAN-GP with as many steps.",
        budget="3,600 steps of both players on 128 events, two games of each kind",
        figure=draw_collapsing,
        note="The discriminator's rate is a tenth of the generator's, as in the paper; at equal rates the same "
        "networks find most modes. A sample counts with its nearest mode.",
    ),
    Claim(
        name="wasserstein-prevents-collapse",
        statement="Wasserstein GANs are insensitive to mode collapse and prevent it.",
        lecture="B:300, B:326",
        paper="Arjovsky, Chintala and Bottou 2017, arXiv 1701.07875; Gulrajani et al. 2017, arXiv 1704.00028",
        experiment=covering,
        bounds={
            "WGAN-GP: modes": (7.0, math.inf),
            "WGAN, clipped: modes": (7.0, math.inf),
            "WGAN-GP, small critic: modes": (7.0, math.inf),
        },
        control="GANs under three schedules, with as many steps.",
        budget="3,600 steps of both players on 128 events, two games of each kind",
        figure=draw_covering,
        note="Of 8, each with 2 % of the samples within 0.3. WGAN-GP holds all; with clipped weights it depends on the "
        "seed. It takes a critic that can see the modes: one of width 8 lets the generator wander.",
    ),
    Claim(
        name="gans-rarely-settle",
        statement="The training of GANs rarely converges.",
        lecture="B:133, C:712",
        paper=METZ,
        experiment=settling,
        bounds={"share of games that settle": (-math.inf, 0.5)},
        control="WGAN-GP with as many steps.",
        budget="3,600 steps of both players on 128 events, two games of each of three schedules",
        figure=draw_settling,
        note="To settle is to stay within 0.4 standard deviations in W1 over the last third of the looks.",
    ),
    Claim(
        name="players-need-the-same-capacity",
        statement="Generator and discriminator need to have the same quality.",
        lecture="A:361, A:371, B:132",
        paper="Goodfellow et al. 2014, arXiv 1406.2661",
        experiment=matching,
        bounds={
            "log2 of W1 at 1/8 / W1 at 1": (0.32, math.inf),
            "log2 of W1 at 8 / W1 at 1": (0.32, math.inf),
        },
        control="the same games after 20 steps.",
        budget="3,600 steps of both players on 128 events for each of five widths",
        figure=draw_matching,
        seeds=5,
        note="Width of the discriminator in units of the generator's; 0.32 is a quarter worse, 3 counts as most. "
        "A weak discriminator does harm; whether a strong one does depends on the seed, and the best has 1 to 4.",
    ),
)  # fmt: skip
