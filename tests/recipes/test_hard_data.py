"""Data at the edge, for every recipe without an adversary: constants, copies, 1e6 beside 1e-6, and batches of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from case import Case
from cases import CASES

from simulacra import recipes, workflow
from simulacra.batch import Batch, DataSpec
from simulacra.domains import open_data
from simulacra.errors import UserError
from simulacra.evaluation.likelihood import log_likelihood
from simulacra.protocols import Bound, Density
from simulacra.random import draws
from simulacra.surrogate import conditions
from simulacra.training.loop import train
from simulacra.training.stream import DataStream, streams_of

ROWS = 33
"""One more than two batches of 16: the last batch of the second epoch begins with one event."""


@dataclass(frozen=True)
class Hard:
    """Arrays as in an NPZ file, and the batch size, where it is not the recipe's own."""

    arrays: Mapping[str, np.ndarray]
    batch: int | None = None


def points() -> dict[str, Hard]:
    """Vectors."""
    rng = np.random.default_rng(0)
    plane, one = rng.normal(size=(ROWS, 2)), np.ones((ROWS, 1))
    plane[10:20] = plane[0]  # rows that are copies
    mixed = np.hstack([1e-6 * plane[:, :1], 1e6 * plane[:, 1:], 5 * one, 0 * one])
    rare = (np.arange(ROWS) == ROWS - 1).astype(np.int64)
    away = np.vstack([plane[1:], [[1e6, -1e6]]]) + [[0.0, 1e6]]
    found = {
        "scales and constants": Hard({"x": mixed}),
        "batches of one": Hard({"x": mixed}, batch=1),
        "copies": Hard({"x": np.hstack([0.3 * one, -1e6 * one])}),
        "one event": Hard({"x": plane[:1]}, batch=1),
        "conditions": Hard({"x": away, "energy": 1e6 * one, "label": rare}),
    }
    return {name: Hard({k: _single(v) for k, v in hard.arrays.items()}, hard.batch) for name, hard in found.items()}


def pictures() -> dict[str, Hard]:
    """Grey levels, all with classes."""
    rng, label = np.random.default_rng(0), np.arange(ROWS) % 2
    grey = rng.integers(0, 256, (ROWS, 8, 8), dtype=np.uint8)
    border, flat = grey.copy(), np.broadcast_to(grey[:, :1, :1], grey.shape)
    border[:, :2] = border[:, -2:] = border[:, :, :2] = border[:, :, -2:] = 0
    return {
        "black border": Hard({"x": border, "label": label}),
        "batches of one": Hard({"x": border, "label": label}, batch=1),
        "black": Hard({"x": 0 * grey, "label": 0 * label}),
        "each of one grey": Hard({"x": np.ascontiguousarray(flat), "label": label}),
        "copies": Hard({"x": np.repeat(grey[:1], ROWS, 0), "label": label}),
        "one picture": Hard({"x": grey[:1], "label": label[:1]}, batch=1),
    }


def _single(values: np.ndarray) -> np.ndarray:
    return values if values.dtype.kind == "i" else values.astype(np.float32)


HARD = {"vector": points(), "image": pictures()}


def _cases(layout: str) -> list[str]:
    """The cases of every explicit recipe of a layout; where all of them are of another, the first without options."""
    table, small = recipes.table(), ("toys:ring8",) if layout == "vector" else ("digits.npz",)
    mine = [n for n, c in CASES.items() if table[c.recipe]["family"] != "gan" and layout in table[c.recipe]["domain"]]
    own = [n for n in mine if CASES[n].data in small and not CASES[n].arguments.get("energy")]
    covered = {CASES[n].recipe for n in own}
    return own + [n for n in mine if CASES[n].recipe not in covered and n == CASES[n].recipe]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """The data as files, and what was learnt from each by a teacher."""
    place = tmp_path_factory.mktemp("hard")
    for layout, hards in HARD.items():
        for name, hard in hards.items():
            np.savez(place / f"{layout} {name}.npz", **hard.arrays)  # pyright: ignore[reportArgumentType]
    return place


def _arguments(case: Case, data: Path) -> dict[str, Any]:
    if "teacher" not in case.arguments:
        return dict(case.arguments)
    teacher = data.with_suffix("")
    size = {"hidden": 8} if data.name.startswith("vector") else {"base": 4}
    for _ in workflow.begin(teacher, "edm", str(data), size, rounds=2, threads=1).rounds():
        pass
    return {**case.arguments, "teacher": str(teacher)}


@pytest.mark.parametrize("kind", HARD["vector"])
@pytest.mark.parametrize("name", _cases("vector"))
def test_points_give_finite_models(name: str, kind: str, place: Path):
    _play(CASES[name], place / f"vector {kind}.npz", HARD["vector"][kind])


@pytest.mark.parametrize("kind", HARD["image"])
@pytest.mark.parametrize("name", _cases("image"))
def test_pictures_give_finite_models(name: str, kind: str, place: Path):
    _play(CASES[name], place / f"image {kind}.npz", HARD["image"][kind])


def _refused(case: Case, spec: DataSpec) -> str:
    """The words with which a recipe refuses data that it has no use for; none where it must take them."""
    if case.recipe == "cvae" and not spec.given:
        return "expected data with a condition"
    if case.recipe == "guided_diffusion" and not spec.given:
        return "expected data with a class"
    if case.recipe == "logistic_regression" and not spec.given:
        return "expected a class to tell apart"
    if case.arguments.get("paired") and spec.given:
        return "expected data without conditions to pair"
    return "expected at least one row to train on" if "teacher" in case.arguments and spec.rows == 1 else ""


def _play(case: Case, path: Path, hard: Hard) -> None:
    """Trains, samples one event and some, and takes the likelihood of one and of some."""
    data, chosen = open_data(str(path)), recipes.find(case.recipe)
    rows = torch.arange(len(data))
    spec = workflow.training_spec(data, rows)
    if words := _refused(case, spec):
        with pytest.raises(UserError, match=words) as caught:
            chosen.build(spec, chosen.resolve(_arguments(case, path)))
        assert "\n" not in str(caught.value)
        return
    with draws(0):
        experiment = chosen.build(spec, chosen.resolve(_arguments(case, path)))
    experiment.clock = experiment.clock._replace(rounds=3)
    experiment.batch_size = hard.batch or experiment.batch_size
    for step in train(experiment, streams_of(experiment, DataStream(data, rows, experiment.codec))):
        assert all(bool(torch.isfinite(value).all()) for value in step.losses.values()), step.losses
    experiment.learners.eval()
    model, codec = experiment.model, experiment.codec
    for n in (1, 5):
        given = conditions(spec, n, {})
        with draws(1), torch.no_grad():
            made = codec.decode(Batch(model.sample(n, codec.encode_given(given)).x, given))  # type: ignore[operator]
        spec.check(made)
        assert bool(torch.isfinite(made.x).all())
    refusal = _refusal(codec, data[:])
    assert "\n" not in refusal
    if isinstance(model, Density | Bound) and not refusal:
        few = data[: hard.batch or 3]
        found = log_likelihood(model, codec, few)
        assert found.shape == (len(few),)
        assert bool(torch.isfinite(found).all())


def _refusal(codec: Any, batch: Batch) -> str:
    """What a codec says that forgets what tells these events apart; nothing where it gives a likelihood."""
    try:
        codec.log_det(batch)
    except UserError as error:
        return str(error)
    return ""
