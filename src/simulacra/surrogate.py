"""A trained run, put to work in the simulator's place."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from simulacra import domains, recipes
from simulacra.batch import Batch, DataSpec, Field, Given, join
from simulacra.domains.dataset import Dataset
from simulacra.domains.text import tokens_of
from simulacra.errors import UserError, nearest
from simulacra.protocols import Codec
from simulacra.random import draws, seed_of
from simulacra.training import run
from simulacra.training.engine import Engine
from simulacra.training.game import Experiment
from simulacra.units import parse

BLOCK = 1024
WHOLE = ("class", "token")
"""Kinds of conditions that are whole numbers."""


def generate(
    model: nn.Module, codec: Codec, n: int, given: Given, seed: int = 0, *, raw: bool = False
) -> Iterator[Batch]:
    """New events in physical units, in blocks of 1,024, or of as many as the model takes `at_once` if these are fewer.

    Every block is drawn and pushed whole, from a seed of its own, and then cut: the events depend on neither the
    batch size nor the number of processes, and the first k of n are the first k of any other n.

    Args:
        given: physical conditions, [n, ...] each.
        raw: gives the events as the model makes them, before the codec's `decode`.
    """
    device = next((p.device for p in chain(model.parameters(), model.buffers())), torch.device("cpu"))
    whole = min(BLOCK, getattr(model, "at_once", 0) or BLOCK)
    for k, start in enumerate(range(0, n, whole)):
        size = min(whole, n - start)
        block = {name: _padded(value[start : start + size], whole).to(device) for name, value in given.items()}
        with draws(seed_of(seed, "block", k)), torch.no_grad():
            made: Batch = model.sample(whole, codec.encode_given(block))  # type: ignore[operator]
            events = made if raw else codec.decode(Batch(made.x, block))
        yield events[:size].to("cpu")


def _padded(value: Tensor, size: int) -> Tensor:
    return torch.cat([value, value[-1:].expand(size - len(value), *value.shape[1:])]) if len(value) < size else value


def conditions(spec: DataSpec, n: int, asked: Mapping[str, Any], seed: int = 0, *, extrapolate: bool = False) -> Given:
    """Physical conditions for n events: as asked for, and drawn uniformly over the trained range where not.

    Args:
        asked: name -> text with a unit (`"50GeV"`), a class's name or number, or a tensor with one row per event.

    Raises:
        UserError: a name is unknown, or a value lies outside what was seen in training and `extrapolate` is off.
    """
    for name in asked:
        if name not in spec.given:
            known = ", ".join(spec.given) or "no condition"
            raise UserError(f"expected a condition among: {known}, came {name!r}; {nearest(name, spec.given)}")
    out: dict[str, Tensor] = {}
    for name, field in spec.given.items():
        generator = torch.Generator().manual_seed(seed_of(seed, "conditions", name))
        if name in asked:
            out[name] = _asked(name, field, asked[name], n, extrapolate)
        elif field.kind in WHOLE:
            out[name] = torch.randint(field.levels, (n, *field.shape), generator=generator)
        else:
            low, high = field.range or (0.0, 1.0)
            out[name] = low + (high - low) * torch.rand(n, *field.shape, generator=generator)
    return out


def _asked(name: str, field: Field, value: Any, n: int, extrapolate: bool) -> Tensor:
    if isinstance(value, Tensor):
        if value.shape != (n, *field.shape):
            raise UserError(
                f"expected {name} of shape {(n, *field.shape)}, came {tuple(value.shape)}; one row per event"
            )
        if field.kind in WHOLE and not bool((value == value.round()).all()):
            raise UserError(f"expected whole numbers for {name}, came others; use 0 to {field.levels - 1}")
        numbers = value.long() if field.kind in WHOLE else value.float()
    elif field.kind == "token" and field.shape:
        numbers = tokens_of(str(value), field).expand(n, -1)
    else:
        number = field.names.index(str(value)) if str(value) in field.names else _number(name, field, str(value))
        if field.kind == "class" and number != int(number):
            raise UserError(f"expected a class number for {name}, came {value}; use 0 to {field.levels - 1}")
        numbers = torch.full((n, *field.shape), number).to(torch.long if field.kind in WHOLE else torch.float32)
    low, high = (0, field.levels - 1) if field.kind in WHOLE else (field.range or (-torch.inf, torch.inf))
    worst = numbers[(numbers < low) | (numbers > high)]
    if field.kind in WHOLE and len(worst):
        raise UserError(f"expected {name} from 0 to {field.levels - 1}, came {int(worst[0])}; choose one of these")
    if len(worst) and not extrapolate:
        unit = f" {field.unit}" if field.unit else ""
        raise UserError(
            f"expected {name} within the trained range {low:g} to {high:g}{unit}, came {float(worst[0]):g}{unit}; "
            "choose one inside, or say --extrapolate"
        )
    return numbers


def _number(name: str, field: Field, text: str) -> float:
    try:
        return parse(text, field.unit)
    except UserError:
        if not field.names:
            raise
        raise UserError(f"expected {name} by its name, came {text!r}; {nearest(text, field.names)}") from None


@dataclass(eq=False)
class Surrogate:
    """A trained model between physical units, with the run that made it.

    Attributes:
        folder: of the run.
        config: its `run.json`.
        experiment: with the weights of the newest checkpoint.
        sampling: arguments of its recipe that are others in sampling than in training.
    """

    folder: Path
    config: run.RunConfig
    experiment: Experiment
    sampling: Mapping[str, Any]

    @staticmethod
    def load(
        folder: str | Path, recipe: str | None = None, device: str = "cpu", sampling: Mapping[str, Any] = {}
    ) -> Surrogate:
        """The surrogate that a run folder holds.

        Args:
            recipe: `file.py:function` for a user's own recipe: a run folder alone never executes a file.
            sampling: arguments for sampling, `{"steps": 25}`, in the place of those that the run was trained with.

        Raises:
            UserError: there is no run, it is damaged, its recipe must be named, or has no such argument for sampling.
        """
        place, where = Path(folder), Engine.start(device).device
        config = run.RunConfig.read(place)
        checkpoint = run.sound(place)
        experiment = build(config, recipe, sampling)
        run.load_weights(checkpoint, experiment)
        experiment.learners.to(where)
        codec: Any = experiment.codec
        codec.to(where)
        experiment.learners.eval()
        return Surrogate(place, config, experiment, dict(sampling))

    @property
    def spec(self) -> DataSpec:
        return self.config.spec

    @cached_property
    def data(self) -> Dataset:
        """The data of its training, opened with the same options."""
        return domains.open_data(self.config.data["name"], **self.config.data["options"])

    @property
    def evaluations(self) -> int | None:
        """Calls of the network for one event, where the model counts them."""
        return getattr(self.experiment.model, "evaluations", None)

    def sample(
        self,
        n: int,
        given: Mapping[str, Any] | None = None,
        *,
        seed: int = 0,
        extrapolate: bool = False,
        raw: bool = False,
    ) -> Batch:
        """n new events at the conditions asked for: `surrogate.sample(100, {"energy": "50GeV", "label": "Bag"})`."""
        if n < 1:
            raise UserError(f"expected at least one event, came n = {n}; ask for 1 or more")
        chosen = conditions(self.spec, n, given or {}, seed, extrapolate=extrapolate)
        model, codec = self.experiment.model, self.experiment.codec
        made = join(list(generate(model, codec, n, chosen, seed, raw=raw)))
        if not bool(torch.isfinite(made.x).all()):
            raise UserError("expected finite events, the model makes others here; choose conditions seen in training")
        return made

    def listens_to(self) -> list[str]:
        """The conditions that change the events: the others are told to a model that leaves them aside."""
        first = conditions(self.spec, BLOCK, {}, 1)
        other = conditions(self.spec, BLOCK, {}, 2)
        model, codec = self.experiment.model, self.experiment.codec

        def encoded(given: Given) -> Tensor:
            return next(generate(model, codec, BLOCK, given, raw=True)).x

        plain = encoded(first)
        return [name for name in first if not torch.equal(encoded({**first, name: other[name]}), plain)]

    def milliseconds(self, batch: int, repeats: int = 5) -> float:
        """The median time per event of sampling and decoding `batch` events at once on one thread, in ms."""
        given = conditions(self.spec, batch, {}, 1)
        model: Any = self.experiment.model
        codec = self.experiment.codec
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        times = []
        try:
            for _ in range(repeats + 1):
                start = time.perf_counter()
                with torch.no_grad(), draws(1):
                    codec.decode(Batch(model.sample(batch, codec.encode_given(given)).x, given))
                times.append(time.perf_counter() - start)
        finally:
            torch.set_num_threads(threads)
        return sorted(times[1:])[len(times[1:]) // 2] * 1e3 / batch


def build(config: run.RunConfig, recipe: str | None = None, sampling: Mapping[str, Any] = {}) -> Experiment:
    """The experiment that a configuration describes, before its first round; with `sampling`, for other samples.

    Raises:
        UserError: the recipe is a user's file that was not named, another than the run's, or cannot sample so.
    """
    if ".py:" in config.recipe:
        if recipe is None:
            raise UserError(
                f"expected --recipe, for this run was made by {config.recipe}; name that file if you trust it"
            )
        chosen = recipes.find(recipe)
    elif recipe is not None and recipe != config.recipe:
        raise UserError(f"expected the run's recipe {config.recipe!r}, came {recipe!r}; leave --recipe out")
    else:
        chosen = recipes.find(config.recipe)
    with draws(seed_of(config.seed, "build")):
        experiment: Experiment = chosen.build(config.spec, chosen.resampled(config.arguments, sampling))
    experiment.clock = experiment.clock._replace(rounds=config.rounds)
    if config.batch_size is not None:
        experiment.batch_size = config.batch_size
    return experiment
