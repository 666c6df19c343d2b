"""Autoencoders by what is asked of them: a critic's similarity, a prior of all codes, a codebook, a class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.ae_codes import PICTURES, small_digits
from simulacra.claims.ae_codes import told as told_apart
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn, told
from simulacra.evaluation.quality import sharpness
from simulacra.figures.images import image_grid
from simulacra.random import draws
from simulacra.recipes.ae import ae
from simulacra.recipes.cvae import cvae
from simulacra.recipes.vae import vae
from simulacra.recipes.vae_gan import vae_gan
from simulacra.recipes.vq_vae import vq_vae
from simulacra.recipes.wae import wae
from simulacra.training.game import Experiment

Array = np.ndarray
HELD = 1000
"""Digits held back."""


def parts(rows: int) -> tuple[Batch, Batch]:
    """Digits of 8 x 8 to learn from, and those held back."""
    data = small_digits(rows + HELD)
    return data[:rows], data[rows:]


def flat(x: Tensor) -> Array:
    pixels: Array = x.flatten(1).clamp(0, 1).numpy()
    return pixels


def rows_of(results: Sequence[Result], note: str = "") -> Figure:
    shown = {name: x for name, x in results[0].arrays.items() if np.ndim(x) == 4}
    return image_grid(np.concatenate(list(shown.values())), 10, names=list(shown), note=note)


LIKE_REAL, SHARPER = "sharpness / real, vae_gan", "sharpness, vae_gan / vae"


def sharpening(seed: int, rounds: int = 1500, rows: int = 10_000) -> Result:
    """Samples of a VAE whose decoder is judged by a critic, and of a plain one, which with another is the control."""
    seen, held = parts(rows)
    builds: Mapping[str, Any] = {"vae_gan": partial(vae_gan, latent=16, lr=3e-4), "vae": vae, "vae again": vae}
    sharp, arrays = {}, {"digits": held.x[:10].numpy()}
    for name, build in builds.items():
        game = learn(partial(build, rounds=rounds), PICTURES, Batch(seen.x), seed, "kinds of codes", name)
        model: Any = game.model
        with draws(seed):
            x = game.codec.decode(model.sample(HELD)).x
        found = sharpness(held.x, x)
        sharp[name], arrays[name] = found.value / found.floor, x[:10].clamp(0, 1).numpy()
    values = {LIKE_REAL: sharp["vae_gan"], SHARPER: sharp["vae_gan"] / sharp["vae"]}
    return Result(values, {LIKE_REAL: sharp["vae"], SHARPER: sharp["vae again"] / sharp["vae"]}, arrays)


PRIOR = "{}: AUC, decoded prior and what comes back of digits"
KEPT = "vq_vae: share of the pixels' variance that comes back"


@torch.no_grad()
def imposing(seed: int, rounds: int = 1500, rows: int = 10_000) -> Result:
    """Samples by N(0, 1) and by a learnt prior of indices; controls: codes of no prior, and indices drawn evenly."""
    seen, held = parts(rows)
    builds: Mapping[str, partial[Experiment]] = {
        "wae": partial(wae, latent=8),
        "ae": partial(ae, latent=8),
        "vq_vae": partial(vq_vae, codes=32, size=8, width=16, prior_width=64),
    }
    auc, kept, arrays = {}, 0.0, {"digits": held.x[:10].numpy()}
    for name, build in builds.items():
        with torch.enable_grad():
            game = learn(partial(build.func, **build.keywords, rounds=rounds), PICTURES, Batch(seen.x), seed, name)
        model: Any = game.model.eval()  # type: ignore[union-attr]
        code = game.codec.encode(Batch(held.x))
        back = flat(game.codec.decode(model.reconstruct(code)).x)
        with draws(seed):
            made = {name: model.sample(HELD) if name != "ae" else Batch(model.decode(torch.randn(HELD, 8)))}
            if name == "vq_vae":
                even = torch.randint(len(model.book.vectors), (HELD, model.prior.length))
                made["vq_vae, even"] = Batch(model.decode(model.book(even)))
                kept = 1 - float(((back - flat(held.x)) ** 2).mean() / flat(held.x).var(0).mean())
        for title, batch in made.items():
            x = game.codec.decode(batch).x
            auc[title], arrays[title] = told_apart(back, flat(x)), x[:10].clamp(0, 1).numpy()
    values = {PRIOR.format("wae"): auc["wae"], PRIOR.format("vq_vae"): auc["vq_vae"], KEPT: kept}
    return Result(values, {PRIOR.format("wae"): auc["ae"], PRIOR.format("vq_vae"): auc["vq_vae, even"]}, arrays)


ASKED, LEFT = "share of samples of the class asked for", "share of classes read off codes, cvae - vae"


@torch.no_grad()
def telling(seed: int, rounds: int = 1500, rows: int = 10_000) -> Result:
    """A VAE that is told the class of a digit, its samples and its codes; in the control labels are shuffled."""
    seen, held = parts(rows)
    spec = DataSpec(PICTURES.name, "image", PICTURES.x, {"label": Field((), "class", 10)})
    reader = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.1).fit(flat(seen.x), seen.given["label"])
    asked = torch.arange(10).repeat_interleave(100)
    shuffled = {"label": seen.given["label"].roll(1)}
    plain = partial(cvae, learned_prior=False)
    games = {"cvae": (plain, seen), "shuffled": (plain, Batch(seen.x, shuffled)), "vae": (vae, Batch(seen.x))}
    found, arrays = {}, {"digits": held.x[:10].numpy()}
    for name, (recipe, batch) in games.items():
        build: Any = partial(recipe, latent=8, rounds=rounds)
        with torch.enable_grad():
            game = learn(build, spec if batch.given else PICTURES, batch, seed, "telling")
        model: Any = game.model.eval()  # type: ignore[union-attr]
        labels = held.given["label"]
        other = Batch(held.x, {"label": labels.roll(1)} if name == "shuffled" else held.given)
        code = model.encode(game.codec.encode(other if batch.given else Batch(held.x))).mean.numpy()
        half = len(code) // 2
        read = LinearDiscriminantAnalysis().fit(code[:half], labels[:half]).score(code[half:], labels[half:])
        found[name] = {LEFT: float(read)}
        if batch.given:
            x = told(game, asked, seed)
            found[name][ASKED] = float(np.mean(reader.predict(flat(x)) == asked.numpy()))
            arrays[name] = x[::100].clamp(0, 1).numpy()
    for name in ("cvae", "shuffled"):
        found[name][LEFT] -= found["vae"][LEFT]
    return Result(found["cvae"], found["shuffled"], arrays)


CLAIMS = (
    Claim(
        name="a-learnt-similarity-sharpens-a-vae",
        statement="The squared error is inflexible: a VAE judged by a critic makes pictures as sharp as real ones.",
        lecture="A:202-203",
        paper="Larsen et al. 2016, arXiv 1512.09300",
        experiment=sharpening,
        bounds={LIKE_REAL: (0.8, 1.25), SHARPER: (1.2, math.inf)},
        control="a VAE, and for the second another one.",
        budget="1,500 rounds on 64 MNIST digits of 8 x 8, three games",
        figure=rows_of,
        note="Sharpness is the variance of the Laplacian; pictures are means of p(x | z), as usually shown.",
    ),
    Claim(
        name="a-prior-may-be-imposed-on-all-codes-or-learnt",
        statement="Any prior will do for codes: one that all of them together follow, or one learnt afterwards.",
        lecture="A:200, D:141-143",
        paper="Tolstikhin et al. 2018, arXiv 1711.01558; van den Oord et al. 2017, arXiv 1711.00937",
        experiment=imposing,
        bounds={
            PRIOR.format("wae"): (-math.inf, 0.7),
            PRIOR.format("vq_vae"): (-math.inf, 0.7),
            KEPT: (0.7, math.inf),
        },
        control="an autoencoder at draws of N(0, 1), and a codebook whose vectors are drawn evenly.",
        budget="1,500 rounds on 64 MNIST digits of 8 x 8, three games",
        figure=rows_of,
        note="AUC of boosted trees, a half where pictures of the prior cannot be told from what comes back of held-out "
        "digits. The VQ-VAE has four places and 32 vectors, 20 bits for a digit.",
    ),
    Claim(
        name="a-told-decoder-makes-the-class",
        statement="A VAE that is told the class learns the density given it, and codes what the class leaves open.",
        lecture="C:174-177, A:560",
        paper="Sohn, Lee and Yan 2015",
        experiment=telling,
        bounds={ASKED: (0.8, math.inf), LEFT: (-math.inf, -0.2)},
        control="the same networks after shuffled labels.",
        budget="1,500 rounds on 64 MNIST digits of 8 x 8, three games",
        figure=rows_of,
        note="Classes of samples and of codes are read by linear discriminants, which are right on 0.9 of digits. "
        "The prior of a code is N(0, 1) whatever the class, so that a code need not tell it.",
    ),
)
