"""Codes of a VAE beside those of an autoencoder: drawn anew each time, and near a prior."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from simulacra.batch import Batch
from simulacra.claims.ae_codes import PICTURES
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.claims.representations import LATENT, SEEN, SUM, digits, grey
from simulacra.evaluation.classifiers import auc
from simulacra.evaluation.kernels import gaussian, mmd
from simulacra.figures.curves import Curves, curves
from simulacra.random import draws
from simulacra.recipes.ae import ae
from simulacra.recipes.beta_vae import beta_vae
from simulacra.recipes.vae import vae

Array = np.ndarray
RECIPES: dict[str, Any] = {"AE": ae, "VAE": partial(vae, sigma=SUM)}


@cache
@torch.enable_grad()
def network(kind: str, seed: int, rounds: int, start: int = 0) -> Any:
    """An autoencoder or a VAE of 8 codes, trained on the seed's digits."""
    build = partial(RECIPES[kind], latent=LATENT, lr=2e-3, rounds=rounds)
    return learn(build, PICTURES, Batch(grey(digits(seed).x[:SEEN])), seed, "codes of VAEs", str(start))


def seen_as(x: Array) -> Batch:
    """Rows of pixels as the networks see them, from -1 to 1."""
    return Batch(2 * grey(x) - 1)


def decoded(model: Any, z: Tensor) -> Array:
    """Pixels [N, 64] from 0 to 1 of codes: of a VAE the means of p(x | z)."""
    out = model.decode(z)
    mean: Tensor = out if isinstance(out, Tensor) else out.mean
    return ((mean + 1) / 2).clamp(0, 1).flatten(1).numpy()


STILL, MOVING = "AE: spread of one digit's codes / of all", "VAE: spread of one digit's codes / of all"
WIDTHS, VARIED = "VAE: mean |log of spread of codes / sigma(x)|", "VAE: spread of one digit's pictures / of all"


@torch.no_grad()
def repeating(seed: int, rounds: int = 1000, times: int = 1000, rows: int = 60) -> Result:
    """Codes of the same digits many times; controls: the other network, and sigma of another number of the code."""
    held, spread, varied, found = digits(seed), {}, {}, {}
    for name in RECIPES:
        model = network(name, seed, rounds).model.eval()
        with draws(seed):
            q = model.encode(seen_as(held.x[SEEN : SEEN + rows]))
            codes = q.sample((times,))
        every = model.encode(seen_as(held.x)).mean
        pictures = decoded(model, codes[:20].flatten(0, 1)).reshape(20, rows, -1)
        spread[name] = float((codes.var(0).mean() / every.var(0).mean()).sqrt())
        varied[name] = float(np.sqrt(pictures.var(0).sum(1).mean() / decoded(model, every).var(0).sum()))
        found[name] = codes, q.stddev
    codes, sigma = found["VAE"]
    off, other = (float((codes.std(0) / s).log().abs().mean()) for s in (sigma, sigma.roll(1, 1)))
    values = {STILL: spread["AE"], MOVING: spread["VAE"], WIDTHS: off, VARIED: varied["VAE"]}
    control = {STILL: spread["VAE"], MOVING: spread["AE"], WIDTHS: other, VARIED: varied["AE"]}
    clouds = {name: held[0][:300, :6, 0].numpy() for name, held in found.items()}
    return Result(values, control, {**clouds, "sigma": sigma[:6, 0].numpy(), "spread": codes.std(0).flatten().numpy(),
                                    "told": sigma.flatten().numpy()})  # fmt: skip


def draw_repeating(results: Sequence[Result]) -> Figure:
    held, panels = results[0].arrays, []
    for name in RECIPES:
        marks = {"codes": (np.tile(np.arange(6), 300), held[name].ravel())}
        panels.append(Curves(name, "digit", "first number of its code, 300 times", marks=marks))
    line = np.array([held["told"].min(), held["told"].max()])
    panels.append(Curves("VAE", "sigma(x)", "spread of 1,000 codes", {"equal": (line, line)},
                         {"numbers of codes": (held["told"], held["spread"])}, log="xy"))  # fmt: skip
    return curves(panels, columns=3, width=2.9)


BETAS = (0.0, 1.0, 4.0)
STARTS = {0.0: 1, 1.0: 3, 4.0: 1}
"""At each weight of the divergence, and as many again for the control."""
FALLS, FURTHER = "log2 of MMD$^2$, beta 1 / beta 0", "log2 of MMD$^2$, beta 4 / beta 1"
IMPOSED = "AUC, codes and prior, beta 1"


@torch.no_grad()
def imposing(seed: int, rounds: int = 600, latent: int = 4) -> Result:
    """Codes of digits, drawn, against N(0, 1) at each weight of the divergence; controls: other starts, beta 0.

    At beta 1 logarithms of the discrepancy are means over three starts, in the control over three others.
    """
    x = digits(seed).x
    with draws(seed):
        prior = torch.randn(len(x), latent)
    far, clouds = {}, {}
    for beta, start in [(b, k) for b in BETAS for k in range(STARTS[b] * (1 + (b < 4)))]:
        build = partial(beta_vae, beta=beta, latent=latent, sigma=SUM, lr=2e-3, rounds=rounds)
        with torch.enable_grad():
            game = learn(build, PICTURES, Batch(grey(x)), seed, "imposing", str(start))
        model: Any = game.model.eval()
        with draws(seed):
            codes = clouds[beta, start] = model.encode(seen_as(x)).sample()
        far[beta, start] = max(mmd(prior, codes, gaussian(latent**0.5), permutations=2).value, 1e-4)

    def level(beta: float, other: bool = False) -> float:
        many = STARTS[beta]
        return float(np.mean([math.log2(far[beta, k]) for k in range(other * many, (1 + other) * many)]))

    values = {
        FALLS: level(1.0) - level(0.0),
        FURTHER: level(4.0) - level(1.0),
        IMPOSED: auc(prior, clouds[1.0, 0], folds=2, splits=1).value,
    }
    control = {
        FALLS: level(0.0, other=True) - level(0.0),
        FURTHER: level(1.0, other=True) - level(1.0),
        IMPOSED: auc(prior, clouds[0.0, 0], folds=2, splits=1).value,
    }
    shown = {f"beta {b:g}": clouds[b, 0][:500, :2].numpy() for b in (0.0, 1.0)} | {"prior": prior[:500, :2].numpy()}
    return Result(values, control, {**shown, "MMD": np.exp2([level(b) for b in BETAS])})


def draw_imposing(results: Sequence[Result]) -> Figure:
    held = results[0].arrays
    panels = [
        Curves(
            name,
            "first number of a code",
            "second",
            marks={"prior": tuple(held["prior"].T), "codes": tuple(held[name].T)},
        )
        for name in ("beta 0", "beta 1")
    ]
    lines = {f"seed {k}": (BETAS, r.arrays["MMD"]) for k, r in enumerate(results)}
    panels.append(Curves("codes of all digits and N(0, 1)", "beta", "MMD$^2$", lines, lines, log="y"))
    return curves(panels, columns=3, width=2.9)


KINGMA = "Kingma and Welling 2014, arXiv 1312.6114"
CLAIMS = (
    Claim(
        name="an-autoencoder-has-one-code-for-an-event",
        statement="The code of an autoencoder is a deterministic function of the event; a VAE's is drawn.",
        lecture="C:71-73, D:167, C:186-199",
        paper=KINGMA,
        experiment=repeating,
        bounds={
            STILL: (-math.inf, 1e-6),
            MOVING: (0.01, math.inf),
            WIDTHS: (-math.inf, 0.05),
            VARIED: (0.01, math.inf),
        },
        control="the other network, and for the third sigma of another number of the code.",
        budget="1,000 rounds of an autoencoder and a VAE of 8 codes on 64 digits of 8 x 8",
        figure=draw_repeating,
        fast=True,
        note="Each of 60 held-back digits is encoded 1,000 times, and 20 of its codes are decoded. Spreads are "
        "standard deviations, over those of the means of all digits.",
    ),
    Claim(
        name="divergence-imposes-the-prior",
        statement="The divergence of a VAE imposes the prior on its codes.",
        lecture="A:143, C:302",
        paper=f"{KINGMA}; Higgins et al. 2017",
        experiment=imposing,
        bounds={FALLS: (-math.inf, -2.0), FURTHER: (-math.inf, -0.5), IMPOSED: (0.4, 0.6)},
        control="other starts at the same weight, and for the last the divergence left out.",
        budget="600 rounds of a VAE of 4 codes on 64 digits of 8 x 8, three weights of the divergence, nine games",
        figure=draw_imposing,
        seeds=6,
        note="Codes of 1,797 digits, a draw each, and as many draws of N(0, 1): squared maximum mean discrepancy of "
        "a Gaussian kernel 2 wide, at beta 1 of three starts, and the AUC of boosted trees, a half "
        "where they cannot be told apart. MMD below 1e-4 counts as that. At beta 1 the loss is the lecture's: the sum "
        "of squared errors and the divergence.",
    ),
)
