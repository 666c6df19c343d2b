"""A convolutional autoencoder beside a dense one of its size, where digits may lie anywhere in a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.ae_codes import small_digits
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.figures.images import image_grid
from simulacra.recipes.ae import ae
from simulacra.recipes.conv_ae import conv_ae
from simulacra.training.game import Experiment

Array = np.ndarray
HELD = 1000
"""Pictures held back."""
SIDE = 16
BETTER = "log2 of the error of held-out pictures, conv_ae / dense"


def shifted(rows: int, seed: int) -> Tensor:
    """Digits of 8 x 8 somewhere in a picture of 16 x 16 whose opposite edges meet, [rows, 1, 16, 16]."""
    x = nn.functional.pad(small_digits(rows).x, (4, 4, 4, 4))
    moves = np.random.default_rng(seed).integers(0, SIDE, (rows, 2))
    return torch.stack([each.roll((int(a), int(b)), (1, 2)) for each, (a, b) in zip(x, moves, strict=True)])


def size_of(game: Experiment) -> int:
    """Parameters of the networks."""
    nets: Any = game.model.nets  # type: ignore[union-attr]
    return sum(p.numel() for p in nets.parameters())


def shifting(seed: int, rounds: int = 1500, rows: int = 10_000, latent: int = 16) -> Result:
    """A convolutional and a dense autoencoder of as many parameters; in the control pixels have changed places."""
    straight = shifted(rows + HELD, seed)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(SIDE**2))
    values: dict[str, float] = {}
    arrays: dict[str, Array] = {}
    for name, x in {"": straight, "shuffled": straight.flatten(1)[:, order].view_as(straight)}.items():
        picture = DataSpec("shifted digits", "image", Field((1, SIDE, SIDE), range=(0.0, 1.0)), rows=rows)
        row = DataSpec("shifted digits", "vector", Field((SIDE**2,)), rows=rows)
        conv = partial(conv_ae, latent=latent, rounds=rounds)
        wanted = size_of(conv(picture))
        width = min(range(8, 200, 2), key=lambda w: abs(size_of(ae(row, latent=latent, width=w)) - wanted))
        dense = partial(ae, latent=latent, width=width, lr=3e-3, batch=64, rounds=rounds)
        error = {}
        for kind, build, spec, data in (("conv_ae", conv, picture, x), ("dense", dense, row, x.flatten(1))):
            game = learn(build, spec, Batch(data[:rows]), seed, "shifting")
            model: Any = game.model.eval()  # type: ignore[union-attr]
            back = game.codec.decode(model.reconstruct(game.codec.encode(Batch(data[rows:])))).x
            error[kind] = float((back - data[rows:]).square().mean())
            if not name:
                arrays[kind] = back[:10].view(-1, 1, SIDE, SIDE).clamp(0, 1).numpy()
        if not name:
            arrays = {"pictures": x[rows : rows + 10].numpy(), **arrays}
        values[name] = math.log2(error["conv_ae"] / error["dense"])
    return Result({BETTER: values[""]}, {BETTER: values["shuffled"]}, arrays)


def draw_shifting(results: Sequence[Result]) -> Figure:
    shown = results[0].arrays
    ratio = np.mean([2 ** r.values[BETTER] for r in results]), np.mean([2 ** r.control[BETTER] for r in results])
    note = f"error, conv_ae / dense: {ratio[0]:.2f}; with pixels in other places {ratio[1]:.2f}"
    return image_grid(np.concatenate(list(shown.values())), 10, names=list(shown), note=note)


CLAIMS = (
    Claim(
        name="convolutions-know-about-shifts",
        statement="An autoencoder of convolutions gives back shifted pictures better than a dense one of its size.",
        lecture="A:104, A:395",
        paper="Masci et al. 2011; LeCun et al. 1989",
        experiment=shifting,
        bounds={BETTER: (-math.inf, 0.0)},
        control="the same pictures with their pixels in other places, the same for all.",
        seeds=8,
        budget="1,500 rounds on 64 MNIST digits somewhere in 16 x 16 pixels, four games",
        figure=draw_shifting,
        note="Codes of 16 numbers, and as many parameters. Opposite edges of a picture meet, so that every pixel has "
        "the same mean and variance, and standardising them changes nothing for the dense one.",
    ),
)
