"""A look inside, and one of the alarms, at every GAN of pictures."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch

from simulacra import recipes, workflow
from simulacra.batch import Batch
from simulacra.cli.inside import _Scores, apart, inside, judge_of
from simulacra.gan import LAPGAN
from simulacra.training.alarms import Alarms, Limits

GANS = sorted(name for name, row in recipes.table().items() if row["family"] == "gan" and "image" in row["domain"])
COMPARING = ("minibatch_gan", "progan", "stylegan", "stylegan2")
"""Recipes whose critics compare the events of a batch."""


def training(out: Path, recipe: str, data: Path) -> workflow.Training:
    """A tiny game of three rounds, before them."""
    known = inspect.signature(recipes.find(recipe).build).parameters
    small = {"width": 4, "base": 4, "latent": 4, "code": 4, "batch": 16, "reference": 8}
    told = {name: value for name, value in small.items() if name in known}
    return workflow.begin(out, recipe, str(data), told, rounds=3, threads=1)


@pytest.mark.parametrize("recipe", GANS)
def test_every_gan_of_pictures_is_looked_into_and_watched(recipe, digits, tmp_path, monkeypatch):
    drawn = []
    for module in ("inside", "latents"):  # what is drawn, without the second that every drawing takes
        monkeypatch.setattr(f"simulacra.cli.{module}.image_rows", lambda rows, *a, **k: drawn.extend(rows.values()))
    run = training(tmp_path / "run", recipe, digits)
    lines: list[str] = []
    held_out = run.streams["data"].dataset[:50]
    alarms = Alarms(run.experiment, run.streams, held_out, Limits(every=2, size=64), lines.append)
    for step in run.rounds():
        alarms.look(step.clock)
    assert not lines
    assert all(np.isfinite([seen.accuracy, seen.overfit, seen.score, seen.spread]).all() for seen in alarms.looks)
    surrogate = run.surrogate()
    names = [view.name for view in inside(surrogate, 60)]
    assert set(names) >= {"Scores", "Saliency", "What raises the score", "Latent walk", "Truncation"}
    assert all(torch.as_tensor(row).dim() == 4 and torch.as_tensor(row).isfinite().all() for row in drawn)
    scores = _Scores(surrogate, judge_of(surrogate))
    x = torch.rand(16, 1, 8, 8) * 2 - 1
    given = {name: torch.zeros(16, dtype=torch.long) for name in surrogate.spec.given}
    with torch.no_grad():
        both, alone = apart(scores, given)(x), scores.of({k: v[:8] for k, v in given.items()})(x[:8])
        mixed = scores.of(given)(x)
    assert torch.equal(both[:8], alone)
    assert torch.allclose(both, mixed, atol=1e-5) == (recipe not in COMPARING)


@pytest.mark.parametrize("recipe", ["aae", "vae_gan"])
def test_a_critic_that_judges_no_samples_is_told_of_and_looked_into(recipe, digits, tmp_path):
    run = training(tmp_path / "run", recipe, digits)
    lines: list[str] = []
    Alarms(run.experiment, run.streams, tell=lines.append)
    assert lines == ["alarms look at gradients only: no part of this game judges the events that it samples"]
    for _ in run.rounds():
        pass
    assert next(inside(run.surrogate(), 60)).name == "Scores"


def test_a_pyramid_is_judged_by_the_sum_over_its_levels(digits, tmp_path):
    game = training(tmp_path / "run", "lapgan", digits).experiment.learners["game"]
    assert isinstance(game, LAPGAN)
    game.eval()
    batch = Batch(torch.rand(6, 1, 8, 8) * 2 - 1, {"label": torch.arange(6)})
    fine, coarse = (level.judge(game.level(k, batch)).score for k, level in enumerate(game.levels))
    assert torch.equal(game.judge(batch).score, fine + coarse)
    assert game.sample(5, {"label": torch.arange(5)}).x.shape == (5, 1, 8, 8)
