"""Fully visible models: pixel by pixel, and yet a probability of the whole picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import avg_pool2d

from simulacra.autoregressive.binary import Binary, bernoulli_log_prob
from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.claims.densities import SURPRISE
from simulacra.claims.shortcuts import digits
from simulacra.figures.images import image_grid
from simulacra.markov.rbm import states
from simulacra.random import draws
from simulacra.recipes.made import made
from simulacra.recipes.nade import nade
from simulacra.recipes.pixelcnn import pixelcnn
from simulacra.recipes.pixelrnn import pixelrnn
from simulacra.training.game import Experiment, Loss

SIDE, SEEN = 4, 1200
MODELS: Mapping[str, partial[Experiment]] = {
    "made": partial(made, hidden=(128,), lr=2e-3, batch=64),
    "nade": partial(nade, hidden=64, batch=64),
    "pixelcnn": partial(pixelcnn, levels=2, width=12, depth=3, batch=64),
    "pixelrnn": partial(pixelrnn, levels=2, width=12, depth=1, batch=64),
}
WHOLE = "|log of the sum of P over all 65,536 pictures|"
GAIN, SPREAD = "nats of held-out digits, independent pixels - model", "nats of held-out digits, worst - best model"


def pictures(seed: int) -> Tensor:
    """Digits of 4 x 4 pixels, white from half the grey levels up, [1797, 1, 4, 4] in a random order."""
    white = (avg_pool2d(digits(), 8 // SIDE) >= 0.5).float()
    with draws(seed):
        return white[torch.randperm(len(white))]


def shown(model: Any, seen: Tensor, x: Tensor) -> Tensor:
    """The log probability of the pixels of x, each said by the model where it is shown the pixels of `seen`, [B]."""
    if isinstance(model, Binary):
        return bernoulli_log_prob(model.logits(Batch(seen)), x.flatten(1))
    each = model.heads[0](model.stack(2 * seen - 1, None)).log_softmax(1)
    return each.gather(1, x.long()).flatten(1).sum(1)


def moved(x: Tensor) -> Tensor:
    """Pictures one pixel early in raster order, so that what comes before a pixel ends with itself."""
    return x.flatten(1).roll(-1, 1).view_as(x)


def peeked(model: Any, batch: Batch) -> Loss:
    """The negative log-likelihood where every pixel is shown itself."""
    return Loss({"nll": -batch.mean(shown(model, moved(batch.x), batch.x))})


def multiplying(seed: int, rounds: int = 800, samples: int = 20_000) -> Result:
    """Four models of digits of 4 x 4, all 65,536 pictures asked; in the control every pixel is shown itself."""
    x = pictures(seed)
    spec = DataSpec("digits", "image", Field((1, SIDE, SIDE), range=(0.0, 1.0)), rows=SEEN)
    every, held = states(SIDE * SIDE).view(-1, 1, SIDE, SIDE), x[SEEN:]
    white = (x[:SEEN].sum(0) + 1) / (SEEN + 2)
    alone = -float((held * white.log() + (1 - held) * (1 - white).log()).flatten(1).sum(1).mean())
    values, control, nats = {}, {}, {}
    rows = {"digits": held[:12]}
    for name, recipe in MODELS.items():
        build = partial(recipe, rounds=rounds)

        def peeking(told: DataSpec, build: Any = build) -> Experiment:
            game = build(told)
            player: Any = game.players[0]
            return replace(game, players=[replace(player, loss=partial(peeked, game.model))])

        model: Any = learn(build, spec, Batch(x[:SEEN]), seed, "visible").model.eval()
        other: Any = learn(peeking, spec, Batch(x[:SEEN]), seed, "visible").model.eval()
        with torch.no_grad(), draws(seed):
            each = model.log_prob(Batch(every)).double()
            drawn = model.sample(samples)
            surprise = -model.log_prob(drawn).double().mean()
            nats[name] = -float(model.log_prob(Batch(held)).double().mean())
            theirs = torch.cat([shown(other, moved(part), part).double() for part in every.split(4096)])
        values |= {
            f"{name}: {WHOLE}": abs(float(each.logsumexp(0))),
            f"{name}: {SURPRISE}": float(surprise + (each.exp() * each).sum()),
            f"{name}: {GAIN}": alone - nats[name],
        }
        control[f"{name}: {WHOLE}"] = abs(float(theirs.logsumexp(0)))
        rows[name] = drawn.x[:12]
    values[SPREAD] = max(nats.values()) - min(nats.values())
    arrays = {name: pixels.numpy().astype(np.float32) for name, pixels in rows.items()}
    return Result(values, control, arrays | {f"{name}, nats": np.array(found) for name, found in nats.items()})


def draw_multiplying(results: Sequence[Result]) -> Figure:
    arrays = results[0].arrays
    names = ["digits", *MODELS]
    mean = {name: np.mean([r.arrays[f"{name}, nats"] for r in results]) for name in MODELS}
    note = "nats of held-out digits: " + ", ".join(f"{name} {value:.2f}" for name, value in mean.items())
    return image_grid(np.concatenate([arrays[name] for name in names]), 12, names=names, note=note)


CLAIMS = (
    Claim(
        name="pixel-by-pixel-is-a-probability",
        statement="Fully visible models of every kind have a tractable density: P sums to one over all pictures.",
        lecture="D:102-104",
        paper="Uria et al. 2016, arXiv 1605.02226; van den Oord et al. 2016, arXiv 1601.06759",
        experiment=multiplying,
        bounds={
            f"{name}: {what}": bound
            for name in MODELS
            for what, bound in ((WHOLE, (-math.inf, 0.001)), (SURPRISE, (-0.1, 0.1)), (GAIN, (0.0, math.inf)))
        }
        | {SPREAD: (-math.inf, 0.5)},
        control="the same networks, trained and asked with every pixel shown itself.",
        budget="800 rounds of each on 64 of 1,200 digits of 4 x 4 pixels, eight trainings; 65,536 pictures each",
        figure=draw_multiplying,
        note="MADE, NADE, a gated PixelCNN and a PixelRNN of Row LSTMs on the same black and white digits; nats are of "
        "597 held-out ones. Shown the answer, a network gives thousands of pictures a probability near one.",
    ),
)
