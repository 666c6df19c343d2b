"""The pictures of `simulacra look`, each where the model can show it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra.batch import Batch, Given
from simulacra.cli import latents
from simulacra.domains.dataset import parts_of
from simulacra.evaluation import latent
from simulacra.evaluation.rows import some_of
from simulacra.evaluation.saliency import Score, ascend, saliency, smoothgrad
from simulacra.figures import critics
from simulacra.figures.planes import Plane, mesh, planes
from simulacra.figures.rows import image_rows
from simulacra.protocols import NoiseMap
from simulacra.random import draws, seed_of
from simulacra.report.look import View
from simulacra.surrogate import Surrogate

SHOWN = 8
"""Events in a row."""


def judge_of(surrogate: Surrogate) -> Any:
    """The game that a run keeps under its learners, the first where there are several: it has a `judge`, or a `critic`.

    A game that judges knows what its critics are to be shown: encoded latents, the levels of a pyramid.
    """
    parts = list(surrogate.experiment.learners.modules())
    return next((m for name in ("judge", "critic") for m in parts if hasattr(m, name)), None)


def inside(surrogate: Surrogate, n: int = 1000, seed: int = 0) -> Iterator[View]:
    """Every picture that this run allows."""
    data = surrogate.data
    parts = parts_of(data)
    train, held = (_told(surrogate, some_of(data, n, parts[name])) for name in ("train", "test"))
    game = judge_of(surrogate)
    if game is not None:
        with latent.evaluating(game):
            yield from _critic(surrogate, game, train, held, seed)
    if isinstance(surrogate.experiment.model, NoiseMap):
        yield from latents.views(surrogate, held, seed)


def _told(surrogate: Surrogate, batch: Batch) -> Batch:
    return Batch(batch.x, {name: batch.given[name] for name in surrogate.spec.given})


class _Scores:
    """A critic's scores of encoded events, in pieces."""

    def __init__(self, surrogate: Surrogate, game: Any) -> None:
        self.game, self.codec, self.device = game, surrogate.experiment.codec, latent.device_of(game)

    def encoded(self, batch: Batch, seed: int) -> Batch:
        with draws(seed_of(seed, "encode")), torch.no_grad():
            return self.codec.encode(batch.to(self.device))

    def of(self, given: Given) -> Score:
        """The score of events under encoded conditions."""

        def score(x: Tensor) -> Tensor:
            judged = self.game.judge(Batch(x, given)) if hasattr(self.game, "judge") else self.game.critic(x, given)
            return judged.score

        return score

    def __call__(self, batch: Batch, seed: int) -> np.ndarray:
        out = []
        with torch.no_grad():
            for start in range(0, len(batch), 256):
                part = self.encoded(batch[start : start + 256], seed)
                out.append(self.of(part.given)(part.x).float().cpu())
        return torch.cat(out).numpy()


def _critic(surrogate: Surrogate, game: Any, train: Batch, held: Batch, seed: int) -> Iterator[View]:
    scores, spec = _Scores(surrogate, game), surrogate.spec
    made = surrogate.sample(len(held), held.given, seed=seed, extrapolate=True)
    fake = Batch(made.x, held.given)
    groups = {"real, trained on": scores(train, seed), "real, held out": scores(held, seed)}
    yield View(
        "Scores",
        "What the critic gives to real events that it was trained on, to others, and to generated ones. A gap between "
        "the first two is overfitting; no gap to the third is an equilibrium, or a critic that has given up.",
        critics.scores({**groups, "generated": scores(fake, seed)}),
    )
    if spec.layout == "vector" and spec.x.size == 2 and not spec.given:
        yield _surface(scores, held, fake, seed)
    if spec.layout != "image":
        return
    both = scores.encoded(_joined(held[:SHOWN], fake[:SHOWN]), seed)
    score = apart(scores, both.given)
    plain, smooth = saliency(score, both.x), smoothgrad(score, both.x, seed=seed)
    yield View(
        "Saliency",
        "Where a brighter pixel would raise the score (red) and where it would lower it (blue): the gradient, and its "
        "mean over 25 noisy copies (SmoothGrad). Left real events, right generated ones.",
        image_rows(
            {"event": _shown(scores, both), "gradient": _signed(plain), "SmoothGrad": _signed(smooth)},
            gap=len(both) // 2,
        ),
    )
    way, values = ascend(score, both.x, steps=40, length=0.01, limits=(-1.0, 1.0))
    chosen = (0, 5, 10, 20, 40)
    rows = {f"step {k}, {values[k].mean():+.3g}": _shown(scores, Batch(way[k], both.given)) for k in chosen}
    yield View(
        "What raises the score",
        "From real events (left) and generated ones (right) along the gradient of the score, 0.01 root mean square a "
        "step; the mean score stands beside the step. Noise that scores high is what the generator is paid for.",
        image_rows(rows, gap=len(both) // 2),
    )


def apart(scores: _Scores, given: Given) -> Score:
    """The score of real events, the first half, and of generated ones, which never meet a critic in one batch."""

    def score(x: Tensor) -> Tensor:
        half = len(x) // 2
        sides = slice(half), slice(half, None)
        return torch.cat([scores.of({name: v[side] for name, v in given.items()})(x[side]) for side in sides])

    return score


def _surface(scores: _Scores, held: Batch, fake: Batch, seed: int) -> View:
    low, high = held.x.min(0).values, held.x.max(0).values
    margin = 0.25 * (high - low)
    frame = tuple(float(v) for k in (0, 1) for v in ((low - margin)[k], (high + margin)[k]))
    grid = torch.from_numpy(mesh(frame)).float().view(-1, 2)  # type: ignore[arg-type]
    values = scores(Batch(grid), seed).reshape(120, 120)
    clouds = {"real": held.x[:500].numpy(), "generated": fake.x[:500].numpy()}
    figure = planes([Plane("critic's score", values), Plane("events", clouds=clouds)], frame, size=3.0)  # type: ignore[arg-type]
    return View("The critic's surface", "The score over the plane, and the events that it is to tell apart.", figure)


def _joined(a: Batch, b: Batch) -> Batch:
    return Batch(torch.cat([a.x, b.x]), {name: torch.cat([a.given[name], b.given[name]]) for name in a.given})


def _shown(scores: _Scores, encoded: Batch) -> Tensor:
    """Encoded pictures as they are looked at."""
    with torch.no_grad():
        return scores.codec.decode(Batch(encoded.x)).x.cpu()


def _signed(gradient: Tensor) -> Tensor:
    """A gradient summed over channels as red and blue on white, each event in units of its largest."""
    flat = gradient.sum(1).cpu()
    flat = flat / flat.abs().flatten(1).quantile(0.995, 1).clamp(min=1e-12)[:, None, None]
    up, down = flat.clamp(0, 1), (-flat).clamp(0, 1)
    return torch.stack([1 - down, 1 - up - down, 1 - up], 1).clamp(0, 1)
