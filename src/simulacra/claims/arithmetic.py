"""Sums of latents: what a generator makes of smiling left - frowning left + frowning right."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.domains.images.rendered import faces
from simulacra.evaluation.attributes import analogy, arithmetic
from simulacra.evaluation.latent import decode
from simulacra.figures.images import image_grid
from simulacra.random import draws, reseed
from simulacra.recipes.dcgan import dcgan

Array = np.ndarray
SIDE, LATENT, SEEN = 8, 16, 6000
"""Pixels of a side, numbers of a latent, and pictures that are trained on."""
SPEC = DataSpec("drawn", "image", Field((1, SIDE, SIDE), range=(0.0, 1.0)))
CORNERS = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
"""Both factors of what an analogy is made of, in the order of `quadrant`."""
POOL, EXEMPLARS = 100, (1, 3, 10)
"""Latents from which exemplars of a corner are drawn, and how many are."""


def marks(factors: Tensor, side: int) -> Tensor:
    """A mark in the upper half and one in the lower half, [N, 1, side, side] from 0 to 1.

    Args:
        factors: [N, 2] from -1 to 1: how far each lies to the right, 0.3 sides at most.
    """
    place = (torch.arange(side) + 0.5) / side - 0.5
    at = torch.where((place < 0)[None, :, None], factors[:, 0, None, None], factors[:, 1, None, None])
    return torch.exp(-(place - 0.3 * at).square() / 0.01)[:, None]


DRAWN: Mapping[str, Callable[[Tensor, int], Tensor]] = {"two marks": marks, "pose and smile": faces}
"""Characteristics that have pixels of their own, and of which one moves the other."""


@cache
def templates(kind: str) -> tuple[Tensor, Tensor]:
    """Factors on a grid, [1681, 2], and the pictures that have them as rows of pixels."""
    line = torch.linspace(-1.2, 1.2, 41)
    factors = torch.cartesian_prod(line, line)
    return factors, DRAWN[kind](factors, SIDE).flatten(1)


def read(kind: str, x: Tensor) -> Tensor:
    """The factors [N, 2] of the drawn picture that is nearest to each of [N, 1, SIDE, SIDE], in pixels."""
    factors, pixels = templates(kind)
    return factors[torch.cdist(x.flatten(1), pixels).argmin(1)]


def quadrant(factors: Tensor) -> Tensor:
    """0 to 3: twice whether the first factor is positive, and once whether the second is."""
    return 2 * (factors[:, 0] > 0) + (factors[:, 1] > 0).long()


class Latents(NamedTuple):
    """Latents [N, D], the pictures that they become, and what is read off those pictures [N, 2]."""

    z: Tensor
    push: Callable[[Tensor], Tensor]
    read: Callable[[Tensor], Tensor]
    factors: Tensor


def latents(z: Tensor, push: Callable[[Tensor], Tensor], read: Callable[[Tensor], Tensor]) -> Latents:
    return Latents(z, push, read, read(push(z)))


def trained(kind: str, seed: int, rounds: int) -> Latents:
    """4,000 latents of a DCGAN that has seen pictures of this kind."""
    reseed(seed, "claims", "arithmetic")
    x = DRAWN[kind](2 * torch.rand(SEEN, 2) - 1, SIDE)
    build = partial(dcgan, base=8, latent=LATENT, lr=1e-3, rounds=rounds, ema=0.99)
    game = learn(build, SPEC, Batch(x), seed, "arithmetic")
    model: Any = game.model
    with draws(seed):
        z = model.noise(4000)["z"]
    return latents(z, lambda z: decode(model, game.codec, {"z": z}).x, partial(read, kind))


def exemplars(held: Latents) -> list[Tensor]:
    """The latents of each corner, [POOL, D]: those whose pictures are nearest to it."""
    return [held.z[(held.factors - corner).norm(dim=1).argsort()[:POOL]] for corner in CORNERS]


def solved(held: Latents, pools: Sequence[Tensor], seed: int) -> dict[int, float]:
    """The share of analogies that come out in the quadrant asked for, by exemplars; a quarter by chance.

    The mean of all four: pools [K, D] of two corners differ by one factor, and the sum asks for the fourth.
    """
    found: dict[int, list[float]] = {k: [] for k in EXEMPLARS}
    for wanted in range(4):
        plus, minus, to = (pools[wanted ^ differs] for differs in (2, 3, 1))
        shares = arithmetic(
            lambda z: quadrant(held.read(held.push(z))),
            plus, minus, to, wanted, held.z[:200], exemplars=EXEMPLARS, seed=seed + wanted,
        )  # fmt: skip
        for k, share in found.items():
            share.append(shares[f"arithmetic/{k}"].value)
    return {k: float(np.mean(share)) for k, share in found.items()}


def alike(pools: Sequence[Tensor]) -> float:
    """The cosine of the way from less to more of a factor at both ends of the other; the lesser of both factors."""
    low, up, right, high = (pool.mean(0) for pool in pools)
    both = [torch.cosine_similarity(a, b, dim=0) for a, b in ((up - low, high - right), (right - low, high - up))]
    return float(torch.stack(both).min())


TEN = "{}: share of sums that are what was asked for, means of ten"
GAIN = "{}: the same, less that of single latents"
ALIKE = "{}: cosine of the same change in two places"


def quantities(kind: str, held: Latents, pools: Sequence[Tensor], seed: int) -> tuple[dict[str, float], Array]:
    """What is asked of latents, and the shares by exemplars [3]."""
    share = solved(held, pools, seed)
    found = {TEN: share[10], GAIN: share[10] - share[1], ALIKE: alike(pools)}
    return {name.format(kind): value for name, value in found.items()}, np.array(list(share.values()))


def summing(seed: int, rounds: int = 1000) -> Result:
    """Sums of means of exemplars, of both kinds of pictures; in the control exemplars are any latents."""
    values: dict[str, float] = {}
    control: dict[str, float] = {}
    arrays: dict[str, Array] = {}
    for kind in DRAWN:
        held = trained(kind, seed, rounds)
        pools = exemplars(held)
        found, arrays[f"{kind}/shares"] = quantities(kind, held, pools, seed)
        values |= found
        control |= quantities(kind, held, held.z[: 4 * POOL].split(POOL), seed)[0]
        for k in (1, 10):
            parts = [pools[corner][:k] for corner in (1, 0, 2)]
            z = torch.stack([*(part.mean(0) for part in parts), analogy(*parts)])
            arrays[f"{kind}/{k}"] = held.push(z).clamp(0, 1).numpy()
    return Result(values, control, arrays)


def draw_summing(results: Sequence[Result]) -> Figure:
    shown = results[:3]
    names = {f"{kind}/{k}": f"{kind}, {k}" for kind in DRAWN for k in (1, 10)}
    rows = np.concatenate([r.arrays[key] for key in names for r in shown])
    right = {kind: np.mean([r.arrays[f"{kind}/shares"] for r in results], 0) for kind in DRAWN}
    words = [f"{kind} {', '.join(f'{v:.0%}' for v in share)}" for kind, share in right.items()]
    note = f"first - second + third = fourth; right of 1, 3, 10: {'; '.join(words)}"
    return image_grid(rows, 4 * len(shown), width=7.5, names=list(names.values()), note=note)


CLAIMS = (
    Claim(
        name="latents-can-be-added",
        statement="DCGAN supports a latent space of simple structure, in which one can do arithmetic if several "
        "samples of each kind are averaged.",
        lecture="A:412, A:700-708",
        paper="Radford, Metz and Chintala 2016, arXiv 1511.06434",
        experiment=summing,
        bounds={
            name.format(kind): bound
            for kind in DRAWN
            for name, bound in {TEN: (0.8, math.inf), GAIN: (0.1, math.inf), ALIKE: (0.5, math.inf)}.items()
        },
        control="the sums are of any latents.",
        budget="1,000 rounds on 64 drawn pictures of 8 x 8, two games",
        figure=draw_summing,
        seeds=4,
        note="The upper mark to the left or right, and the lower one; heads that turn, and smile or frown; all four "
        "analogies, of which a quarter come out by chance. Characteristics are read off the nearest of 1,681 drawn "
        "pictures. Marks have pixels of their own, and a change of one is the same change wherever the other is. A "
        "mouth moves with its head: smiling at left is another way than smiling at right, and averages cannot help. "
        "So short a game draws heads roughly. Sums prove little learning: untrained, a generator is nearly linear, and "
        "83 % of its sums of ten marks were right, and 46 % of heads (one seed).",
    ),
)  # fmt: skip
