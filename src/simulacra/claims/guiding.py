"""Diffusion led by a classifier, and diffusion taught to arrive in few steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import norm

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import EVENTS, learn, told, two_classes
from simulacra.claims.diffusing import CENTRES, QUALITY, RING
from simulacra.diffusion import Ancestral
from simulacra.evaluation.modes import modes
from simulacra.figures.collapse import clouds
from simulacra.figures.conditioning import classes
from simulacra.random import draws
from simulacra.recipes.distilled_diffusion import distilled_diffusion
from simulacra.recipes.edm import edm
from simulacra.recipes.guided_diffusion import guided_diffusion
from simulacra.workflow import begin

Array = np.ndarray
APART, STRONG = 2.0, 4.0
"""The distance of two Gaussian classes of unit width, and the strong guidance; the exact one is 1."""
EXACT, SURER, NARROWER, AGAINST = (
    "mean p(class | x) of weight 1, minus the true mean",
    f"mean p(class | x), weight {STRONG:g} - weight 1",
    f"width of a class, weight {STRONG:g} / weight 1",
    "mean p(class | x), weight 1 - weight 0",
)


def sureness(made: Array) -> float:
    """The mean of the true p(class | x) over events of each class [2, N]: a logistic of slope APART."""
    signed = made * np.array([[-1.0], [1.0]])
    return float((1 / (1 + np.exp(-APART * signed))).mean())


def true_sureness() -> float:
    """The same of the classes themselves.

    >>> round(true_sureness(), 3)
    0.775
    """
    z = norm.ppf((np.arange(10_000) + 0.5) / 10_000) + APART / 2
    return sureness(np.stack([-z, z]))


def guiding(seed: int, rounds: int = 3000) -> Result:
    """Two overlapping classes at three weights of a classifier; in the control its labels were shuffled."""
    mixture = two_classes(APART)
    x, label = mixture.draw(20_000, seed)
    spec = DataSpec(mixture.name, "vector", Field((1,)), {"label": Field((), "class", 2)}, rows=len(x))
    classes_asked = torch.arange(2).repeat_interleave(EVENTS)
    found, arrays = {}, {}
    for name, labels in {"": label, "shuffled labels, ": label.roll(1)}.items():
        game = learn(partial(guided_diffusion, rounds=rounds), spec, Batch(x, {"label": labels}), seed, "guiding")
        model: Any = game.model
        made = {}
        for weight in (0.0, 1.0, STRONG):
            model.weight = weight
            made[weight] = told(game, classes_asked, seed).view(2, EVENTS).numpy()
            arrays[f"{name}weight {weight:g}"] = made[weight].astype(np.float32)
        sure = {weight: sureness(events) for weight, events in made.items()}
        found[name] = {
            EXACT: sure[1.0] - true_sureness(),
            SURER: sure[STRONG] - sure[1.0],
            NARROWER: float(made[STRONG].std(1).mean() / made[1.0].std(1).mean()),
            AGAINST: sure[1.0] - sure[0.0],
        }
    return Result(found[""], found["shuffled labels, "], arrays)


def draw_guiding(results: Sequence[Result]) -> Figure:
    panels = {name: events for name, events in results[0].arrays.items() if not name.startswith("shuffled")}
    panels["shuffled, weight 4"] = results[0].arrays[f"shuffled labels, weight {STRONG:g}"]
    return classes(panels, dict.fromkeys(panels, APART))


SAME, TWICE = (
    "distance to where the teacher arrives, 4 steps / its own 4",
    "distance to where the teacher arrives, 4 steps / its own 8",
)
FINEST = 32
"""Steps of the teacher, whose end is where it arrives."""


def distilling(seed: int, taught: int = 4000, rounds: int = 6000, n: int = 5000) -> Result:
    """The ring by a student of 4 steps, from the same noise as its teacher; the control is the teacher in 4 steps."""
    data = "toys:ring8"
    models: list[Any] = []
    with TemporaryDirectory() as place:
        teacher, student = Path(place) / "teacher", Path(place) / "student"
        few: dict[str, Any] = {"teacher": str(teacher), "finest": FINEST, "steps": 4}
        runs = ((teacher, edm, {}, taught), (student, distilled_diffusion, few, rounds))
        for folder, recipe, arguments, count in runs:
            training = begin(folder, recipe.__name__, data, arguments, rounds=count, seed=seed, device="cpu", threads=1)
            for _ in training.rounds(checkpoint_every=count):
                pass
            models.append(training.experiment)
    codec, source, pupil = models[0].codec, models[0].model.eval(), models[1].model.eval()
    ends, share = {}, {}
    with torch.no_grad():
        with draws(seed):
            start = source.start(n)
        ways = {f"teacher, {steps}": (source, Ancestral(steps, eta=0.0)) for steps in (FINEST, 8, 4)}
        for name, (field, sampler) in {**ways, "student, 4": (pupil, pupil.sampler)}.items():
            ends[name] = codec.decode(Batch(sampler(field, start, {}))).x.numpy()
    real = RING.sample(n, seed=seed + 1).numpy()
    for name, x in ends.items():
        share[name] = modes(real, x, CENTRES, 0.02)["modes/high_quality"].value
    away = {name: float(np.linalg.norm(x - ends[f"teacher, {FINEST}"], axis=1).mean()) for name, x in ends.items()}
    found = {
        name: {
            SAME: away[name] / away["teacher, 4"],
            TWICE: away[name] / away["teacher, 8"],
            QUALITY: share[name],
        }
        for name in ("student, 4", "teacher, 4")
    }
    arrays = {name: x[:1000].astype(np.float32) for name, x in ends.items()}
    arrays |= {f"{name}, found": np.array([share[name], away[name]]) for name in ends}
    return Result(found["student, 4"], found["teacher, 4"], arrays)


def draw_distilling(results: Sequence[Result]) -> Figure:
    def title(name: str) -> str:
        share, away = np.mean([r.arrays[f"{name}, found"] for r in results], 0)
        return f"{name}: {100 * share:.0f} %, off {away:.2f}"

    names = [name for name in results[0].arrays if not name.endswith("found")]
    return clouds({title(name): results[0].arrays[name] for name in names}, CENTRES, columns=2)


CLAIMS = (
    Claim(
        name="guidance-trades-variety-for-sureness",
        statement="Diffusion led by a classifier samples the class, and led more strongly surer and less various ones.",
        lecture="C:394-396",
        paper="Dhariwal and Nichol 2021, arXiv 2105.05233",
        experiment=guiding,
        bounds={
            EXACT: (-0.03, 0.03),
            SURER: (0.03, math.inf),
            NARROWER: (-math.inf, 0.9),
            AGAINST: (0.2, math.inf),
        },
        control="the same models with a classifier that learnt from shuffled labels.",
        budget="3,000 rounds of denoiser and classifier on 128 events of two Gaussians, two trainings",
        figure=draw_guiding,
        note="Two Gaussians of unit width on the line, their centres 2 apart, so that the true p(class | x) is known: "
        "its mean over a class is 0.78 if the class is sampled as it is, and a half without guidance.",
    ),
    Claim(
        name="a-student-learns-to-take-fewer-steps",
        statement="A student of a diffusion model arrives in few steps where its teacher does in many.",
        lecture="C:394-396",
        paper="Salimans and Ho 2022, arXiv 2202.00512",
        experiment=distilling,
        bounds={SAME: (-math.inf, 0.5), TWICE: (-math.inf, 1.0), QUALITY: (0.5, math.inf)},
        control="the teacher itself in 4 steps of DDIM.",
        budget="4,000 rounds of a teacher and 6,000 of its student on 128 points of the ring of eight Gaussians",
        figure=draw_distilling,
        note="Distances are means over 5,000 starts from the same noise, to where 32 steps of the teacher lead.",
    ),
)
