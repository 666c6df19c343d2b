"""A likelihood beside the samples: two mixtures that are good in one of them and bad in the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.claims.shortcuts import digits
from simulacra.evaluation.classifiers import auc
from simulacra.evaluation.coverage import coverage
from simulacra.figures.images import image_grid
from simulacra.random import draws
from simulacra.recipes.pixelcnn import pixelcnn

LEVELS, SEEN, SHARE = 17, 1200, 0.01
"""Grey levels of the digits, how many digits are trained on, and the smaller share of a mixture."""
NOISY, LEARNT = "1 % model, 99 % noise", "99 % training digits, 1 % noise"
LOST = f"{NOISY}: nats per digit, model's - its own"
KEPT = f"{NOISY}: share of the model's nats above noise"
BELOW = f"{LEARNT}: nats per digit above noise"
TOLD, INSIDE = "{}: AUC of trees, samples and held-out digits", "{}: share of samples among held-out digits"


def noise_log_prob(x: Tensor) -> Tensor:
    """log P of pictures [B, 1, 8, 8] of which every pixel has any level alike, [B]."""
    return torch.full((len(x),), -x[0].numel() * math.log(LEVELS), dtype=torch.float64)


def again_log_prob(x: Tensor, seen: Tensor) -> Tensor:
    """log P of pictures [B, 1, 8, 8] that are training pictures [N, 1, 8, 8], any of them alike, [B]."""
    same = (x.flatten(1)[:, None] == seen.flatten(1)[None]).all(2).sum(1).double()
    return (same / len(seen)).log()


def mixed(share: float, one: Tensor, other: Tensor) -> Tensor:
    """log P of a mixture with this share of the first, of both log probabilities."""
    return torch.logaddexp(one + math.log(share), other + math.log1p(-share))


def joined(share: float, one: Tensor, other: Tensor) -> Tensor:
    """As many samples of a mixture, of as many of both [N, ...]; each is of the first with probability `share`."""
    return torch.where(torch.rand(len(one), 1, 1, 1) < share, one, other)


def disagreeing(seed: int, rounds: int = 600) -> Result:
    """Log probabilities of held-out digits, and samples, of both mixtures; in the control of noise and of the model."""
    x = (digits() * (LEVELS - 1)).round()
    with draws(seed):
        x = x[torch.randperm(len(x))]
    seen, held = x[:SEEN], x[SEEN:]
    spec = DataSpec("digits", "image", Field((1, 8, 8), range=(0.0, 1.0)), rows=SEEN)
    build = partial(pixelcnn, levels=LEVELS, depth=4, batch=32, rounds=rounds)
    model: Any = learn(build, spec, Batch(seen / (LEVELS - 1)), seed, "plausibility").model.eval()
    n = len(held)
    with torch.no_grad(), draws(seed):
        made, noise = model.sample(n).x.float(), torch.randint(LEVELS, held.shape).float()
        again = seen[torch.randperm(SEEN)[:n]]
        samples = {
            "model": made,
            "noise": noise,
            NOISY: joined(SHARE, made, noise),
            LEARNT: joined(SHARE, noise, again),
        }
        good, flat = model.log_prob(Batch(held)).double(), noise_log_prob(held)
    nats = {
        "model": float(good.mean()),
        "noise": float(flat.mean()),
        NOISY: float(mixed(SHARE, good, flat).mean()),
        LEARNT: float(mixed(SHARE, flat, again_log_prob(held, seen)).mean()),
    }
    look: dict[str, dict[str, float]] = {name: looked(held, y) for name, y in samples.items()}

    def quantities(noisy: str, learnt: str) -> dict[str, float]:
        return {
            LOST: nats["model"] - nats[noisy],
            KEPT: (nats[noisy] - nats["noise"]) / (nats["model"] - nats["noise"]),
            BELOW: nats[learnt] - nats["noise"],
        }

    values, control = quantities(NOISY, LEARNT), quantities("noise", "model")
    for name, instead in ((NOISY, "model"), (LEARNT, "noise")):
        values |= {what.format(name): v for what, v in look[name].items()}
        control |= {what.format(name): v for what, v in look[instead].items()}
    arrays = {name: (y[:12] / (LEVELS - 1)).numpy() for name, y in {"held-out digits": held, **samples}.items()}
    return Result(values, control, arrays | {f"{name}, nats": np.array(v) for name, v in nats.items()})


def looked(held: Tensor, made: Tensor) -> dict[str, float]:
    """How well trees tell samples from held-out digits, and the share of samples where digits are (precision)."""
    a, b = (y.flatten(1).double().numpy() for y in (held, made))
    return {TOLD: auc(a, b, folds=2, splits=1).value, INSIDE: coverage(a, b, splits=2)["precision"].value}


def draw_disagreeing(results: Sequence[Result]) -> Figure:
    arrays = results[0].arrays
    names = ["held-out digits", "model", NOISY, LEARNT, "noise"]
    mean = {name: np.mean([r.arrays[f"{name}, nats"] for r in results]) for name in names[1:]}
    note = "nats of held-out digits: " + "; ".join(f"{name} {value:.1f}" for name, value in mean.items())
    return image_grid(np.concatenate([arrays[name] for name in names]), 12, names=names, note=note)


CLAIMS = (
    Claim(
        name="likelihood-and-samples-may-disagree",
        statement="A model that explains the data need not draw plausible points, nor one that draws them explain it.",
        lecture="C:88-89",
        paper="Theis, van den Oord and Bethge 2016, arXiv 1511.01844",
        experiment=disagreeing,
        bounds={
            LOST: (-math.inf, math.log(1 / SHARE) + 1e-6),
            KEPT: (0.9, math.inf),
            TOLD.format(NOISY): (0.98, math.inf),
            INSIDE.format(NOISY): (-math.inf, 0.05),
            BELOW: (-math.inf, 0.0),
            TOLD.format(LEARNT): (0.4, 0.6),
            INSIDE.format(LEARNT): (0.9, math.inf),
        },
        control="for what shall be good noise alone, for what shall be bad the model alone.",
        budget="600 rounds of a PixelCNN of 17 levels on 32 of 1,200 digits of 8 x 8; 597 samples of each",
        figure=draw_disagreeing,
        note="Probabilities are exact, those of all 17^64 pictures sum to one. One hundredth of a model loses at most "
        "log 100 = 4.6 nats, of about 95 by which it is above even noise; and to what shows training digits again "
        "held-out ones are as likely as its hundredth of noise makes them. Among held-out digits is what lies as near "
        "to one as its fifth neighbour.",
    ),
)  # fmt: skip
