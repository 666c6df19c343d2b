"""Codes that an InfoGAN finds, against factors that are read off its pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import spearmanr
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import normalized_mutual_info_score
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsRegressor
from torch import Tensor
from torch.nn import functional

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.domains.images.canonical import open_canonical
from simulacra.evaluation.latent import decode
from simulacra.figures.conditioning import found_codes
from simulacra.figures.images import image_grid
from simulacra.random import draws, reseed
from simulacra.recipes.infogan import infogan

Array = np.ndarray
EVENTS = 3000
SIDE = 8
"""Of pictures of bars, in pixels."""
LOUD = 12.0
"""The generator's weight of the information where codes are to find bars."""


def bars(n: int, side: int = SIDE) -> Tensor:
    """Bars through the middle, [n, 1, side, side]: angles of +-60 degrees, 2 to 5 pixels of 16 wide."""
    angle, half = math.radians(60) * (2 * torch.rand(n, 1, 1) - 1), (1 + 1.5 * torch.rand(n, 1, 1)) * side / 16
    place = torch.arange(side) - (side - 1) / 2
    row, column = torch.meshgrid(place, place, indexing="ij")
    across, along = column * angle.cos() + row * angle.sin(), row * angle.cos() - column * angle.sin()
    inside = (half - across.abs() + 0.5).clamp(0, 1) * (0.42 * side - along.abs() + 0.5).clamp(0, 1)
    return inside[:, None]


def small_digits(rows: slice) -> tuple[Tensor, Tensor]:
    """MNIST at 16 x 16, from 0 to 1: [N, 1, 14, 14] means of 2 x 2 pixels in a black frame; and which they are."""
    batch = open_canonical("mnist")[rows]
    return functional.pad(functional.avg_pool2d(batch.x, 2), (1, 1, 1, 1)), batch.given["label"]


def factors(x: Tensor) -> Mapping[str, Array]:
    """Of pictures [N, 1, S, S], by second moments of their ink: angle of the long axis, width across it, and slant."""
    ink = x[:, 0].double() + 1e-9
    ink = ink / ink.sum((1, 2), keepdim=True)
    place = torch.arange(x.shape[-1], dtype=torch.float64)
    rows, columns = place[:, None], place[None]
    down = rows - (ink * rows).sum((1, 2))[:, None, None]
    right = columns - (ink * columns).sum((1, 2))[:, None, None]
    a, b, c = ((ink * term).sum((1, 2)) for term in (down * down, right * right, down * right))
    short = (a + b) / 2 - (((a - b) / 2).square() + c.square()).sqrt()
    rotation, width, slant = torch.atan2(2 * c, a - b) / 2, short.clamp(min=0).sqrt(), c / a
    return {"rotation": rotation.numpy(), "width": width.numpy(), "slant": slant.numpy()}


def played(x: Tensor, seed: int, information: float, **options: Any) -> tuple[Tensor, dict[str, Array]]:
    """Pictures [EVENTS, 1, S, S] of an InfoGAN and the codes of which they were made."""
    spec = DataSpec("pictures", "image", Field(tuple(x.shape[1:]), range=(0.0, 1.0)), rows=len(x))
    game = learn(
        lambda data: infogan(data, information=information, ema=0.99, **options), spec, Batch(x), seed, "codes"
    )
    with draws(seed):
        noise = game.model.noise(EVENTS)  # type: ignore[operator]
        made = decode(game.model, game.codec, noise).x  # type: ignore[arg-type]
    return made, {name: code.numpy() for name, code in noise.items() if name != "z"}


def strongest(codes: Array, factor: Array) -> float:
    """The largest |rank correlation| of a code [N, K] with a factor [N]."""
    return max(abs(float(np.asarray(spearmanr(code, factor))[0])) for code in codes.T)


def explained(codes: Array, factor: Array) -> float:
    """The share of a factor's variance that its nearest neighbours in all codes [N, K] know."""
    return float(cross_val_score(KNeighborsRegressor(20), codes, factor, scoring="r2").mean())


def turning(seed: int, rounds: int = 3000) -> Result:
    """Two numbers against rotation and width of bars; the control's generator does not care for them."""
    reseed(seed, "claims", "bars")
    x = bars(10_000)
    found: dict[float, dict[str, float]] = {}
    arrays: dict[str, Array] = {}
    options: dict[str, Any] = {"categories": 1, "width": 32, "batch": 64, "rounds": rounds}
    for information in (LOUD, 0.0):
        made, held = played(x, seed, information, **options)
        codes, of = held["continuous"], {name: factors(made)[name] for name in ("rotation", "width")}
        found[information] = {f"{name}: |rank correlation| with a code": strongest(codes, f) for name, f in of.items()}
        found[information] |= {f"{name}: share that both codes know": explained(codes, f) for name, f in of.items()}
        arrays[f"codes, lambda {information:g}"] = codes[:1500]
        arrays |= {f"{name}, lambda {information:g}": f[:1500] for name, f in of.items()}
    return Result(found[LOUD], found[0.0], arrays)


def draw_turning(results: Sequence[Result]) -> Figure:
    return found_codes(results[0].arrays, ("rotation", "width"), (f"lambda {LOUD:g}", "lambda 0"))


def naming(seed: int, rounds: int = 1500) -> Result:
    """A category and two numbers against kind and slant of digits; the control's generator does not care for them."""
    x, label = small_digits(slice(0, 20_000))
    reader = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.1).fit(x.flatten(1).numpy(), label.numpy())
    found: dict[float, dict[str, float]] = {}
    arrays: dict[str, Array] = {}
    for information in (1.0, 0.0):
        made, held = played(x, seed, information, width=8, batch=64, rounds=rounds)
        digit, category = reader.predict(made.flatten(1).numpy()), held["category"].argmax(1)
        slant = factors(made)["slant"]
        within = [strongest(held["continuous"][category == k], slant[category == k]) for k in range(10)]
        found[information] = {
            "category and digit: mutual information": float(normalized_mutual_info_score(category, digit)),
            "slant: |rank correlation| with a code, in a category": float(np.mean(within)),
        }
        arrays[f"lambda {information:g}"] = np.stack([made[category == k][:8, 0].numpy() for k in range(10)], 1)
    return Result(found[1.0], found[0.0], arrays)


def draw_naming(results: Sequence[Result]) -> Figure:
    shown = results[0].arrays
    first, second = (shown[name].reshape(-1, 1, 16, 16) for name in ("lambda 1", "lambda 0"))
    return image_grid(first, 10, beside=second, note="a column is a category; left of each pair lambda 1, right 0")


INFOGAN, UNTOLD = "Chen et al. 2016, arXiv 1606.03657", "the same game at lambda 0: the generator ignores what is read."
CLAIMS = (
    Claim(
        name="codes-find-rotation-and-width",
        statement="The codes of an InfoGAN find rotation and width without labels.",
        lecture="A:589-599",
        paper=INFOGAN,
        experiment=turning,
        bounds={
            "rotation: |rank correlation| with a code": (0.8, math.inf),
            "width: |rank correlation| with a code": (0.8, math.inf),
            "rotation: share that both codes know": (0.5, math.inf),
            "width: share that both codes know": (0.5, math.inf),
        },
        control=UNTOLD,
        budget="3,000 rounds on 64 bars of 8 x 8, two games",
        figure=draw_turning,
        seeds=5,
        note="Bars whose factors are independent and can be read off their pixels. The information can be there "
        "without being one code's: both codes together may know a factor that neither knows alone. Lambda 12: of some "
        "twenty settings tried with two seeds, the one whose codes knew most; at 1 width was not found at all.",
    ),
    Claim(
        name="codes-find-digit-and-slant",
        statement="The category of an InfoGAN finds the digit, and one of its numbers the slant, without labels.",
        lecture="A:589-599",
        paper=INFOGAN,
        experiment=naming,
        bounds={
            "category and digit: mutual information": (0.5, math.inf),
            "slant: |rank correlation| with a code, in a category": (0.8, math.inf),
        },
        control=UNTOLD,
        budget="1,500 rounds on 64 digits of 16 x 16, two games",
        figure=draw_naming,
        seeds=5,
        note="The information is divided by the mean of both entropies; the digit is what a linear discriminant of "
        "real digits says, the slant is how far the ink's rows shift sideways for each row down.",
    ),
)  # fmt: skip
