"""What a GAN must get right in a picture as a whole: how many there are, and that both sides agree."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy import ndimage
from torch import Tensor

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.figures.structure import counts
from simulacra.random import draws, reseed
from simulacra.recipes.dcgan import dcgan

Array = np.ndarray
SIDE, BLOBS, APART = 16, 3, 5.0
"""Pixels of a side; blobs in every picture, and the least distance of their centres."""
PICTURES = 2000
"""That are looked at."""


def blobs(n: int, many: int = BLOBS, width: int = SIDE) -> Tensor:
    """Pictures of exactly `many` blobs, none of which touch, [n, 1, SIDE, width]: discs of radius 1.5, soft rims."""
    found, have = [], 0
    while have < n:
        at = 2 + torch.rand(4 * n, many, 2) * (torch.tensor([SIDE, width]) - 5)
        near = torch.cdist(at, at) + 2 * APART * torch.eye(many)
        found.append(at[near.amin((1, 2)) >= APART])
        have += len(found[-1])
    centre = torch.cat(found)[:n, :, None, None]
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(width), indexing="ij")
    away = (torch.stack([rows, columns], -1) - centre).norm(dim=-1)
    return (2 - away).clamp(0, 1).amax(1, keepdim=True)


def mirrored(n: int) -> Tensor:
    """Pictures whose left half has two blobs and whose right half is its mirror image, [n, 1, SIDE, SIDE]."""
    half = blobs(n, 2, SIDE // 2)
    return torch.cat([half, half.flip(-1)], -1)


def components(x: Tensor) -> tuple[Array, Array]:
    """Bright regions of each picture [N], and the pixels of every one of them."""
    many, sizes = [], []
    for picture in x[:, 0].numpy() > 0.5:
        regions = np.zeros(picture.shape, dtype=np.int32)
        many.append(ndimage.label(picture, output=regions))
        sizes.append(np.bincount(regions.ravel())[1:])
    return np.array(many), np.concatenate(sizes)


def asymmetry(x: Tensor) -> float:
    """How much pictures differ from their mirror images, over how much from those of others: 0 mirrored, 1 by chance.

    `E |x - m(x)|^2 / E |x - m(x')|^2` with the mirror m.
    """
    mirror = x.flip(-1)
    return float((x - mirror).square().mean() / (x - mirror.roll(1, 0)).square().mean())


def generated(x: Tensor, seed: int, rounds: int) -> Tensor:
    """Pictures of a DCGAN that saw x."""
    spec = DataSpec("blobs", "image", Field((1, SIDE, SIDE), range=(0.0, 1.0)), rows=len(x))
    game = learn(lambda data: dcgan(data, base=16, lr=2e-4, rounds=rounds, ema=0.99), spec, Batch(x), seed, "structure")
    with draws(seed):
        return game.codec.decode(game.model.sample(PICTURES)).x  # type: ignore[operator]


def miscounting(seed: int, rounds: int = 1200, rows: int = 10_000) -> Result:
    """DCGANs of three blobs and of mirrored pictures; the control are real pictures."""
    reseed(seed, "claims", "blobs")
    counted, mirrors = blobs(rows), mirrored(rows)
    held, held_mirrors = blobs(PICTURES), mirrored(PICTURES)
    made, made_mirrors = generated(counted, seed, rounds), generated(mirrors, seed, rounds)
    _, sizes = components(counted)
    low, high = np.quantile(sizes, (0.005, 0.995))

    def measure(x: Tensor, pairs: Tensor) -> dict[str, float]:
        many, size = components(x)
        return {
            "share with another number of blobs": float((many != BLOBS).mean()),
            "asymmetry, over that by chance": asymmetry(pairs),
            "share of blobs of a real size": float(((size >= low) & (size <= high)).mean()) if len(size) else 0.0,
        }

    control = measure(held, held_mirrors)
    del control["share of blobs of a real size"]  # as local as it is right
    arrays = {
        "count, real": np.bincount(components(held)[0], minlength=10) / PICTURES,
        "count, made": np.bincount(components(made)[0], minlength=10) / PICTURES,
        "blobs": made[:16, 0].numpy(),
        "mirrored": made_mirrors[:16, 0].numpy(),
    }
    return Result(measure(made, made_mirrors), control, arrays)


def draw_miscounting(results: Sequence[Result]) -> Figure:
    return counts([r.arrays for r in results])


CLAIMS = (
    Claim(
        name="gans-miscount-and-lose-symmetry",
        statement="GANs err in global structure: in the number of parts, and in how they belong together.",
        lecture="A:456-461",
        paper="Goodfellow 2016, arXiv 1701.00160",
        experiment=miscounting,
        bounds={
            "share with another number of blobs": (0.1, math.inf),
            "asymmetry, over that by chance": (0.1, math.inf),
            "share of blobs of a real size": (0.8, math.inf),
        },
        control="real pictures.",
        budget="1,200 rounds on 64 pictures of 16 x 16, two games",
        figure=draw_miscounting,
        note="Every real picture has three blobs, or mirrors its left half. A blob is a connected region of more than "
        "half brightness; its size is real if it lies where 99 % of the real ones do. Half of the pictures are "
        "miscounted; but after so short a game not all parts are right either: some melt into one.",
    ),
)
