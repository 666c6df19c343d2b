"""Numbers in words translated into digits: by attention, and by a recurrence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from simulacra.batch import Batch
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.domains.text import open_numbers, spelled
from simulacra.figures.curves import Curves, curves
from simulacra.random import draws
from simulacra.recipes.char_rnn import char_rnn
from simulacra.recipes.transformer import transformer

Array = np.ndarray
ALL, HELD = 10_000, 1000
"""Numbers, and those of them that are held back."""
SHARE = "{}: share of held-out numbers translated"
NAMES = ("transformer", "char_rnn")


@torch.no_grad()
def translated(model: Any, batch: Batch) -> Tensor:
    """Whether every character of the answer is right, [B], each said where the sum of probabilities passes one half."""
    made = model.push({"u": torch.full_like(batch.x, 0.5)}, batch.given).x
    return (made == batch.x).all(1)


def translating(seed: int, rounds: int = 1500) -> Result:
    """A transformer and a recurrent network on equal rounds; the controls are told the words of another number."""
    data = open_numbers(rows=ALL)
    with draws(seed):
        order = torch.randperm(ALL)
    held, seen = data[order[:HELD]], data[order[HELD:]]
    words = np.array([len(spelled(int(n)).replace("-", " ").split()) for n in order[:HELD]])
    share, arrays = {}, {"words": np.arange(1, words.max() + 1)}
    other = Batch(held.x, {"source": held.given["source"].roll(1, 0)})
    for name, recipe in {"transformer": transformer, "char_rnn": char_rnn}.items():
        build: Any = partial(recipe, rounds=rounds)
        model = learn(build, data.spec, seen, seed, "translating").model
        for title, pairs in {name: held, f"{name}, other words": other}.items():
            right = translated(model, pairs).numpy()
            share[title] = float(right.mean())
            of_words = [right[words == k] for k in arrays["words"]]
            arrays[title] = np.array([each.mean() if len(each) else math.nan for each in of_words])

    found = {SHARE.format(name): share[name] for name in NAMES}
    control = {SHARE.format(name): share[f"{name}, other words"] for name in NAMES}
    return Result(found, control, arrays)


def draw_translating(results: Sequence[Result]) -> Figure:
    arrays = [r.arrays for r in results]
    names = [*NAMES, "transformer, other words"]
    words = max((a["words"] for a in arrays), key=len)

    def mean(name: str) -> Array:
        rows = np.full((len(arrays), len(words)), math.nan)
        for row, held in zip(rows, arrays, strict=True):
            row[: len(held[name])] = held[name]
        known = np.isfinite(rows)
        return np.where(known, rows, 0).sum(0) / np.maximum(known.sum(0), 1)

    lines = {name: (words, mean(name)) for name in names}
    return curves(
        [Curves("held-out numbers", "words", "share translated", lines, marks=lines, limits=(-0.03, 1.03))],
        width=4.5,
    )


CLAIMS = (
    Claim(
        name="models-of-text-translate",
        statement="Models that generate text are useful for language translation.",
        lecture="D:114",
        paper="Sutskever et al. 2014, arXiv 1409.3215; Vaswani et al. 2017, arXiv 1706.03762",
        experiment=translating,
        bounds={SHARE.format(name): (0.9, math.inf) for name in NAMES},
        control="the same models, told the words of another number.",
        budget="1,500 rounds of each on 64 of 9,000 pairs, two trainings",
        figure=draw_translating,
        note="The numbers below 10,000 in English words, written in digits; a translation counts if every character is "
        "right.",
    ),
)
