"""The pictures of `simulacra look` that show what latents hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from simulacra import domains
from simulacra.batch import Batch, Given, Noise
from simulacra.evaluation import latent
from simulacra.evaluation.attributes import attribute
from simulacra.evaluation.likelihood import device_of
from simulacra.figures.curves import Curves, curves
from simulacra.figures.rows import image_rows
from simulacra.gan import CategoricalCode, ContinuousCode, Pushforward
from simulacra.networks.style import mix
from simulacra.random import draws, seed_of
from simulacra.report.look import View
from simulacra.surrogate import Surrogate

PSIS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
STEPS = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)
"""How much of an attribute vector is added."""
ATTRIBUTES = 4

Push = Callable[[Noise, Given], Tensor]
"""Latents and encoded conditions -> encoded events."""


class Latents:
    """Latents of a run, and the physical events that it makes of them.

    Attributes:
        noise: one row per held-out event; given: their conditions.
    """

    def __init__(self, surrogate: Surrogate, held: Batch, seed: int) -> None:
        self.model: Any = surrogate.experiment.model
        self.codec, self.spec, self.seed = surrogate.experiment.codec, surrogate.spec, seed
        self.device, self.given = device_of(self.model), held.given
        with draws(seed_of(seed, "latents")), torch.no_grad():
            self.noise = {name: z.cpu() for name, z in self.model.noise(len(held)).items()}

    def made(self, noise: Noise, given: Given, push: Push | None = None) -> Tensor:
        """Physical events of latents under physical conditions, by `push` in place of the model's own."""
        there, told = ({k: v.to(self.device) for k, v in part.items()} for part in (noise, given))
        with latent.evaluating(self.model), draws(seed_of(self.seed, "decode")), torch.no_grad():
            encoded = self.codec.encode_given(told)
            x = self.model.push(there, encoded).x if push is None else push(there, encoded)
            return self.codec.decode(Batch(x, told)).x.cpu()

    def first(self, count: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The first latents and their conditions."""
        return _rows(self.noise, slice(count)), _rows(self.given, slice(count))

    def same(self, row: int, count: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The latents and the conditions of one event, again and again."""
        at = torch.full((count,), row)
        return _rows(self.noise, at), _rows(self.given, at)


def _rows(named: Given, at: Any) -> dict[str, Tensor]:
    return {name: value[at] for name, value in named.items()}


def views(surrogate: Surrogate, held: Batch, seed: int) -> Iterator[View]:
    """A walk, truncation, codes and mixing for pictures; attribute vectors for all."""
    latents = Latents(surrogate, held, seed)
    if surrogate.spec.layout == "image":
        generator = getattr(latents.model, "generator", None)
        styled = all(hasattr(generator, name) for name in ("styles", "synthesis", "truncated"))
        yield _walk(latents)
        yield _truncation(latents, generator if styled else None)
        if isinstance(latents.model, Pushforward):
            yield from _codes(latents)
        if styled:
            yield _mixing(latents, generator)
    if "z" in latents.noise:
        yield from _attributes(latents)


def _walk(latents: Latents) -> View:
    rows, held = {}, len(next(iter(latents.noise.values())))
    for k in range(min(4, held // 2) or 1):
        same, given = latents.same(k, 9)
        ends = _rows(latents.noise, torch.tensor([2 * k, 2 * k + 1]) % held)
        path = latent.walk({name: ends[name] for name in ("z",) if name in ends} or ends, 8)
        rows[f"walk {k + 1}"] = latents.made({**same, **path}, given)
    words = (
        "From one latent to another on the great circle, all else the same. A good model changes gradually and is "
        "plausible on the way; sudden changes are where its latent space is torn."
    )
    return View("Latent walk", words, image_rows(rows, [f"{k}/8" for k in range(9)]))


def _truncation(latents: Latents, styled: Any) -> View:
    few, given = latents.first(10)
    rows = {}
    for psi in PSIS:
        if styled is None:
            rows[f"ψ = {psi:g}"] = latents.made(latent.truncate(few, psi), given)
        else:
            rows[f"ψ = {psi:g}"] = latents.made(few, given, styled.truncated(psi).eval())
    where = "of the latents" if styled is None else "of W"
    words = f"The same ten latents nearer to the middle {where}, or further out: quality against variety."
    return View("Truncation", words, image_rows(rows))


def _codes(latents: Latents) -> Iterator[View]:
    """A row for each category and a column for each of nine values of a number, for every number that is a code."""
    codes = latents.model.latent
    kinds = {name: code.size for name, code in codes.items() if isinstance(code, CategoricalCode)}
    numbers = [(name, k) for name, code in codes.items() if isinstance(code, ContinuousCode) for k in range(code.size)]
    span = torch.linspace(-1, 1, 9)
    one, count = next(iter(kinds.items()), ("z", 4))
    for name, k in numbers or [("z", -1) for _ in kinds]:
        rows = {}
        for row in range(count):
            same, given = latents.same(0 if kinds else row, len(span))
            if kinds:
                same[one] = one_hot(torch.full((len(span),), row), count).to(same[one])
            if k < 0:
                same[name] = latents.noise[name][: len(span)]
            else:
                same[name][:, k] = span
            rows[f"{one} {row}"] = latents.made(same, given)
        across = f"{name} {k}, from -1 to 1" if numbers else "another z"
        words = (
            f"A row is another {one}, a column {across}; all else is the same. Nobody was told what a code means: the "
            "critic reads it off the picture."
        )
        heads = [f"{value:+g}" for value in span.tolist()] if numbers else []
        yield View(f"Codes: {name} {k}" if len(numbers) > 1 else "Codes", words, image_rows(rows, heads))


def _mixing(latents: Latents, generator: Any) -> View:
    few, given = latents.first(8)
    count = int(generator.count)

    def of(cut: int, source: int) -> Push:
        """Styles of `source` before layer `cut`, those of the first six after it; noise and conditions as they are."""

        def push(noise: Noise, told: Given) -> Tensor:
            styles = generator.styles(noise, told)
            return generator.synthesis(mix(styles[source : source + 1].expand_as(styles), styles, cut), noise)

        return push

    white = torch.ones(1, *latents.spec.x.shape)
    plain = latents.made(few, given)
    rows = {"its own": torch.cat([white, plain[:6]])}
    for name, cut in (("4 × 4", 2), ("up to 8 × 8", 4), ("up to 16 × 16", 6)):
        for letter, source in (("A", 6), ("B", 7)):
            if cut < count:
                made = latents.made(few, given, of(cut, source))
                rows[f"{letter}'s, {name}"] = torch.cat([plain[source : source + 1], made[:6]])
    words = (
        "Above, six events; on the left, two others. Each event in between has the first layers' styles from the left "
        "and the later ones' from above."
    )
    return View("Style mixing", words, image_rows(rows, gap=1))


def _attributes(latents: Latents) -> Iterator[View]:
    """Attribute vectors, and what adding them does: all under one event's conditions, which would else decide."""
    z = latents.noise["z"]
    given = latents.same(0, len(z))[1]
    events = Batch(latents.made(latents.noise, given), given)
    few, told = min(200, len(z)), _rows(given, slice(200))
    panels, rows = [], {}
    for observable in domains.observables(latents.spec):
        values = observable(events)
        if values.dim() > 1 or not bool(values.isfinite().all()) or not float(values.std()) > 0:
            continue
        vector = attribute(z, values)
        moved = [latents.made({**_rows(latents.noise, slice(few)), "z": z[:few] + k * vector}, told) for k in STEPS]
        means = [float(observable(Batch(x, told)).mean()) for x in moved]
        unit = f" / {observable.unit}" if observable.unit else ""
        panels.append(
            Curves(observable.name, "times the attribute vector", f"mean{unit}", {observable.name: (STEPS, means)})
        )
        rows[observable.name] = torch.stack([x[0] for x in moved])
        if len(panels) == ATTRIBUTES:
            break
    if panels:
        yield View(
            "Attribute vectors",
            "The mean latent of the tenth of events with most of an attribute minus that of those with least, added "
            "to other latents: the mean attribute of what comes out.",
            curves(panels),
        )
    if rows and latents.spec.layout == "image":
        heads = [f"{step:+g}" for step in STEPS]
        yield View("Latent arithmetic", "One event, with each attribute vector added.", image_rows(rows, heads))
