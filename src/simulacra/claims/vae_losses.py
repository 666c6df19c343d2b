"""What the two terms of a variational autoencoder's loss do, and what they do as lectures print them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from simulacra.autoencoders import VAE
from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.claims.elbo import PIXELS, linear
from simulacra.claims.shortcuts import digits
from simulacra.distributions import kl
from simulacra.figures.curves import Curves, curves
from simulacra.recipes.beta_vae import beta_vae
from simulacra.recipes.vae import vae

PICTURES = DataSpec("digits", "image", Field((1, 8, 8), range=(0.0, 1.0)))
FORMS = {"half the sum": 1.0, "sum": 0.5, "mean over pixels": PIXELS / 2}
"""Variance of the Gaussian p(x | z) whose -log p, up to a constant, each form of the squared error is."""


def back(model: VAE, x: Tensor, z: Tensor) -> float:
    """The share of the variance of events x that comes back from codes z."""
    wrong = (model.decode(z).mean - x).square().sum()
    return 1 - float(wrong / (x - x.mean(0)).square().sum())


@torch.no_grad()
def weighing(seed: int, rounds: int = 600, latent: int = 10) -> Result:
    """A VAE of digits, and a linear one, with each form of the error; in the control pictures get others' codes."""
    x = digits()
    white = (2 * x - 1).flatten(1)
    levels = torch.linalg.eigvalsh(torch.cov(white.T.double())).clamp(min=1e-12)
    values, control, held = {}, {}, {}
    for form, variance in FORMS.items():
        with torch.enable_grad():
            game = learn(
                lambda data, s=variance: vae(data, latent=latent, sigma=s**0.5, rounds=rounds),
                PICTURES, Batch(x), seed, "weighing",
            )  # fmt: skip
            line = linear(white, latent, 3 * rounds, seed, variance**0.5)
        model: Any = game.model.eval()
        batch = game.codec.encode(Batch(x))
        q = model.encode(batch)
        values[f"{form}: share of the variance that comes back"] = back(model, batch.x, q.mean)
        control[f"{form}: share of the variance that comes back"] = back(model, batch.x, q.mean.roll(1, 0))
        found = kl(line.encode(Batch(white.double())), line.prior(), white).mean()
        known = 0.5 * (levels / variance).log().clamp(min=0).flip(0)[:latent].sum()
        held[form] = np.array([variance, float(kl(q, model.prior(), q.mean).mean()), float(found), float(known)])
    worst = max(abs(v[2] - v[3]) for v in held.values())
    values[CLOSED], control[CLOSED] = worst, abs(held["sum"][2] - held["half the sum"][3])
    scan = np.geomspace(0.3, 50, 60)
    exact = [float(0.5 * (levels / s).log().clamp(min=0).flip(0)[:latent].sum()) for s in scan]
    return Result(values, control, {**held, "scan": np.stack([scan, exact])})


CLOSED = "linear: KL less its closed form, nats"
BETAS = (1.0, 0.1, 0.01, 0.001, 0.0, -1.0)
"""Weights of KL(q | N(0, 1)) in the loss: lecture A prints minus the divergence, and adds it."""


@torch.no_grad()
def signing(seed: int, rounds: int = 600, latent: int = 4) -> Result:
    """VAEs of digits whose divergence is added, left out, and added with the sign with which it is printed."""
    x = digits()
    width, moment = np.zeros(len(BETAS)), np.zeros(len(BETAS))
    for k, beta in enumerate(BETAS):
        with torch.enable_grad():
            game = learn(
                lambda data, b=beta: beta_vae(data, beta=b, latent=latent, rounds=rounds),
                PICTURES, Batch(x), seed, "signing",
            )  # fmt: skip
        model: Any = game.model.eval()
        q = model.encode(game.codec.encode(Batch(x)))
        spread = (q.mean - q.mean.mean(0)).square().mean(0).sqrt()
        width[k] = float((q.variance.mean(0).sqrt() / spread).log().mean().exp())
        moment[k] = float((q.mean.square() + q.variance).mean())
    values = {WIDTH: width[0], POINTS: width[-2], MOMENT: moment[0]}
    control = {WIDTH: width[-2], POINTS: width[0], MOMENT: moment[-1]}
    return Result(values, control, {"width": width, "moment": moment})


WIDTH, POINTS, MOMENT = (
    "KL added: width of q over spread of its means",
    "KL left out: width of q over spread of its means",
    "KL added: mean square of a code",
)


def draw_weighing(results: Sequence[Result]) -> Figure:
    held = np.mean([[r.arrays[form] for form in FORMS] for r in results], 0)
    scan = results[0].arrays["scan"]
    panel = Curves(
        "what codes know of digits, by the form of the error", "variance of p(x | z)", "KL / nats",
        lines={"linear VAE, closed form": (scan[0], scan[1])},
        marks={"linear VAE, trained": (held[:, 0], held[:, 2]), "VAE": (held[:, 0], held[:, 1])}, log="x",
    )  # fmt: skip
    return curves([panel], width=5)


def draw_signing(results: Sequence[Result]) -> Figure:
    weights, panels = np.array(BETAS[:-2]), []
    for name, label in {"width": "width of q / spread of its means", "moment": "mean square of a code"}.items():
        mean = np.exp(np.mean([np.log(r.arrays[name]) for r in results], 0))
        lines = {"KL added": (weights, mean[:-2])}
        at = {"left out": float(mean[-2]), "as printed": float(mean[-1])}
        panels.append(Curves(name, "weight of KL", label, lines, marks=lines, at=at, log="xy"))
    return curves(panels)


CLAIMS = (
    Claim(
        name="error-of-a-vae-is-an-autoencoders",
        statement="The reconstruction loss of a VAE is that of an autoencoder, the mean squared error.",
        lecture="A:145-171, C:292",
        paper="Kingma and Welling 2014, arXiv 1312.6114; Lucas et al. 2019, arXiv 1911.02469",
        experiment=weighing,
        bounds={f"{form}: share of the variance that comes back": (0.25, math.inf) for form in FORMS}
        | {CLOSED: (-math.inf, 0.1)},
        control="pictures decoded from the codes of others; for the linear VAE the closed form of another error.",
        budget="600 rounds of a VAE and 1,800 of a linear one on digits of 8 x 8, three forms of the error",
        figure=draw_weighing,
        fast=True,
        note="A Gaussian of unit variance is half the squared error, summed over pixels. Without the half the variance "
        "is 1/2; as a mean over D pixels it is D/2, above every eigenvalue of the data, and all codes collapse to the "
        "prior. Pixels run from -1 to 1. A linear VAE uses a code for each eigenvalue above the variance.",
    ),
    Claim(
        name="divergence-keeps-a-vae-from-an-autoencoder",
        statement="Without its KL divergence a VAE collapses to an autoencoder, whose encoder gives a mean only.",
        lecture="C:298, A:145-171",
        paper="Kingma and Welling 2014, arXiv 1312.6114; corrected, for lecture A prints -KL and adds it",
        experiment=signing,
        bounds={WIDTH: (0.1, math.inf), POINTS: (-math.inf, 0.05), MOMENT: (0.5, 2.0)},
        control="the divergence left out, added, and with the sign with which lecture A prints it.",
        budget="600 rounds of a VAE of 4 codes on digits of 8 x 8 with each of six weights",
        figure=draw_signing,
        fast=True,
        note="The sum of q log(p / q), and (1 + log sigma^2 - mu^2 - sigma^2) / 2, are minus the divergence: added to "
        "the loss they pay for codes far from the prior, which run away.",
    ),
)  # fmt: skip
