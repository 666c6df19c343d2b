"""Decoders alone: draws of a prior that they make pictures of, and paths between two codes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from simulacra.claims.ae_codes import told
from simulacra.claims.claim import Claim, Result
from simulacra.claims.codes_of_vaes import decoded, network, seen_as
from simulacra.claims.representations import LATENT, SEEN, digits
from simulacra.figures.images import image_grid
from simulacra.random import draws

Array = np.ndarray


def certainty(seed: int, x: Array) -> float:
    """The mean largest probability of a linear discriminant of the seed's digits."""
    held = digits(seed)
    reader = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.1).fit(held.x[:SEEN], held.label[:SEEN])
    return float(reader.predict_proba(x).max(1).mean())


BACK, REAL = "AUC, decoded prior and what comes back of digits", "AUC, decoded prior and digits"
SURE = "certainty of a classifier, decoded prior - digits"


@torch.no_grad()
def generating(seed: int, rounds: int = 1000) -> Result:
    """Draws of N(0, 1), decoded by a VAE, against held-back digits; in the control by an autoencoder."""
    held = digits(seed).x[SEEN:]
    found, shown = {}, {"digits": held[:10]}
    for name in ("VAE", "AE"):
        model: Any = network(name, seed, rounds).model.eval()
        with draws(seed):
            q = model.encode(seen_as(held))
            made, back = decoded(model, torch.randn(len(held), LATENT)), decoded(model, q.sample())
        found[name] = {
            BACK: told(back, made),
            REAL: told(held, made),
            SURE: certainty(seed, made) - certainty(seed, held),
        }
        shown[name] = made[:10]
    return Result(found["VAE"], found["AE"], shown)


def draw_generating(results: Sequence[Result]) -> Figure:
    areas = {
        name: np.mean([dict(r.values if name == "VAE" else r.control)[BACK] for r in results]) for name in ("VAE", "AE")
    }
    note = "AUC against what comes back of digits: " + ", ".join(f"{name} {a:.2f}" for name, a in areas.items())
    return _rows(results[0].arrays, note)


def _rows(shown: Any, note: str) -> Figure:
    rows = np.concatenate(list(shown.values())).reshape(-1, 1, 8, 8)
    return image_grid(rows, len(next(iter(shown.values()))), names=list(shown), note=note)


JUMP, CLOSE = "largest over mean step of a path, VAE / AE", "distance of pictures of close codes / of two digits"
HALF = "certainty of a classifier half-way, VAE - AE"


def steps(model: Any, start: torch.Tensor, stop: torch.Tensor, count: int = 16) -> tuple[Array, Array]:
    """Pictures [count + 1, N, 64] along straight lines between codes, and the lengths of their steps [count, N]."""
    path = np.stack([decoded(model, torch.lerp(start, stop, k / count)) for k in range(count + 1)])
    return path, np.linalg.norm(np.diff(path, axis=0), axis=2)


@torch.no_grad()
def walking(seed: int, rounds: int = 1000, pairs: int = 200) -> Result:
    """Paths between codes of held-back digits; controls: an autoencoder of another start, and codes not close by."""
    held = digits(seed).x[SEEN:]
    first, second = held[:pairs], held[pairs : 2 * pairs]
    jump, sure, shown, close = {}, {}, {}, {}
    for name, kind, start in (("VAE", "VAE", 0), ("AE", "AE", 0), ("AE again", "AE", 1)):
        model: Any = network(kind, seed, rounds, start).model.eval()
        a, b = (model.encode(seen_as(x)).mean for x in (first, second))
        path, length = steps(model, a, b)
        jump[name] = float((length.max(0) / length.mean(0)).mean())
        sure[name] = certainty(seed, path[8])
        shown[name] = path[::2, 0]
        with draws(seed):
            away = torch.randn_like(a)
        far = (a - b).norm(dim=1, keepdim=True)
        apart = np.linalg.norm(path[0] - path[-1], axis=1).mean()
        for share in (0.1, 1.0):
            near = decoded(model, a + share * far * away / away.norm(dim=1, keepdim=True))
            close[name, share] = float(np.linalg.norm(near - path[0], axis=1).mean() / apart)
    values = {JUMP: jump["VAE"] / jump["AE"], CLOSE: close["VAE", 0.1], HALF: sure["VAE"] - sure["AE"]}
    control = {JUMP: jump["AE again"] / jump["AE"], CLOSE: close["VAE", 1.0], HALF: sure["AE again"] - sure["AE"]}
    mixed = [(1 - k / 8) * first[0] + k / 8 * second[0] for k in range(9)]
    return Result(values, control, {"VAE": shown["VAE"], "AE": shown["AE"], "pixels": np.stack(mixed)})


def draw_walking(results: Sequence[Result]) -> Figure:
    return _rows(results[0].arrays, "between two held-back digits; below the mean of their pixels")


KINGMA = "Kingma and Welling 2014, arXiv 1312.6114"
CLAIMS = (
    Claim(
        name="a-decoder-is-a-generator",
        statement="The decoder of a trained VAE is a generator: sample from the prior.",
        lecture="A:144, D:202",
        paper=KINGMA,
        experiment=generating,
        bounds={BACK: (-math.inf, 0.7), REAL: (-math.inf, 0.7), SURE: (-0.05, math.inf)},
        control="the decoder of an autoencoder, at draws of the same prior.",
        budget="1,000 rounds of a VAE and an autoencoder of 8 codes on 64 digits of 8 x 8",
        figure=draw_generating,
        seeds=6,
        fast=True,
        note="AUC of boosted trees, a half where pictures cannot be told apart: against what the same decoder gives "
        "back of held-back digits, which asks whether the codes are right, and against the digits themselves, from "
        "which it also tells the blur. Pictures are means of p(x | z).",
    ),
    Claim(
        name="close-codes-decode-alike",
        statement="The codes of a VAE allow a walk: points close by decode to similar pictures.",
        lecture="A:175, C:168",
        paper=KINGMA,
        experiment=walking,
        bounds={JUMP: (-math.inf, 0.9), CLOSE: (-math.inf, 0.25), HALF: (0.02, math.inf)},
        control="another autoencoder, and for the second codes as far away as those of two digits.",
        budget="1,000 rounds of a VAE and two autoencoders of 8 codes on 64 digits of 8 x 8",
        figure=draw_walking,
        fast=True,
        note="Straight lines between the codes of 200 pairs of held-back digits in 16 steps. Close by is a tenth of "
        "the distance of the two codes, in any direction. Certainty is the mean largest probability of a linear "
        "discriminant of the classes. Steps of the VAE are less even: its wide codes keep a digit, and then turn.",
    ),
)
