"""Generators that are told a class, where classes overlap."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import norm, wasserstein_distance

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.domains.toys import Mixture
from simulacra.figures.conditioning import classes
from simulacra.random import draws, reseed
from simulacra.recipes.acgan import acgan
from simulacra.recipes.cgan import cgan
from simulacra.testing import Rows, streams_for
from simulacra.training.game import Experiment
from simulacra.training.loop import train

Array = np.ndarray
Build = Callable[[DataSpec], Experiment]
EVENTS = 2000
"""Generated events of each class."""
OVERLAP, APART = 1.0, 6.0
"""Distances of the centres of two Gaussian classes of unit width."""


def learn(build: Build, spec: DataSpec, data: Batch, seed: int, *words: str) -> Experiment:
    """Plays the game that `build` makes of the description, on rows in memory."""
    reseed(seed, "claims", *words)
    game = build(spec)
    for _ in train(game, streams_for(game, Rows(spec, data), seed), seed=seed):
        pass
    return game


def told(game: Experiment, label: torch.Tensor, seed: int) -> torch.Tensor:
    """Generated events of the classes `label` [N], in physical units."""
    with draws(seed):
        return game.codec.decode(game.model.sample(len(label), game.codec.encode_given({"label": label}))).x  # type: ignore[operator]


def two_classes(distance: float) -> Mixture:
    """Two Gaussians of unit width on the line, their centres as far apart as `distance`."""
    return Mixture(f"two Gaussians, {distance:g} apart", ((-distance / 2,), (distance / 2,)), 1.0)


def sampled(build: Build, mixture: Mixture, seed: int) -> Array:
    """Events of each class, [2, EVENTS], of a game that saw 20,000."""
    x, label = mixture.draw(20_000, seed)
    spec = DataSpec(mixture.name, "vector", Field((1,)), {"label": Field((), "class", 2)}, rows=len(x))
    game = learn(build, spec, Batch(x, {"label": label}), seed, mixture.name)
    return told(game, torch.arange(2).repeat_interleave(EVENTS), seed).view(2, EVENTS).numpy()


def compared(made: Array, mixture: Mixture) -> Mapping[str, float]:
    """Events of each class [2, N] against N quantiles of the Gaussian they should follow."""
    exact = norm.ppf((np.arange(made.shape[1]) + 0.5) / made.shape[1])
    centres = np.array([centre[0] for centre in mixture.centres])
    apart = [wasserstein_distance(x, exact + centre) for x, centre in zip(made, centres, strict=True)]
    return {
        "W1 to a class": float(np.mean(apart)),
        "distance of the classes, made / real": float(np.diff(made.mean(1))[0] / np.diff(centres)[0]),
        "width of a class, made / real": float(made.std(1).mean()),
    }


def overlapping(seed: int, rounds: int = 1500) -> Result:
    """The same networks with an auxiliary classifier and with a projection; the control are classes far apart."""

    def with_classifier(spec: DataSpec) -> Experiment:
        return acgan(spec, width=64, rounds=rounds, ema=0.99)

    def with_projection(spec: DataSpec) -> Experiment:
        return cgan(spec, projection=True, width=64, rounds=rounds, ema=0.99)

    found: dict[float, dict[str, float]] = {}
    arrays: dict[str, Array] = {}
    for distance in (OVERLAP, APART):
        mixture, found[distance] = two_classes(distance), {}
        for name, build in {"AC-GAN": with_classifier, "projection": with_projection}.items():
            made = sampled(build, mixture, seed)
            found[distance] |= {f"{name}: {what}": v for what, v in compared(made, mixture).items()}
            arrays[f"{name}, {distance:g} apart"] = made
    control = {name: value for name, value in found[APART].items() if name.startswith("AC-GAN")}
    return Result(found[OVERLAP], control, arrays)


def draw_overlapping(results: Sequence[Result]) -> Figure:
    panels = results[0].arrays
    return classes(panels, {name: OVERLAP if f"{OVERLAP:g} apart" in name else APART for name in panels})


CLAIMS = (
    Claim(
        name="auxiliary-classifier-parts-overlapping-classes",
        statement="Where classes overlap, an auxiliary classifier drives them apart, and a projection does not.",
        lecture="A:585",
        paper="Odena et al. 2017, arXiv 1610.09585; Miyato and Koyama 2018, arXiv 1802.05637",
        experiment=overlapping,
        bounds={
            "AC-GAN: W1 to a class": (0.25, math.inf),
            "AC-GAN: distance of the classes, made / real": (1.25, math.inf),
            "AC-GAN: width of a class, made / real": (-math.inf, 0.8),
            "projection: W1 to a class": (-math.inf, 0.15),
            "projection: distance of the classes, made / real": (0.8, 1.25),
            "projection: width of a class, made / real": (0.8, 1.25),
        },
        control="the same AC-GAN on classes whose centres are 6 widths apart, not 1.",
        budget="1,500 rounds on 256 events, four games",
        figure=draw_overlapping,
        note="Two Gaussians on the line, in units of their width. The classifier pays generator and critic for events "
        "that belong to one class without doubt (Shu, Bui and Ermon 2017): classes lose the half in "
        "which they overlap. The projection has the form of the log-ratio and asks for nothing else.",
    ),
)  # fmt: skip
