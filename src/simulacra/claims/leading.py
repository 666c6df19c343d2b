"""Whither the discriminator's gradient leads samples: to the data, or not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from simulacra.claims.claim import Claim, Result
from simulacra.claims.collapse import ring
from simulacra.claims.objectives import fit
from simulacra.domains.toys import TOYS
from simulacra.figures.planes import Plane, mesh, planes
from simulacra.gan.objectives import Minimax, NonSaturating, Objective
from simulacra.random import reseed

Array = np.ndarray
Score = Callable[[Tensor], Tensor]
"""Scores [N, 1] of points [N, 2]."""
FRAME = (-3.0, 7.0, -3.0, 3.0)
STEPS, BATCH, COUNT, SHOWN = 600, 256, 500, 12
LOOKS = (10, 30, 100, 300, 600)
"""Steps of the discriminator after which it is asked."""


def amid(n: int) -> Tensor:
    """Fakes among the data, [n, 2]: a Gaussian in the middle of the ring that reaches over it."""
    return 1.5 * torch.randn(n, 2)


def far_off(n: int) -> Tensor:
    """Fakes far from all data, [n, 2]."""
    return torch.tensor([5.5, 0.0]) + 0.3 * torch.randn(n, 2)


FAKES: Mapping[str, Callable[[int], Tensor]] = {"amid the data": amid, "far off": far_off}


def pushes(score: Score, x: Tensor, objective: Objective) -> Tensor:
    """Where the generator's loss would have each of the points [N, 2] go: minus its gradient by the point."""
    place = x.clone().requires_grad_()
    return -torch.autograd.grad(objective.generator(None, score(place)).sum(), place)[0]


def cosines(score: Score, x: Tensor, data: Tensor) -> Tensor:
    """Cosines of the pushes on points [N, 2] with the way to the nearest of the data [M, 2]; 0 where there is none."""
    way = data[torch.cdist(x, data).argmin(1)] - x
    return torch.cosine_similarity(pushes(score, x, NonSaturating()), way, dim=1)


MEAN, SHARE = "{}: mean cosine of push and way to the nearest data", "{}: share of fakes that are pushed nearer"
LEFT = {
    "far off: log10 of the push of log(1 - D), last / largest": Minimax(),
    "far off: log10 of the push of -log D, last / largest": NonSaturating(),
}


def watched(where: str, seed: int, steps: int, shuffled: bool = False) -> tuple[Score, Tensor, dict[str, Array]]:
    """A trained discriminator, fakes [COUNT, 2], and the mean lengths of the pushes on them at each of `LOOKS`."""
    reseed(seed, "claims", "leading", where)
    pool, x = TOYS["ring8"].sample(20_000, seed=seed), FAKES[where](COUNT)
    lengths: dict[str, list[float]] = {name: [] for name in LEFT}

    def draw() -> tuple[Tensor, Tensor]:
        real, fake = pool[torch.randint(len(pool), (BATCH,))], FAKES[where](BATCH)
        if not shuffled:
            return real, fake
        first, second = torch.cat([real, fake])[torch.randperm(2 * BATCH)].split(BATCH)
        return first, second

    states = fit(draw, steps, 3e-3, numbers=2)
    network = next(states)
    for step, network in enumerate(states, start=1):
        if step in LOOKS:
            for name, objective in LEFT.items():
                lengths[name].append(float(pushes(network, x, objective).norm(dim=1).mean()))
    return network, x, {name: np.array(length) for name, length in lengths.items()}


def quantities(where: str, score: Score, x: Tensor) -> dict[str, float]:
    """How well points [N, 2] are led to the centres of the ring's modes."""
    seen = cosines(score, x, torch.from_numpy(ring()[0]).float())
    return {MEAN.format(where): float(seen.mean()), SHARE.format(where): float((seen > 0).float().mean())}


def leading(seed: int, steps: int = STEPS) -> Result:
    """Pushes of discriminators on fakes amid the data and far off; in the control labels are shuffled."""
    values: dict[str, float] = {}
    arrays: dict[str, Array] = {"data": TOYS["ring8"].sample(300, seed=seed).numpy()}
    grid = torch.from_numpy(mesh(FRAME, 60)).float().view(-1, 2)
    for where in FAKES:
        score, x, lengths = watched(where, seed, steps)
        values |= quantities(where, score, x)
        if where == "far off":
            values |= {name: math.log10(length[-1] / length.max()) for name, length in lengths.items()}
        ends = x[:SHOWN] + torch.nn.functional.normalize(pushes(score, x[:SHOWN], NonSaturating()), dim=1)
        with torch.no_grad():
            arrays[f"{where}/D"] = score(grid).sigmoid().view(60, 60).numpy()
        arrays |= {f"{where}/fakes": x.numpy(), f"{where}/ends": ends.numpy()}
    score, x, _ = watched("amid the data", seed, steps, shuffled=True)
    return Result(values, quantities("amid the data", score, x), arrays)


def draw_leading(results: Sequence[Result]) -> Figure:
    held = results[0].arrays
    panels = [
        Plane(
            f"fakes {where}",
            held[f"{where}/D"],
            limits=(0.0, 1.0),
            clouds={"data": held["data"], "fakes": held[f"{where}/fakes"]},
            arrows=(held[f"{where}/fakes"][:SHOWN], held[f"{where}/ends"]),
        )
        for where in FAKES
    ]
    return planes(panels, FRAME, columns=2, size=3.2)


CLAIMS = (
    Claim(
        name="the-discriminator-leads-to-the-data",
        statement="The gradient of the discriminator guides the generator's samples to the data.",
        lecture="A:381, C:678",
        paper="Goodfellow et al. 2014, arXiv 1406.2661; Arjovsky and Bottou 2017, arXiv 1701.04862",
        experiment=leading,
        bounds={
            **{MEAN.format(where): (0.5, math.inf) for where in FAKES},
            **{SHARE.format(where): (0.75, math.inf) for where in FAKES},
            **dict.fromkeys(LEFT, (-1.0, math.inf)),
        },
        control="the labels of data and of fakes amid them are shuffled.",
        budget="600 discriminator steps on 256 + 256 points, three times",
        figure=draw_leading,
        seeds=8,
        note="The ring of eight, and the centre of its nearest mode. All losses that fall with D push the same way, "
        "and differ in how hard. Far off, where D is sure, the way is right, but the minimax loss hardly pushes any "
        "more.",
    ),
)  # fmt: skip
