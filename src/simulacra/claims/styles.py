"""What styles of single layers do to a picture, and what their truncation costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import spearmanr
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from torch import Tensor

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.evaluation.coverage import coverage
from simulacra.figures.curves import Curves, curves
from simulacra.figures.images import image_grid
from simulacra.networks.progressive import enlarged, reduced
from simulacra.networks.style import mix
from simulacra.random import draws, reseed
from simulacra.recipes.stylegan import stylegan
from simulacra.testing import Rows, streams_for
from simulacra.training.loop import train

Array = np.ndarray
SPEC = DataSpec("digits", "image", Field((1, 8, 8), range=(0.0, 1.0)))
ROUNDS, LATENT, BATCH = 700, 32, 32
COARSE = 2
"""Layers at 4 x 4, which come first; the others are at 8 x 8."""


def digits() -> Tensor:
    """scikit-learn's 1,797 digits [N, 1, 8, 8], from 0 to 1."""
    pixels, _ = load_digits(return_X_y=True)
    return torch.tensor(pixels, dtype=torch.float32).view(-1, 1, 8, 8) / 16


@cache
def generator(seed: int, rounds: int) -> Any:
    """The averaged generator of a StyleGAN on the digits, from -1 to 1."""
    reseed(seed, "claims", "styles")
    game = stylegan(
        SPEC,
        latent=LATENT,
        depth=2,
        width=16,
        mixing=0.5,
        gamma=3.0,
        lr=5e-3,
        batch=BATCH,
        rounds=max(rounds, 1),
        ema=0.98,
    )
    if rounds:
        for _ in train(game, streams_for(game, Rows(SPEC, Batch(digits())), seed), seed=seed):
            pass
    model: Any = game.model
    return model.generator.eval()


def noise(made: Any, n: int) -> dict[str, Tensor]:
    return {name: torch.randn(n, size) for name, size in {"z": LATENT, **made.noises}.items()}


def bands(x: Tensor) -> tuple[Tensor, Tensor]:
    """What 4 x 4 pixels say of pictures [N, 1, 8, 8], and what 8 x 8 add; they add up to the pictures."""
    coarse = enlarged(reduced(x, 4), 8)
    return coarse, x - coarse


def power(change: Tensor) -> float:
    return float(change.square().flatten(1).sum(1).mean())


MIXED = (
    "4 x 4 band: change by fine styles / by all",
    "8 x 8 band: change by coarse styles / by all",
    "share of the change at 4 x 4, coarse - fine styles",
)


def moved(before: Tensor, coarse: Tensor, fine: Tensor, everything: Tensor) -> dict[str, float]:
    """The quantities of mixing, from pictures of which no styles, coarse ones, fine ones and all are another's."""
    (c_low, c_high), (f_low, f_high), (low, high) = (
        [power(band) for band in bands(x - before)] for x in (coarse, fine, everything)
    )
    share = c_low / (c_low + c_high) - f_low / (f_low + f_high)
    return dict(zip(MIXED, (f_low / low, c_high / high, share), strict=True))


def mixing(seed: int, rounds: int = ROUNDS, n: int = 500) -> Result:
    """Changes of pictures by band as styles of some layers are another picture's; the control takes other layers."""
    made = generator(seed, rounds)
    with torch.no_grad(), draws(seed):
        told = noise(made, n)
        own, other = made.styles(told), made.styles(noise(made, n))
        before, everything = made.synthesis(own, told), made.synthesis(other, told)
        coarse = made.synthesis(mix(other, own, COARSE), told)
        fine = made.synthesis(mix(own, other, COARSE), told)
    rows = {"own": before, "coarse of other": coarse, "fine of other": fine, "other": everything}
    arrays = {name: ((x[:10] + 1) / 2).numpy() for name, x in rows.items()}
    return Result(moved(before, coarse, fine, everything), moved(before, fine, coarse, everything), arrays)


def draw_mixing(results: Sequence[Result]) -> Figure:
    shown = results[0].arrays
    return image_grid(np.concatenate(list(shown.values())), 10, names=list(shown))


COMPONENTS = 10
"""Principal components of the digits in which neighbours are sought."""
PSI = (0.25, 0.4, 0.55, 0.7, 0.85, 1.0)
TRUNCATED = (
    "precision: rank correlation with psi",
    "recall: rank correlation with psi",
    "precision at psi 0.55 - at 1",
    "recall at psi 0.55 - at 1",
)


def strip(made: Any, n: int, seed: int, inner: bool = True) -> dict[str, Array]:
    """Precision and recall of n pictures against as many digits at each psi, and ten of the pictures.

    psi pulls w to its mean, or where not `inner` z to 0, which the mapping network undoes by its norm.
    """
    everything = digits().flatten(1).numpy()
    view = PCA(COMPONENTS).fit(everything)
    real = view.transform(everything[np.random.default_rng(seed).permutation(1797)[:n]])
    found, pictures = [], []
    with torch.no_grad(), draws(seed):
        told = noise(made, n)
        for psi in PSI:
            x = made.truncated(psi).eval()(told) if inner else made(told | {"z": psi * told["z"]})
            shown = ((x + 1) / 2).clamp(0, 1)
            seen = coverage(real, view.transform(shown.flatten(1).numpy()), splits=2)
            found.append((seen["precision"].value, seen["recall"].value))
            pictures.append(shown[:10].numpy())
    precision, recall = np.array(found).T
    return {"precision": precision, "recall": recall, "pictures": np.concatenate(pictures)}


def rank(x: Array) -> float:
    """Rank correlation with psi; 0 where x does not change by one per cent."""
    return float(np.asarray(spearmanr(PSI, x))[0]) if np.ptp(x) > 0.01 else 0.0


def truncating(seed: int, rounds: int = ROUNDS, n: int = 600) -> Result:
    """Precision and recall as styles are pulled to their mean; the control pulls z instead."""
    made = generator(seed, rounds)
    inner, outer = (strip(made, n, seed, where) for where in (True, False))

    def measure(found: Mapping[str, Array]) -> dict[str, float]:
        precision, recall, at = found["precision"], found["recall"], PSI.index(0.55)
        values = rank(precision), rank(recall), precision[at] - precision[-1], recall[at] - recall[-1]
        return dict(zip(TRUNCATED, map(float, values), strict=True))

    return Result(measure(inner), measure(outer), inner)


def draw_truncating(results: Sequence[Result]) -> Figure:
    panels = []
    for quantity in ("precision", "recall"):
        lines = {f"seed {k}": (PSI, r.arrays[quantity]) for k, r in enumerate(results)}
        panels.append(Curves("", "psi", quantity, lines, limits=(0.0, 1.0)))
    return curves(panels)


STYLEGAN = "Karras, Laine and Aila 2019, arXiv 1812.04948"
CLAIMS = (
    Claim(
        name="styles-move-their-own-scale",
        statement="Styles of different layers separate what is coarse in a picture from what is fine.",
        lecture="B:540-546",
        paper=STYLEGAN,
        experiment=mixing,
        bounds={MIXED[0]: (-math.inf, 0.25), MIXED[1]: (-math.inf, 0.25), MIXED[2]: (0.1, math.inf)},
        control="the styles of the other layers.",
        budget="700 rounds of StyleGAN on 32 digits of 8 x 8 pixels",
        figure=draw_mixing,
        note="Squared changes of the band that 4 x 4 pixels show and of the rest, as the styles at 4 x 4 (coarse) or "
        "at 8 x 8 (fine) are those of another picture, with the same per-pixel noise. A generator of 8 x 8 has two "
        "sides only; neither leaves the other's band alone, nor favours its own.",
    ),
    Claim(
        name="truncation-trades-variation-for-quality",
        statement="Samples from a truncated latent space lose variation and gain quality.",
        lecture="B:569-570",
        paper=STYLEGAN + "; Kynkäänniemi et al. 2019, arXiv 1904.06991",
        experiment=truncating,
        bounds={
            TRUNCATED[0]: (-math.inf, -0.9),
            TRUNCATED[1]: (0.9, math.inf),
            TRUNCATED[2]: (0.02, math.inf),
            TRUNCATED[3]: (-math.inf, -0.1),
        },
        control="z pulled to 0, which the mapping network undoes by its norm.",
        budget="700 rounds of StyleGAN on 32 digits of 8 x 8 pixels",
        figure=draw_truncating,
        note="Quality is precision, variation recall, by the five nearest neighbours in ten principal "
        "components; six values of psi.",
    ),
)  # fmt: skip
