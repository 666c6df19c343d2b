"""How many numbers a VAE's code wants, and how its digits look beside those of a GAN."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from simulacra.batch import Batch
from simulacra.claims.ae_codes import PICTURES, small_digits
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.evaluation.coverage import coverage
from simulacra.evaluation.quality import sharpness
from simulacra.figures.curves import Curves, curves
from simulacra.figures.images import image_grid
from simulacra.random import draws, reseed
from simulacra.recipes.dcgan import dcgan
from simulacra.recipes.vae import vae

Array = np.ndarray
SIZES = (2, 5, 10, 20)
ACTIVE = 0.01
"""Variance of a number's posterior means over digits above which it is in use."""
WIDTH = 0.15
"""Of the control's noise, in grey levels from 0 to 1; twice that in encoded units."""


def trained(seen: Batch, held: Batch, seed: int, **options: Any) -> tuple[float, int]:
    """The bound on held-back digits, mean in nats, and how many numbers of the code are in use."""
    game = learn(partial(vae, **options), PICTURES, Batch(seen.x), seed, "sizes")
    model: Any = game.model.eval()
    with draws(seed), torch.no_grad():
        batch = game.codec.encode(Batch(held.x))
        bound = float((model.log_prob_bound(batch) + game.codec.log_det(batch)).mean())
        return bound, int((model.encode(batch).mean.var(0) > ACTIVE).sum())


STEPS = {f"ELBO, {b} - {a} numbers, nats": (a, b) for a, b in pairwise(SIZES)}
USED = "numbers in use, of 20"


def widening(seed: int, rounds: int = 600, rows: int = 8000) -> Result:
    """Codes of 2 to 20 numbers, on digits and, in the control, on noise."""
    reseed(seed, "widening")
    pool = small_digits(10_000)
    pool = pool[torch.randperm(len(pool))]
    found = {k: trained(pool[:rows], pool[rows:], seed, latent=k, rounds=rounds) for k in SIZES}
    grey = pool.with_x((0.5 + WIDTH * torch.randn_like(pool.x)).clamp(0, 1))
    options = {"sigma": 2 * WIDTH, "rounds": rounds}
    alone = {k: trained(grey[:rows], grey[rows:], seed, latent=k, **options) for k in SIZES[:2]}
    values = {name: found[b][0] - found[a][0] for name, (a, b) in STEPS.items()}
    first = next(iter(STEPS))
    control = {first: alone[SIZES[1]][0] - alone[SIZES[0]][0], USED: float(alone[SIZES[1]][1])}
    arrays = {"ELBO": np.array([v[0] for v in found.values()]), "used": np.array([v[1] for v in found.values()])}
    return Result({**values, USED: float(found[SIZES[-1]][1])}, control, arrays)


BLUR, SHARP = "sharpness / real, VAE's means", "sharpness / real, GAN"
NOISY = "variance outside 32 components / real, VAE's draws"
RECALL = "recall, VAE's means - GAN"


@torch.no_grad()
def looking(seed: int, rounds: int = 2000, turns: int = 1000, n: int = 1500) -> Result:
    """A VAE and a GAN of equal time. Controls: real digits, for the GAN's sharpness the VAE's, for recall one GAN."""
    pool = small_digits(10_000)
    seen, held = Batch(pool.x[: -2 * n]), pool.x[-2 * n :]
    with torch.enable_grad():
        first = learn(partial(vae, rounds=rounds), PICTURES, seen, seed, "looking")
        second = learn(
            partial(dcgan, base=16, latent=16, lr=5e-4, rounds=turns, ema=0.99), PICTURES, seen, seed, "looking"
        )
    model: Any = first.model.eval()
    other: Any = second.model.eval()
    with draws(seed):
        mean = model.sample(n)
        likelihood = model.likelihood
        grain = mean.with_x(likelihood.push(mean.x, likelihood.noise(mean.x)))
        game = other.sample(2 * n)
    made = {"VAE's means": first.codec.decode(mean).x, "VAE's draws": first.codec.decode(grain).x}
    made |= {
        "GAN": second.codec.decode(game).x[:n],
        "GAN again": second.codec.decode(game).x[n:],
        "real": held[:n],
        "real again": held[n:],
    }
    sharp = {name: sharpness(held[n:], x).value / sharpness(held[n:], x).floor for name, x in made.items()}
    plane = PCA(32, random_state=0).fit(seen.x.flatten(1).numpy())
    rows = {name: x.flatten(1).numpy() for name, x in made.items()}
    outside = {
        name: float(np.square(x - plane.inverse_transform(plane.transform(x))).mean()) for name, x in rows.items()
    }
    flat = PCA(16, random_state=0).fit(held.flatten(1).numpy())
    seen_as = {name: flat.transform(x) for name, x in rows.items()}
    real = flat.transform(held[n:].flatten(1).numpy())
    recall = {name: coverage(real, x, splits=2)["recall"].value for name, x in seen_as.items()}
    values = {
        BLUR: sharp["VAE's means"],
        NOISY: outside["VAE's draws"] / outside["real again"],
        SHARP: sharp["GAN"],
        RECALL: recall["VAE's means"] - recall["GAN"],
    }
    control = {
        BLUR: sharp["real"],
        NOISY: outside["real"] / outside["real again"],
        SHARP: sharp["VAE's means"],
        RECALL: recall["GAN again"] - recall["GAN"],
    }
    arrays = {name: made[name][:10].numpy() for name in ("real", "VAE's means", "VAE's draws", "GAN")}
    return Result(values, control, arrays)


def draw_widening(results: Sequence[Result]) -> Figure:
    panels = []
    for name, label in {"ELBO": "ELBO of held-back digits / nats", "used": "numbers in use"}.items():
        lines = {f"seed {k}": (SIZES, r.arrays[name]) for k, r in enumerate(results)}
        panels.append(Curves("", "numbers in a code", label, lines, marks=lines))
    return curves(panels)


def draw_looking(results: Sequence[Result]) -> Figure:
    shown = results[0].arrays
    return image_grid(np.concatenate(list(shown.values())), 10, names=list(shown))


CLAIMS = (
    Claim(
        name="larger-codes-improve-a-vae",
        statement="The quality of a VAE improves with the size of its code, from 2 to 20 numbers.",
        lecture="A:181-190",
        paper="Kingma and Welling 2014, arXiv 1312.6114; Burda et al. 2016, arXiv 1509.00519",
        experiment=widening,
        bounds=dict.fromkeys(STEPS, (1.0, math.inf)) | {USED: (15.0, math.inf)},
        control="pictures of Gaussian noise, of known width, of which a code has nothing to know: 5 numbers against 2.",
        budget="600 rounds on 64 MNIST digits of 8 x 8, four sizes and two in the control",
        figure=draw_widening,
        note="The bound is that of grey levels blurred within their bins, on held-back digits. A number of the code is "
        "in use where the variance of its posterior means exceeds 0.01: of 20 all are, though the "
        "last gain least.",
    ),
    Claim(
        name="vaes-blur-and-gans-drop-modes",
        statement="Samples of VAEs look noisy, or blurred beside those of GANs, which are sharp but miss modes.",
        lecture="A:199, A:620, D:225",
        paper="Kingma and Welling 2014, arXiv 1312.6114; Kynkäänniemi et al. 2019, arXiv 1904.06991",
        experiment=looking,
        bounds={
            BLUR: (-math.inf, 0.8),
            NOISY: (1.5, math.inf),
            SHARP: (0.8, 1.25),
            RECALL: (0.02, math.inf),
        },
        control="real digits; for the GAN's sharpness the VAE's means, and for recall more samples of the same GAN.",
        budget="2,000 rounds of a VAE and 1,000 of a DCGAN, of equal time, on 64 MNIST digits of 8 x 8",
        figure=draw_looking,
        seeds=6,
        note="The means of p(x | z), which are usually shown, and draws of it, which are the samples of the model. "
        "Sharpness is the variance of the Laplacian, noise what lies outside the 32 principal components of digits, "
        "recall that of 16.",
    ),
)  # fmt: skip
