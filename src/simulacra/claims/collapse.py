"""Generators that lose modes, discriminators that do not notice, and what helps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.optim import Adam

from simulacra.claims.claim import Claim, Result
from simulacra.claims.runs import Run, Setting, play
from simulacra.domains.toys import TOYS
from simulacra.evaluation.modes import Cycling, cycling
from simulacra.figures.collapse import clouds, ratios, settles, tagging, visit_matrices
from simulacra.gan import NonSaturating
from simulacra.networks import MLP
from simulacra.random import reseed

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


BATCH = 16
"""Events in a minibatch, of which all but one may come from one mode."""


Sides = tuple[Tensor, Tensor]
"""Real and fake events or statistics, each [N, D]."""


def statistics(x: Tensor) -> Tensor:
    """Mean and spread of minibatches: [N, BATCH, 2] -> [N, 4]."""
    return torch.cat([x.mean(1), x.std(1)], 1)


def auc_of(train: Sides, test: Sides, steps: int) -> float:
    """Trains a discriminator on one pair of tables, real and fake; how well it tells another pair apart."""
    (real, fake), (test_real, test_fake) = train, test
    network = MLP(real.shape[1], 1, hidden=(64, 64))
    optimizer = Adam(network.parameters(), 2e-3)
    for _ in range(steps):
        pick = torch.randint(len(real), (256,)), torch.randint(len(fake), (256,))
        optimizer.zero_grad()
        NonSaturating().critic(network(real[pick[0]]), network(fake[pick[1]])).mean().backward()
        optimizer.step()
    with torch.no_grad():
        scores = torch.cat([network(test_real), network(test_fake)])[:, 0]
    return float(roc_auc_score(np.repeat([1, 0], [len(test_real), len(test_fake)]), scores.numpy()))


def tagged(seed: int, steps: int = 400, rows: int = 1000) -> Result:
    """Discriminators of one event and of a minibatch, on generators that hold one mode; the controls do not collapse.

    The collapsed fakes of training hold one of the modes 0 to 3 at a time, those of the test one of 4 to 7. In the
    controls single fakes are blurred by 0.3, and minibatches are as diverse as the data.
    """
    reseed(seed, "tagging")
    toy = TOYS["ring8"]
    x, label = toy.draw(200_000, seed)
    of = [x[label == k] for k in range(8)]

    def diverse(n: int) -> Tensor:
        return x[torch.randint(len(x), (n, BATCH))]

    def collapsed(n: int, modes: Sequence[int]) -> Tensor:
        which = torch.tensor(modes)[torch.randint(len(modes), (n,))].tolist()
        return torch.stack([of[k][torch.randint(len(of[k]), (BATCH,))] for k in which])

    def single(batches: Tensor) -> Tensor:
        return batches[:, 0]

    old, new = (0, 1, 2, 3), (4, 5, 6, 7)
    real, test = diverse(rows), diverse(rows)
    fakes, same, moved = collapsed(rows, old), collapsed(rows, old), collapsed(rows, new)
    one = collapsed(rows, (0,)), collapsed(rows, (0,))
    blurred = [single(diverse(rows)) + 0.3 * torch.randn(rows, 2) for _ in range(2)]
    place = single(test)[(single(test) - of[0].mean(0)).norm(dim=1) < NEAR]
    alone = single(real), single(test)
    together = statistics(real), statistics(test)
    moved_on = statistics(fakes), statistics(moved)
    as_diverse = statistics(diverse(rows)), statistics(diverse(rows))
    values = {
        "one event, in the mode itself": auc_of((alone[0], single(one[0])), (place, single(one[1])), steps),
        "one event, modes of training": auc_of((alone[0], single(fakes)), (alone[1], single(same)), steps),
        "one event, new modes": auc_of((alone[0], single(fakes)), (alone[1], single(moved)), steps),
        "minibatch, new modes": auc_of((together[0], moved_on[0]), (together[1], moved_on[1]), steps),
    }
    control = {
        "one event, in the mode itself": auc_of((alone[0], blurred[0]), (alone[1], blurred[1]), steps),
        "minibatch, new modes": auc_of((together[0], as_diverse[0]), (together[1], as_diverse[1]), steps),
    }
    arrays = {
        "real": single(test)[:400].numpy(),
        "fake": single(moved)[:400].numpy(),
        "spread, real": statistics(test)[:, 2:].norm(dim=1).numpy(),
        "spread, fake": statistics(moved)[:, 2:].norm(dim=1).numpy(),
    }
    return Result(values, control, arrays)


def draw_tagged(results: Sequence[Result]) -> Figure:
    return tagging(results[0].arrays)


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
        name="one-event-does-not-tell-a-collapse",
        statement="At collapse samples are good but few, so that the discriminator cannot tag them as fake.",
        lecture="D:474-479, B:150",
        paper="Salimans et al. 2016, arXiv 1606.03498",
        experiment=tagged,
        bounds={
            "one event, in the mode itself": (-math.inf, 0.6),
            "one event, modes of training": (-math.inf, 0.6),
            "one event, new modes": (-math.inf, 0.6),
            "minibatch, new modes": (0.95, math.inf),
        },
        control="fakes blurred by 0.3, and minibatches that are as diverse as the data.",
        budget="400 discriminator steps on 256 + 256 events or minibatches of 16, six times",
        figure=draw_tagged,
        fast=True,
        note="Areas under the curve. One event of a mode is as good as another, but a mode that is too frequent is "
        "tagged as a whole, until the generator moves on: then fakes look better than data. A minibatch gives it away.",
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
