"""Deep autoencoders with and without shortcuts, and shortcuts that keep the bottleneck or go past it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

from simulacra.autoencoders.shortcuts import DeepAutoencoder
from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.figures.curves import Curves, curves
from simulacra.recipes.shortcut_ae import shortcut_ae

DEPTHS = (1, 2, 4, 8)
"""Blocks in each half; a block has two layers."""
KINDS: Mapping[str, Mapping[str, Any]] = {
    "without shortcuts": {"shortcuts": False},
    "with shortcuts": {},
    "across": {"across": True},
}
"""Blocks without and with shortcuts; and with shortcuts that also go across the code."""
RATES = {kind: (1e-3, 3e-4) if kind == "without shortcuts" else (1e-3,) for kind in KINDS}
"""Learning rates of which the best is taken: without shortcuts deep networks want a lower one."""


class Errors(NamedTuple):
    """Mean squared errors per pixel on the training pictures, in units of their variance.

    Attributes:
        error: of what comes back.
        alone: of what the code alone is decoded to.
    """

    error: float
    alone: float


def digits() -> torch.Tensor:
    """The 1,797 digits of scikit-learn, [N, 1, 8, 8] from 0 to 1."""
    x, _ = load_digits(return_X_y=True)
    return torch.from_numpy(np.asarray(x, dtype=np.float32)).view(-1, 1, 8, 8) / 16


def errors(kind: str, depth: int, seed: int, rounds: int) -> Errors:
    """What is left after `rounds` steps; all kinds start from the same weights and see the same batches."""
    x = digits()
    spec = DataSpec("digits", "image", Field((1, 8, 8), range=(0.0, 1.0)), rows=len(x))
    found = []
    for rate in RATES[kind]:
        options = {"depth": depth, "latent": 8, "rounds": rounds, "lr": rate, **KINDS[kind]}
        game = learn(lambda data, o=options: shortcut_ae(data, **o), spec, Batch(x), seed, "shortcuts", str(depth))
        model, batch = game.model, game.codec.encode(Batch(x))
        assert isinstance(model, DeepAutoencoder)
        spread = (batch.x - batch.x.mean(0)).square().mean()
        with torch.no_grad():
            alone = model.decode(model.encode(batch).mean)
            back = model.reconstruct(batch).x
        found.append(Errors(*(float((made - batch.x).square().mean() / spread) for made in (back, alone))))
    return min(found)


DEEP, CURE, CODE = (
    "16 layers over 2: error without shortcuts",
    "16 layers: error with shortcuts over without",
    "16 layers: error from the code alone over error",
)


def deepening(seed: int, rounds: int = 400, depths: Sequence[int] = DEPTHS) -> Result:
    """Errors at each depth. Controls: shortcuts for the first ratio, 2 layers for the second, across for the third."""
    found = {kind: [errors(kind, depth, seed, rounds) for depth in depths] for kind in KINDS}
    plain, short, across = (found[kind] for kind in KINDS)
    values = {
        DEEP: plain[-1].error / plain[0].error,
        CURE: short[-1].error / plain[-1].error,
        CODE: short[-1].alone / short[-1].error,
    }
    control = {
        DEEP: short[-1].error / short[0].error,
        CURE: short[0].error / plain[0].error,
        CODE: across[-1].alone / across[-1].error,
    }
    arrays = {kind: np.array([e.error for e in held]) for kind, held in found.items()}
    arrays |= {f"{kind}, code alone": np.array([e.alone for e in held]) for kind, held in found.items()}
    return Result(values, control, arrays | {"layers": 2 * np.array(depths)})


def draw_deepening(results: Sequence[Result]) -> Figure:
    layers = results[0].arrays["layers"]

    def lines(names: Mapping[str, str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        return {label: (layers, np.mean([r.arrays[name] for r in results], 0)) for name, label in names.items()}

    kept = {"without shortcuts": "without shortcuts", "with shortcuts": "with shortcuts", "across": "across the code"}
    alone = {"with shortcuts, code alone": "with shortcuts", "across, code alone": "across the code"}
    axes: dict[str, Any] = {"x": "layers in each half", "log": "xy"}
    return curves(
        [
            Curves("what comes back", y="error / variance", lines=lines(kept), **axes),
            Curves("from the code alone", y="error / variance", lines=lines(alone), **axes),
        ]
    )


CLAIMS = (
    Claim(
        name="shortcuts-cure-deep-autoencoders",
        statement="Deep autoencoders often underfit, and shortcuts cure it.",
        lecture="A:110",
        paper="He et al. 2016, arXiv 1512.03385; Ronneberger et al. 2015, arXiv 1505.04597",
        experiment=deepening,
        bounds={DEEP: (1.1, math.inf), CURE: (-math.inf, 0.5), CODE: (-math.inf, 1.01)},
        control="the first ratio with shortcuts, the second at 2 layers, the third with shortcuts across the code.",
        budget="400 rounds on 64 digits of 8 x 8, 2 to 16 layers in each half, three kinds of shortcuts",
        figure=draw_deepening,
        note="Errors on the training digits after equal steps, 8 numbers in a code, layer norm everywhere; without "
        "shortcuts the better of two rates, since at that of the others 16 layers learn nothing. "
        "Shortcuts lie inside the encoder and inside the decoder, so that all of a picture goes through the code; "
        "those from encoder to decoder, as in a U-Net, let it go past the code, which is no autoencoder any more.",
    ),
)  # fmt: skip
