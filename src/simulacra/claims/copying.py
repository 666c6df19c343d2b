"""Whether generators make something new, or training pictures again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from matplotlib.figure import Figure

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import Build, learn
from simulacra.claims.shortcuts import digits
from simulacra.evaluation.memorisation import memorisation, nearest
from simulacra.figures.images import image_grid
from simulacra.random import draws, reseed
from simulacra.recipes.dcgan import dcgan
from simulacra.recipes.resampler import resampler
from simulacra.recipes.vae import vae

Array = np.ndarray
MADE, FEW = 1000, 32
"""Pictures that are looked at; training pictures of the small set."""
FAR, SHARE = "distance to training digits, made / held-out", "share of copies beyond chance"


def halves() -> tuple[torch.Tensor, torch.Tensor]:
    """The digits in two halves at random, [898, 1, 8, 8] and [899, 1, 8, 8]."""
    x = digits()
    x = x[torch.randperm(len(x))]
    return x[: len(x) // 2], x[len(x) // 2 :]


def compared(made: Array, held: Array, seen: Array) -> dict[str, float]:
    """The nearest-neighbour test of made, held-out and training rows.

    The median distance to the nearest training row, of made over that of held-out rows: 1 for new rows, 0 for copies;
    and the share of made rows that are less than half as far from a training row as from all of as many held-out ones,
    less the share of which the opposite is true: 0 for new rows, 1 for copies.
    """
    found = memorisation(made, held, seen, draws=2)
    ratio, copies = found["memorisation/ratio"], found["memorisation/copies"]
    return {FAR: ratio.value, SHARE: (copies.value - copies.floor) / len(made)}


def copying(seed: int, rounds: int = 2000) -> Result:
    """GAN and VAE of half the digits, and of 32 of them; the control draws training digits again."""
    reseed(seed, "claims", "copying")
    seen, held = halves()
    builds: Mapping[str, Build] = {
        "GAN": partial(dcgan, base=16, latent=16, lr=1e-3, batch=FEW, rounds=rounds, ema=0.99),
        "VAE": partial(vae, latent=4, batch=FEW, rounds=rounds),
        "copies": resampler,
    }
    found: dict[str, dict[str, float]] = {"": {}, "copies": {}}
    arrays: dict[str, Array] = {}
    for many, of in ((len(seen), ""), (FEW, f" of {FEW}")):
        spec = DataSpec("digits", "image", Field((1, 8, 8), range=(0.0, 1.0)), rows=many)
        for kind, build in builds.items():
            game = learn(build, spec, Batch(seen[:many]), seed, "copying")
            with torch.no_grad(), draws(seed):
                made = game.codec.decode(game.model.sample(MADE)).x.flatten(1).double().numpy()  # type: ignore[operator]
            known = seen[:many].flatten(1).double().numpy()
            test = compared(made, held.flatten(1).double().numpy(), known)
            for name in builds.keys() - {"copies"} if kind == "copies" else {kind}:
                group = "copies" if kind == "copies" else ""
                found[group] |= {f"{name}{of}: {quantity}": v for quantity, v in test.items()}
            near, _ = nearest(made[:10], known)
            arrays |= {kind + of: made[:10].astype(np.float32), f"{kind}{of}, nearest": known[near].astype(np.float32)}
    return Result(found[""], found["copies"], arrays)


def draw_copying(results: Sequence[Result]) -> Figure:
    shown = results[0].arrays
    names = [name for name in shown if not name.endswith("nearest")]
    made, near = (np.concatenate([shown[name + end] for name in names]) for end in ("", ", nearest"))
    note = "to the right of each picture the nearest one that it was trained on"
    return image_grid(made.reshape(-1, 1, 8, 8), 10, names=names, beside=near.reshape(-1, 1, 8, 8), note=note)


KINDS = ("GAN", "VAE", f"GAN of {FEW}", f"VAE of {FEW}")
CLAIMS = (
    Claim(
        name="samples-resemble-and-are-new",
        statement="Samples of a generative model are similar to training data without reproducing them.",
        lecture="A:257",
        paper="Goodfellow et al. 2014, arXiv 1406.2661; Meehan, Chaudhuri and Dasgupta 2020, arXiv 2004.05675",
        experiment=copying,
        bounds={f"{kind}: {FAR}": (0.75, 1.25) for kind in KINDS}
        | {f"{kind}: {SHARE}": (-math.inf, 0.02) for kind in KINDS},
        control="training digits, drawn again.",
        budget="2,000 rounds on 32 digits of 8 x 8, four games",
        figure=draw_copying,
        note=f"DCGAN and VAE of 898 digits, and of {FEW}; distances are those of pixels, to as many training digits "
        "for made and for held-out ones. A copy is less than half as far from a training digit as from all of as many "
        "held-out digits; the share of which the opposite is true is taken off. After so short a game the GAN's digits "
        "are half as far again as real ones. On few digits only the VAE copies, one in sixteen.",
    ),
)  # fmt: skip
