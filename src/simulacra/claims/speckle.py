"""Speckle taken off scattering patterns, by what was learned of pairs and by filters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter, median_filter
from torch import Tensor

from simulacra.batch import Batch
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.claims.dependencies import decibels, linear, local_wiener
from simulacra.domains.images import open_speckle
from simulacra.figures.images import image_grid
from simulacra.recipes.dae import dae

FILTERS: dict[str, Sequence[Callable[..., np.ndarray]]] = {
    "Gaussian filter": [partial(gaussian_filter, sigma=(0, s, s)) for s in (0.7, 1.0, 1.3, 1.6, 2.0)],
    "median filter": [partial(median_filter, size=(1, s, s)) for s in (3, 5, 7)],
    "Wiener filter": [partial(local_wiener, size=s) for s in (3, 5, 7)],
}
OTHERS = ("speckled", *FILTERS, "best linear")
GAIN = "PSNR, denoiser - {}, dB"


def filtered(noisy: Tensor, name: str, clean: Tensor) -> list[Tensor]:
    """Pictures after the filter of each width, shifted to the mean of the clean ones: filters of logarithms are low."""
    made = [torch.from_numpy(f(noisy.numpy())) for f in FILTERS[name]]
    return [x + (clean - x).mean() for x in made]


@torch.no_grad()
def despeckling(seed: int, rounds: int = 2000, rows: int = 10_000, asked: int = 500) -> Result:
    """PSNR of a denoiser beside filters, on held-out patterns; in the control its pairs were shuffled."""
    data = open_speckle(rows=rows + asked, seed=seed)
    seen, held = data[torch.arange(rows)], data[torch.arange(rows, rows + asked)]
    shuffled = Batch(seen.x, {"speckled": seen.given["speckled"].roll(1, 0)})
    clean, noisy = held.x[:, 0], held.given["speckled"][:, 0]
    made = {}
    for name, pairs in {"denoiser": seen, "shuffled pairs": shuffled}.items():
        with torch.enable_grad():
            game: Any = learn(partial(dae, corruption="speckled", rounds=rounds), data.spec, pairs, seed, name)
        codec, model = game.codec, game.model.eval()
        shown = codec.encode(Batch(held.given["speckled"], held.given))
        made[name] = codec.decode(model.reconstruct(shown)).x[:, 0]
    best = linear(seen.x[:, 0], seen.given["speckled"][:, 0])(noisy)
    rivals = {"speckled": [noisy], "best linear": [best]} | {n: filtered(noisy, n, clean) for n in FILTERS}
    level = {name: max(decibels(clean, x) for x in each) for name, each in rivals.items()}
    gain = {k: {GAIN.format(n): decibels(clean, x) - level[n] for n in OTHERS} for k, x in made.items()}
    pictures = {"clean": clean, "speckled": noisy, "best linear": best, "denoiser": made["denoiser"]}
    return Result(
        gain["denoiser"], gain["shuffled pairs"], {name: x[:8].clamp(0, 1).numpy() for name, x in pictures.items()}
    )


def draw_despeckling(results: Sequence[Result]) -> Figure:
    shown = results[0].arrays
    return image_grid(np.concatenate(list(shown.values()))[:, None], 8, names=list(shown))


CLAIMS = (
    Claim(
        name="denoisers-remove-speckle",
        statement="Denoising autoencoders can remove speckle from X-ray scattering patterns.",
        lecture="A:675",
        paper="Vincent et al. 2010; Erdmann et al. 2021, chapter 17",
        experiment=despeckling,
        bounds={GAIN.format("speckled"): (5.0, math.inf)} | {GAIN.format(n): (1.0, math.inf) for n in OTHERS[1:]},
        control="the same network after pairs in which the clean partner is that of another event.",
        budget="2,000 rounds of 64 of 10,000 simulated pairs of 32 x 32",
        figure=draw_despeckling,
        note="Fully developed speckle: the intensity of a coherent beam scattered by 100 particles at random places is "
        "distributed exponentially about the clean pattern, in grains of two pixels. Filters have the width that is "
        "best for the pictures asked about, and are told the clean pictures' mean brightness.",
    ),
)
