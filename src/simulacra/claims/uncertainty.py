"""What the width of a VAE's posterior says about an event that is noisy, or of which half is missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from simulacra.autoencoders import VAE
from simulacra.batch import Batch
from simulacra.claims.claim import Claim, Result
from simulacra.claims.codes_of_vaes import network, seen_as
from simulacra.claims.elbo import linear
from simulacra.claims.representations import LATENT, SEEN, digits
from simulacra.figures.curves import Curves, curves
from simulacra.random import draws

Array = np.ndarray
NOISE = (0.0, 0.1, 0.2, 0.4, 0.7, 1.0)
"""Widths of the noise, where pixels go from -1 to 1."""
LINES = (0, 1, 2, 3, 4, 6, 8)
"""Lines of pixels that are missing, of 8, from below."""


def entropy(model: Any, x: Tensor) -> Tensor:
    """Of q(z | x) in nats, [N]."""
    return model.encode(Batch(x)).entropy()


def hidden(x: Tensor, lines: int, black: float = -1.0) -> Tensor:
    """Pictures [N, 1, 8, 8] whose last lines are black."""
    return torch.where(torch.arange(8)[:, None] >= 8 - lines, torch.tensor(black), x)


def exact(model: VAE, lines: int) -> float:
    """The entropy of a linear VAE's p(z | x) in nats where the last lines of x were not seen, whatever x."""
    weight: Tensor = model.decoder.net.layers[0].weight.detach()[: 64 - 8 * lines]  # type: ignore[union-attr, index]
    precision = torch.eye(weight.shape[1]).to(weight) + weight.T @ weight / model.likelihood.sigma.detach().square()
    return float(weight.shape[1] / 2 * math.log(2 * math.pi * math.e) - torch.logdet(precision) / 2)


NOISY = "entropy of q, noise of width 0.4 - clean, nats"
MISSING = "entropy of q, half missing - whole, nats"
TRUE = "entropy of p(z | x), half missing - whole, linear VAE, nats"


@torch.no_grad()
def widening(seed: int, rounds: int = 1000) -> Result:
    """Entropies of a VAE's posteriors of held-back digits; in the control of two halves of them, clean and whole."""
    model: Any = network("VAE", seed, rounds).model.eval()
    x = seen_as(digits(seed).x[SEEN:]).x
    clean = entropy(model, x)
    with draws(seed):
        noisy = [float((entropy(model, x + s * torch.randn_like(x)) - clean).mean()) for s in NOISE]
    missing = [float((entropy(model, hidden(x, k)) - clean).mean()) for k in LINES]
    with torch.enable_grad():
        line = linear(seen_as(digits(seed).x[:SEEN]).x.flatten(1), LATENT, rounds, seed)
    known = [exact(line, k) - exact(line, 0) for k in LINES]
    half = len(x) // 2
    same = float(clean[:half].mean() - clean[half:].mean())
    values = {NOISY: noisy[NOISE.index(0.4)], MISSING: missing[LINES.index(4)], TRUE: known[LINES.index(4)]}
    control = {NOISY: same, MISSING: same, TRUE: known[0]}
    return Result(values, control, {"noisy": np.array(noisy), "missing": np.array(missing), "known": np.array(known)})


def draw_widening(results: Sequence[Result]) -> Figure:
    def mean(name: str) -> Array:
        return np.mean([r.arrays[name] for r in results], 0)

    label = "entropy - that of clean digits / nats"
    noise = {"q(z | x)": (NOISE, mean("noisy"))}
    lines = {"q(z | x)": (LINES, mean("missing")), "p(z | x), linear VAE": (LINES, mean("known"))}
    return curves(
        [
            Curves("noise", "width of the noise", label, noise, noise, at={"clean": 0.0}),
            Curves("missing lines", "lines of 8 that are black", label, lines, lines, at={"clean": 0.0}),
        ]
    )


CLAIMS = (
    Claim(
        name="posteriors-widen-where-events-are-unclear",
        statement="The draws of a VAE's code model the uncertainty in the input.",
        lecture="D:170",
        paper="Kingma and Welling 2014, arXiv 1312.6114; Cremer et al. 2018, arXiv 1801.03558",
        experiment=widening,
        bounds=dict.fromkeys((NOISY, MISSING, TRUE), (0.5, math.inf)),
        control="two halves of the clean digits, and for the last the same pixels.",
        budget="1,000 rounds of a VAE and a linear one of 8 codes on digits of 8 x 8",
        figure=draw_widening,
        fast=True,
        note="Missing pixels are black, as those of the ground are. The posterior p(z | x) of the linear model, given "
        "the pixels that are left, is known, and wider; q(z | x) was never asked about such digits, and has "
        "no word for a pixel that was not seen.",
    ),
)
