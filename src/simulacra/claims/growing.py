"""Whether a GAN that grows learns sooner than the same networks trained at the full side from the start."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import ot
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.domains.dataset import ArrayDataset
from simulacra.domains.images.canonical import open_canonical
from simulacra.figures.growing import fades, race
from simulacra.networks.progressive import ProgressiveBody, ProgressiveCritic, ProgressiveGenerator, enlarged, reduced
from simulacra.random import draws, reseed
from simulacra.recipes.progan import progan
from simulacra.training.game import Clock
from simulacra.training.growing import Growth
from simulacra.training.loop import train
from simulacra.training.stream import DataStream

Array = np.ndarray
SPEC = DataSpec("fashion-mnist 16 x 16", "image", Field((1, 16, 16), range=(0.0, 1.0)))
ROUNDS, BATCH, LOOKS = 1000, 16, 20
LATER = 0.6
"""The share of the run at which the growing game is at the full side."""


def small_pictures(rows: slice) -> Tensor:
    """Fashion-MNIST at 16 x 16, from 0 to 1: [N, 1, 14, 14] means of 2 x 2 pixels in a black frame."""
    x = open_canonical("fashion-mnist")[rows].x
    return functional.pad(functional.avg_pool2d(x, 2), (1, 1, 1, 1))


def bands(x: Tensor) -> list[Array]:
    """The Laplacian pyramid of pictures [N, C, 16, 16]: what 4 x 4 pixels say, what 8 x 8 add, what 16 x 16 add."""
    levels = [reduced(x, side) for side in (4, 8, 16)]
    added = [fine - enlarged(coarse, fine.shape[-1]) for coarse, fine in pairwise(levels)]
    return [level.flatten(1).double().numpy() for level in (levels[0], *added)]


def band_distances(real: Tensor, made: Tensor) -> Array:
    """Sliced W1 of each band of a pyramid, in root mean square deviations of the real one, [3]."""
    found = []
    for a, b in zip(bands(real), bands(made), strict=True):
        line: Any = ot.sliced_wasserstein_distance(a, b, n_projections=128, seed=0, p=1)
        found.append(float(line) / math.sqrt(a.var(0).mean()))
    return np.array(found)


def band_distance(real: Tensor, made: Tensor) -> float:
    """`band_distances`, averaged."""
    return float(band_distances(real, made).mean())


def play(pictures: Tensor, held_out: Tensor, until: float, seed: int, rounds: int) -> Mapping[str, Array]:
    """Plays `progan`; `until` 0 is at the full side from the start. There are as many maps at all sides.

    Returns:
        `pictures` seen, `operations` spent (multiplications and additions of both players, as torch counts them) and
        the `distance` of as many averaged samples to `held_out`, at each look [LOOKS + 1].
    """
    reseed(seed, "claims", "growing")
    experiment = progan(SPEC, until=until, width=16, most=16, latent=32, ema=0.99)
    experiment.clock, experiment.batch_size = Clock(0, rounds), BATCH
    model: Any = experiment.model
    growth, cost = Growth(3, until), {}
    data = ArrayDataset(SPEC, Batch(pictures))
    stream = DataStream(data, torch.arange(len(data)), experiment.codec, seed=seed)
    every = max(rounds // LOOKS, 1)
    spent, curve = 0.0, []
    steps = train(experiment, {"data": stream}, seed=seed)
    for k in range(rounds):
        stage, alpha = growth(Clock(k, rounds))
        phase = stage, alpha < 1
        if phase in cost:
            next(steps)
        else:
            with FlopCounterMode(display=False) as count:
                next(steps)
            cost[phase] = float(count.get_total_flops())
        spent += cost[phase]
        if k % every == 0 or k == rounds - 1:
            with draws(k):
                made = experiment.codec.decode(model.sample(len(held_out))).x
            curve.append((BATCH * 2 * (k + 1), spent, band_distance(held_out, made)))
    seen, operations, distance = np.array(curve).T
    return {"pictures": seen, "operations": operations, "distance": distance}


def spent_until(run: Mapping[str, Array], target: float) -> float:
    """Operations at the first look at which the distance is at most `target`; infinite where it never is."""
    there = np.flatnonzero(run["distance"] <= target)
    return float(run["operations"][there[0]]) if len(there) else math.inf


TARGET = 0.25
"""Of the distance, fixed in advance; real against real has 0.04, nothing but 4 x 4 pixels 0.6."""


def racing(seed: int, rounds: int = ROUNDS, pictures: Tensor | None = None, held_out: Tensor | None = None) -> Result:
    """A game that grows against one that does not; the control are real pictures of 4 x 4 pixels, enlarged."""
    pictures = small_pictures(slice(0, 20_000)) if pictures is None else pictures
    held_out = small_pictures(slice(60_000, 62_000)) if held_out is None else held_out
    grown, direct = (play(pictures, held_out, until, seed, rounds) for until in (LATER, 0.0))
    coarse = enlarged(reduced(pictures[: len(held_out)], 4), 16)
    target = max(TARGET, grown["distance"].min(), direct["distance"].min())

    def ahead(distance: float, operations: float) -> dict[str, float]:
        level = np.interp(grown["operations"][-1], direct["operations"], direct["distance"])
        return {
            "log2 of operations to the target, grown / direct": math.log2(operations / spent_until(direct, target)),
            "log2 of the distance after equal operations, grown / direct": math.log2(distance / level),
            "log2 of the distance after equal pictures, grown / direct": math.log2(distance / direct["distance"][-1]),
        }

    control = ahead(band_distance(held_out, coarse), math.inf)
    values = ahead(float(grown["distance"][-1]), spent_until(grown, target))
    arrays = {f"{kind}/{key}": v for kind, run in (("grown", grown), ("direct", direct)) for key, v in run.items()}
    return Result(values, control, arrays | {"target": np.array(target)})


def draw_racing(results: Sequence[Result]) -> Figure:
    return race([r.arrays for r in results])


def fading(seed: int) -> Result:
    """What changes as a stage joins, in pictures and in scores; the control are stages that join at once."""
    reseed(seed, "claims", "fading")
    generator, body = ProgressiveGenerator((1, 16, 16), 64), ProgressiveBody((1, 16, 16))
    critic, alphas = ProgressiveCritic(body), np.linspace(0, 1, 11)
    z, real = {"z": torch.randn(64, 64)}, torch.rand(64, 1, 16, 16)

    def seen(stage: int, alpha: float) -> tuple[Tensor, Tensor]:
        generator.grow(stage, alpha)
        body.grow(stage, alpha)
        return generator(z), critic(real).score

    jumps, controls, bends, paths = [], [], [], []
    with torch.no_grad():
        for stage in range(1, generator.stages):
            before, path = seen(stage - 1, 1.0), [seen(stage, float(alpha)) for alpha in alphas]
            for found, now in ((jumps, path[0]), (controls, path[-1])):
                found.append([float((x - y).abs().max()) for x, y in zip(now, before, strict=True)])
            line = [torch.lerp(path[0][0], path[-1][0], float(alpha)) for alpha in alphas]
            bends.append(max(float((x - y).abs().max()) for (x, _), y in zip(path, line, strict=True)))
            paths.append([float((x - before[0]).square().mean().sqrt()) for x, _ in path])

    def measure(changes: list[list[float]]) -> dict[str, float]:
        names = ("jump of a pixel as a stage joins", "jump of a score as a stage joins")
        return dict(zip(names, np.max(changes, 0).tolist(), strict=True))

    values = measure(jumps) | {"departure of pictures from a straight line in alpha": max(bends)}
    return Result(values, measure(controls), {"alpha": alphas, "path": np.array(paths)})


def draw_fading(results: Sequence[Result]) -> Figure:
    return fades(results[0].arrays["alpha"], results[0].arrays["path"])


PROGAN = "Karras et al. 2018, arXiv 1710.10196"
CLAIMS = (
    Claim(
        name="growing-learns-sooner",
        statement="Growing from low to high resolution speeds up training, as most steps are made at low resolution.",
        lecture="B:517",
        paper=PROGAN,
        experiment=racing,
        bounds={
            "log2 of operations to the target, grown / direct": (-math.inf, 0.0),
            "log2 of the distance after equal operations, grown / direct": (-math.inf, 0.0),
            "log2 of the distance after equal pictures, grown / direct": (-math.inf, 0.0),
        },
        control="real pictures reduced to 4 x 4 pixels, as a game that never grew could make them at best.",
        budget="1,000 rounds of ProGAN on 16 Fashion-MNIST pictures of 16 x 16, grown and not",
        figure=draw_racing,
        note="The distance is sliced W1 of the bands of a Laplacian pyramid, in standard deviations; the target is "
        "0.25, or what both reach where one of them does not reach that. Operations are counted, not timed.",
    ),
    Claim(
        name="fade-in-avoids-shocks",
        statement="New layers are faded in linearly, which avoids sudden shocks to the smaller networks.",
        lecture="B:821-823",
        paper=PROGAN,
        experiment=fading,
        bounds={
            "jump of a pixel as a stage joins": (-math.inf, 0.0),
            "jump of a score as a stage joins": (-math.inf, 0.0),
            "departure of pictures from a straight line in alpha": (-math.inf, 1e-5),
        },
        control="stages that join at once.",
        budget="64 pictures and untrained networks at each of two stages",
        figure=draw_fading,
        seeds=5,
        fast=True,
        note="Exact by construction: at alpha 0 both players are the smaller networks, and pixels are repeated.",
    ),
)  # fmt: skip
