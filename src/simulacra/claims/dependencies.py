"""What the pixels of a picture know about each other: a short code needs it, and so does the removal of noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter, median_filter, zoom
from scipy.signal import wiener
from torch import Tensor

from simulacra.autoencoders import Autoencoder
from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.claims.factors import fitted, rendered
from simulacra.claims.shortcuts import digits
from simulacra.classical.pca import PCA
from simulacra.evaluation.quality import psnr
from simulacra.figures.curves import Curves, curves
from simulacra.figures.images import image_grid
from simulacra.random import draws, reseed
from simulacra.recipes._autoencoders import by_reconstruction
from simulacra.recipes.dae import dae
from simulacra.testing import Unchanged
from simulacra.training.game import Experiment

Array = np.ndarray
LATENT, SEEN = 8, 1400
"""Numbers in a code, and digits of 1,797 that are trained on."""


def scaled() -> Tensor:
    """The pixels of digits that vary by more than a fifth of their range, [1797, D], shuffled; mean 0, variance 1."""
    x = digits().flatten(1)
    x = x[torch.randperm(len(x))][:, x.std(0) > 0.2]
    return (x - x.mean(0)) / x.std(0)


def apart(x: Tensor) -> Tensor:
    """Every column in an order of its own: the same marginals, and no dependencies."""
    return torch.stack([column[torch.randperm(len(x))] for column in x.T], 1)


def lost(x: Tensor, seed: int, rounds: int) -> tuple[float, float, float]:
    """Error over variance on held-back rows of an autoencoder, of PCA, and of keeping the 8 pixels best for them."""
    x = (x - x[:SEEN].mean(0)) / x[:SEEN].std(0)
    seen, held = x[:SEEN], x[SEEN:]
    error = fitted(seen, held, LATENT, seed, rounds)[0]
    spec = DataSpec("pixels", "vector", Field((x.shape[1],)))
    plane = PCA(spec, LATENT)
    plane.solve(plane.collect(Batch(seen)))
    basis, power = plane.basis.to(held), held.square().sum()
    line = (held - held @ basis @ basis.T).square().sum() / power
    others = held.square().sum(0).sort().values[:-LATENT].sum() / power
    return error, float(line), float(others)


TOGETHER, ALONE = "digits: error / of 8 pixels kept", "shuffled pixels: error / of 8 pixels kept"
CURVED = "digits: error / of 8 principal components"


def depending(seed: int, rounds: int = 800) -> Result:
    """What 8 codes lose of digits; in the controls of shuffled pixels, and of a Gaussian of the digits' covariance."""
    reseed(seed, "depending")
    x = scaled()
    values, vectors = torch.linalg.eigh(torch.cov(x.T))
    gaussian = torch.randn_like(x) * values.clamp(min=0).sqrt() @ vectors.T
    found = {
        name: lost(data, seed, rounds)
        for name, data in {"digits": x, "shuffled": apart(x), "Gaussian": gaussian}.items()
    }
    copied = {name: error / kept for name, (error, _, kept) in found.items()}
    bent = {name: error / line for name, (error, line, _) in found.items()}
    return Result(
        {TOGETHER: copied["digits"], ALONE: copied["shuffled"], CURVED: bent["digits"]},
        {TOGETHER: copied["shuffled"], ALONE: copied["digits"], CURVED: bent["Gaussian"]},
        {name: np.array(row) for name, row in found.items()},
    )


def draw_depending(results: Sequence[Result]) -> Figure:
    seeds, panels = np.arange(len(results)), []
    for data, title in {
        "digits": "digits",
        "Gaussian": "a Gaussian of their covariance",
        "shuffled": "shuffled pixels",
    }.items():
        names = ("autoencoder", "principal components", "pixels kept")
        lines = {name: (seeds, np.array([r.arrays[data][k] for r in results])) for k, name in enumerate(names)}
        panels.append(Curves(title, "seed", "error / variance, 8 numbers", lines, lines, limits=(0.0, 1.1)))
    return curves(panels, columns=3, width=2.8)


SIDE, WIDTH, SPECKLE = 16, 0.3, 0.7
"""Pixels of a side of shapes, and widths of the noise: added, and as a share of each pixel."""
NOISES: dict[str, Callable[[Tensor], Tensor]] = {
    "Gaussian": lambda x: x + WIDTH * torch.randn_like(x),
    "speckle": lambda x: x * (1 + SPECKLE * torch.randn_like(x)),
}


def local_wiener(x: Array, size: int) -> Array:
    """Wiener's filter from local means and variances of pictures [N, S, S]; where nothing varies, what is there."""
    with np.errstate(invalid="ignore", divide="ignore"):
        made = np.stack([wiener(one, size) for one in x])
    return np.where(np.isfinite(made), made, x)


FILTERS: dict[str, Sequence[Callable[[Array], Array]]] = {
    "Gaussian filter": [partial(gaussian_filter, sigma=(0, s, s)) for s in (0.4, 0.6, 0.8, 1.0, 1.3)],
    "median filter": [partial(median_filter, size=(1, s, s)) for s in (2, 3, 5)],
    "Wiener filter": [partial(local_wiener, size=s) for s in (3, 5)],
}


def denoiser(clean: Tensor, noise: Callable[[Tensor], Tensor], seed: int, rounds: int) -> Any:
    """A denoising autoencoder of pictures [N, S, S] with this noise."""
    spec = DataSpec("shapes", "vector", Field((clean[0].numel(),)))

    def build(data: DataSpec) -> Experiment:
        held: Any = dae(data, width=256).model
        model = Autoencoder(held.nets["encoder"], held.nets["decoder"], held.density, noise)  # pyright: ignore[reportArgumentType]
        return by_reconstruction(model, Unchanged(), lr=1e-3, batch=128, rounds=rounds, fitted=False)  # pyright: ignore[reportArgumentType]

    return learn(build, spec, Batch(clean.flatten(1)), seed, "denoiser").model.eval()


def linear(clean: Tensor, noisy: Tensor) -> Callable[[Tensor], Tensor]:
    """The linear map of noisy pictures to clean ones with the least squared error, learned of pairs."""
    ones = torch.ones(len(clean), 1)
    rows = torch.cat([noisy.flatten(1), ones], 1)
    weight = torch.linalg.solve(rows.T @ rows + 1e-2 * torch.eye(rows.shape[1]), rows.T @ clean.flatten(1))
    return lambda x: (torch.cat([x.flatten(1), torch.ones(len(x), 1)], 1) @ weight).view_as(x)


def decibels(clean: Tensor, made: Tensor) -> float:
    return psnr(clean[:, None], made[:, None].clamp(0, 1)).value


OTHERS = ("noisy", *FILTERS, "best linear")
GAIN = "{}: PSNR, denoiser - {}, dB"


@torch.no_grad()
def cleaning(seed: int, rounds: int = 600, rows: int = 6000, asked: int = 400) -> Result:
    """PSNR of a denoiser of shapes beside filters whose widths are the best; in the control pictures are digits."""
    reseed(seed, "cleaning")
    x = rendered(rows + asked, 4, SIDE)[0][:, 0]
    seen, held = x[:rows], x[rows:]
    others = torch.from_numpy(zoom(digits()[:asked, 0].numpy(), (1, 2, 2), order=1)).clamp(0, 1)
    values, control, shown = {}, {}, {}
    for kind, noise in NOISES.items():
        with torch.enable_grad():
            model = denoiser(seen, noise, seed, rounds)
        with draws(seed):
            best = linear(seen, noise(seen))
            for clean, found in ((held, values), (others, control)):
                noisy = noise(clean)
                made = model.reconstruct(Batch(noisy.flatten(1))).x.view_as(clean)
                level = decibels(clean, made)
                rivals = {"noisy": [noisy], "best linear": [best(noisy)]}
                rivals |= {name: [torch.from_numpy(f(noisy.numpy())) for f in each] for name, each in FILTERS.items()}
                for name in OTHERS:
                    found[GAIN.format(kind, name)] = level - max(decibels(clean, r) for r in rivals[name])
                if clean is held:
                    made_of = {"clean": clean, "noisy": noisy, "linear": rivals["best linear"][0], "denoiser": made}
                    shown |= {f"{kind}: {name}": v[:8].numpy() for name, v in made_of.items()}
    return Result(values, control, shown)


def draw_cleaning(results: Sequence[Result]) -> Figure:
    shown = results[0].arrays
    return image_grid(np.concatenate(list(shown.values()))[:, None], 8, names=list(shown))


CLAIMS = (
    Claim(
        name="codes-need-dependencies",
        statement="To map data through fewer numbers, an autoencoder must capture the dependencies between components.",
        lecture="C:45",
        paper="Hinton and Salakhutdinov 2006, Science 313",
        experiment=depending,
        bounds={TOGETHER: (-math.inf, 0.8), ALONE: (0.95, math.inf), CURVED: (-math.inf, 0.9)},
        control="each other's data, and for the last a Gaussian with the covariance of digits.",
        budget="800 rounds of an autoencoder of 8 codes on 64 digits of 8 x 8, three kinds of data",
        figure=draw_depending,
        fast=True,
        note="Pixels that vary, with mean 0 and variance 1. Shuffled, each pixel takes those of other digits: the "
        "marginals stay, and the best that 8 numbers can do is to keep 8 pixels. Principal components know "
        "covariances only, which is all that a Gaussian has.",
    ),
    Claim(
        name="denoisers-beat-filters",
        statement="A denoising autoencoder removes noise.",
        lecture="A:675, C:104-118",
        paper="Vincent et al. 2010",
        experiment=cleaning,
        bounds={GAIN.format(kind, name): (1.0, math.inf) for kind in NOISES for name in OTHERS},
        control="digits, of which the denoiser has seen none.",
        budget="600 rounds on 128 shapes of 16 x 16 with Gaussian noise and with speckle",
        figure=draw_cleaning,
        fast=True,
        note="Ellipses of any place, size and angle; noise of width 0.3 is added, or 0.7 of each pixel. Filters "
        "have the width that is best for the pictures asked about; the best linear map is learned of the same pairs. "
        "What a denoiser does to pictures of another kind is to draw them as the kind that it knows.",
    ),
)
