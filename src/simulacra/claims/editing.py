"""Faces of which both players are told two attributes: what a change of one changes, and what the critic sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.arithmetic import SEEN, SIDE, read
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.domains.images.rendered import faces
from simulacra.figures.images import image_grid
from simulacra.random import draws
from simulacra.recipes.cgan import cgan
from simulacra.training.game import Experiment

Array = np.ndarray
NAMES = ("pose", "smile")
SPEC = DataSpec(
    "faces", "image", Field((1, SIDE, SIDE), range=(0.0, 1.0)), {name: Field((), "class", 2) for name in NAMES}
)
COUNT = 500
"""Latents, of each of which four faces are made; and real faces that are shown to the critic."""
ASKED, STAYS, MOVES, TOLD = (
    "share of faces with both attributes that were asked for",
    "share of edits that leave the other attribute",
    "how far an edit moves the other factor, over how far its own",
    "share of real faces whose own attribute the critic prefers to the other",
)


def drawn(n: int, seed: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Faces [n, 1, SIDE, SIDE], and whether they look to the right and smile; none does so by less than a half."""
    with draws(seed):
        factors = (0.5 + 0.5 * torch.rand(n, 2)) * torch.where(torch.rand(n, 2) < 0.5, -1.0, 1.0)
    return faces(factors, SIDE), {name: (factors[:, k] > 0).long() for k, name in enumerate(NAMES)}


def trained(seed: int, rounds: int, *, shuffled: bool = False) -> Experiment:
    """A game that was told the attributes, or those of other faces."""
    x, given = drawn(SEEN, seed)
    if shuffled:
        with draws(seed + 1):
            given = {name: label[torch.randperm(len(label))] for name, label in given.items()}
    build = partial(cgan, joint=0, width=16, latent=16, rounds=rounds, ema=0.99)
    return learn(build, SPEC, Batch(x, given), seed, "editing")


def edited(game: Experiment, seed: int, count: int = COUNT) -> Tensor:
    """Faces [2, 2, count, 1, SIDE, SIDE] of the same latents, by pose and smile that were asked for."""
    out = []
    for pose in (0, 1):
        for smile in (0, 1):
            asked = {name: torch.full((count,), k) for name, k in zip(NAMES, (pose, smile), strict=True)}
            model: Any = game.model
            with draws(seed):
                out.append(game.codec.decode(model.sample(count, game.codec.encode_given(asked))).x)
    return torch.stack(out).view(2, 2, count, *SPEC.x.shape)


def changed(factors: Tensor) -> dict[str, float]:
    """What edits do to factors [2, 2, N, 2], by pose and smile that were asked for."""
    signs = factors > 0
    wanted = torch.tensor([[[a, b] for b in (False, True)] for a in (False, True)])[:, :, None]
    same = (signs == wanted).all(-1).double().mean()
    stays, own, other = [], [], []
    for k in (0, 1):
        move, kept = factors.diff(dim=k).abs(), signs.diff(dim=k)
        stays.append(1 - kept[..., 1 - k].double().mean())
        own.append(move[..., k].mean())
        other.append(move[..., 1 - k].mean())
    ratio = torch.stack(other).mean() / torch.stack(own).mean().clamp(min=1e-6)
    return {ASKED: float(same), STAYS: float(torch.stack(stays).mean()), MOVES: float(ratio)}


def preferred(game: Experiment, seed: int, count: int = COUNT) -> float:
    """Of unseen real faces, where one attribute is told right or wrong: how often the critic scores right higher."""
    x, given = drawn(count, seed + 10_000)
    batch, roots = game.codec.encode(Batch(x, given)), cast(Any, game.learners)
    critic = roots["game"].critic
    critic.eval()
    shares = []
    with torch.no_grad():
        right = critic(batch.x, batch.given).score
        for name in NAMES:
            wrong = critic(batch.x, {**batch.given, name: 1 - batch.given[name]}).score
            shares.append((right > wrong).double().mean())
    return float(torch.stack(shares).mean())


def editing(seed: int, rounds: int = 2500) -> Result:
    """Edits of one attribute; in the control labels are those of other faces."""
    games = {"told": trained(seed, rounds), "shuffled": trained(seed, rounds, shuffled=True)}
    found, arrays = {}, {}
    for name, game in games.items():
        x = edited(game, seed)
        factors = read("pose and smile", x.flatten(0, 2)).view(2, 2, -1, 2)
        found[name] = changed(factors) | {TOLD: preferred(game, seed)}
        arrays[name] = x[:, :, :8].clamp(0, 1).numpy()
    control = {key: found["shuffled"][key] for key in (ASKED, MOVES, TOLD)}
    return Result(found["told"], control, arrays)


def draw_editing(results: Sequence[Result]) -> Figure:
    shown = results[0].arrays["told"].reshape(4, 8, *SPEC.x.shape)
    names = ["left, frown", "left, smile", "right, frown", "right, smile"]
    return image_grid(shown.reshape(-1, *SPEC.x.shape), 8, names=names)


CLAIMS = (
    Claim(
        name="attributes-switch-modes",
        statement="Told an attribute, the generator learns to make faces that have it, and the discriminator to decide "
        "whether a face has it: both operate in modes.",
        lecture="D:365-369",
        paper="Mirza and Osindero 2014, arXiv 1411.1784; Gauthier 2014",
        experiment=editing,
        bounds={ASKED: (0.9, math.inf), STAYS: (0.95, math.inf), MOVES: (-math.inf, 0.2), TOLD: (0.9, math.inf)},
        control="the same game, told the attributes of other faces.",
        budget="2,500 rounds of cGAN on 64 drawn faces of 8 x 8, two games",
        figure=draw_editing,
        seeds=8,
        note="Faces that look left or right and smile or frown, by the factors of the nearest of 1,681 drawn ones. An "
        "edit changes one attribute of a face and keeps its z.",
    ),
)  # fmt: skip
