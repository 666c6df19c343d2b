"""The way back: from an event to the latent that comes nearest to it, by search, by a learned encoder, or by both."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from simulacra.batch import Batch, DataSpec, Field, Given, Noise
from simulacra.errors import UserError
from simulacra.evaluation.latent import decode, evaluating, of_kinds
from simulacra.evaluation.likelihood import device_of
from simulacra.evaluation.measurement import Measurement
from simulacra.networks import Critic, critic_for
from simulacra.protocols import Codec, NoiseMap
from simulacra.random import draws, seed_of


@dataclass(frozen=True, eq=False)
class Inversion:
    """The latents whose events come nearest to given ones.

    Attributes:
        noise: by name, [n, ...].
        distance: root mean square of what is left, in encoded units, [n].
    """

    noise: Noise
    distance: Tensor


class Inverse(nn.Module):
    """A learned encoder: a network that reads off an event the latents which made it, and the way back by one look.

    Its network is built like a critic of the data.

    Args:
        model: whose latents are read, and its codec.
        data: what the model's own events are, encoded.
        names: of the latents to read, rows of numbers; the others are drawn, as pixels' noise should be, which no event
            tells and which takes its share of the loss. All rows where left out.
        options: of the network, as in `critic_for`.

    Source: Perarnau, van de Weijer, Raducanu and Alvarez, "Invertible conditional GANs" (2016), arXiv 1611.06355.
    """

    def __init__(
        self, model: NoiseMap, codec: Codec, data: DataSpec, *, names: Sequence[str] | None = None, **options: Any
    ) -> None:
        super().__init__()
        self._model, self._codec = (model,), (codec,)  # not its own: neither trained nor saved with it
        with draws(0), torch.no_grad():
            rows = {name: Field((z.shape[1],)) for name, z in model.noise(1).items() if z.dim() == 2}
        read = {name: field for name, field in rows.items() if names is None or name in names}
        self.reader: Critic = critic_for(data, reads=read, **options)

    def forward(self, batch: Batch) -> Noise:
        """The latents of encoded events, the nearest that can be drawn."""
        return _near(self._model[0], {**self._model[0].noise(len(batch)), **self.reader(batch.x, batch.given).guess})

    def learn(
        self, given: Given, *, steps: int = 1000, batch: int = 64, lr: float = 1e-3, seed: int = 0
    ) -> list[float]:
        """Trains on the model's own events, whose latents are known: mean (E(g(z, y), y) - z)^2; gives its course.

        Args:
            given: physical conditions [N, ...] from which those of the events are taken.
        """
        model, codec, course = self._model[0], self._codec[0], []
        rows = len(next(iter(given.values()), torch.zeros(1)))
        self.to(device_of(model))
        weights = [p for n, p in self.named_parameters() if not n.startswith("reader.head")]
        optimizer = torch.optim.Adam(weights, lr)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        self.train()
        with evaluating(model), draws(seed_of(seed, "encoder")):
            for _ in range(steps):
                with torch.no_grad():
                    chosen = torch.randint(rows, (batch,))
                    told = codec.encode_given({k: v[chosen].to(device_of(model)) for k, v in given.items()})
                    noise = model.noise(batch)
                    own = model.push(noise, told)
                guess = self.reader(own.x, told).guess
                loss = torch.stack([(z - noise[name]).square().mean() for name, z in guess.items()]).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                course.append(loss.item())
        self.eval()
        return course

    def invert(self, batch: Batch, seed: int = 0) -> Inversion:
        """The latents read off physical events, and how far the events made of them lie."""
        with evaluating(self):
            return read(self._model[0], self._codec[0], self, batch, seed)

    def error(self, batch: Batch, seed: int = 0) -> tuple[Inversion, Measurement]:
        """As `inversion_error`, without a search."""
        with evaluating(self):
            return reading_error(self._model[0], self._codec[0], self, batch, seed)


def read(model: NoiseMap, codec: Codec, encoder: Callable[[Batch], Noise], batch: Batch, seed: int = 0) -> Inversion:
    """The latents that an encoder reads off physical events, and how far the events made of them lie.

    Args:
        encoder: encoded events -> latents by name, such as an `Inverse` or the one that a bidirectional GAN has.
    """
    with evaluating(model), torch.no_grad(), draws(seed_of(seed, "guess")):
        wanted = codec.encode(batch.to(device_of(model)))
        noise = encoder(wanted)
        left = (model.push(noise, wanted.given).x - wanted.x).square().flatten(1).mean(1)
    return Inversion(noise, left.sqrt())


def reading_error(
    model: NoiseMap, codec: Codec, encoder: Callable[[Batch], Noise], batch: Batch, seed: int = 0
) -> tuple[Inversion, Measurement]:
    """As `inversion_error`, by an encoder in place of a search."""
    found = read(model, codec, encoder, batch, seed)
    return found, _distance(found, read(model, codec, encoder, own_events(model, codec, batch, seed), seed))


def invert(
    model: NoiseMap,
    codec: Codec,
    batch: Batch,
    *,
    restarts: int = 8,
    steps: int = 300,
    lr: float = 0.1,
    prior: float = 0.0,
    first: Callable[[Batch], Noise] | None = None,
    seed: int = 0,
) -> Inversion:
    """Inversion, argmin_z mean (g(z, given) - x)^2 + prior mean z^2: by Adam, the best of several random starts.

    The search stays among the latents that can be drawn, where the model has a `project` that says which these are:
    numbers are put back into their range after every step. Of a one-hot category the search moves numbers whose largest
    one counts, with the gradient as if they were the category themselves (straight through).

    Args:
        batch: physical events and conditions.
        restarts: starts per event, drawn as the model draws its noise.
        lr: at the start, with a cosine to zero.
        prior: how strongly latents are held near zero.
        first: makes the first start of encoded events, such as an `Inverse`; the others are drawn.

    Zhu et al., "Generative visual manipulation on the natural image manifold" (2016, arXiv:1609.03552).
    """
    if restarts < 1 or steps < 1:
        raise UserError(f"expected at least one restart and one step, came {restarts} and {steps}; give 1 or more")
    with evaluating(model), torch.no_grad(), draws(seed_of(seed, "inversion")):
        wanted = codec.encode(batch.to(device_of(model)))
        many = wanted[torch.arange(len(batch)).repeat(restarts)]
        begin = dict(model.noise(len(many)))
        if first is not None:
            begin |= {name: torch.cat([z.detach(), begin[name][len(batch) :]]) for name, z in first(wanted).items()}
        begin = dict(_near(model, begin))
    kinds = {name for name, z in begin.items() if of_kinds(z)}
    noise = {
        name: z.clone().requires_grad_() if z.is_floating_point() else z  # a class is kept as it was drawn
        for name, z in begin.items()
    }
    free = [z for z in noise.values() if z.requires_grad]
    optimizer = torch.optim.Adam(free, lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    def left() -> Tensor:  # [restarts * n]
        near = _near(model, noise)
        there = {name: near[name].detach() + (z - z.detach()) for name, z in noise.items()}
        return (model.push(there, many.given).x - many.x).square().flatten(1).mean(1)

    with evaluating(model):
        for _ in range(steps):
            loss = left() + prior * sum((z.square().flatten(1).mean(1) for z in free), torch.zeros(()))
            optimizer.zero_grad()
            loss.sum().backward(inputs=free)
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                for name, near in _near(model, noise).items():
                    if name not in kinds:
                        noise[name].copy_(near)
        with torch.no_grad():
            rest = left().view(restarts, -1)
    best, events = rest.argmin(0), torch.arange(len(batch), device=rest.device)
    kept = {
        name: z.detach().view(restarts, len(batch), *z.shape[1:])[best, events]
        for name, z in _near(model, noise).items()
    }
    return Inversion(kept, rest[best, events].sqrt())


def inversion_error(
    model: NoiseMap, codec: Codec, batch: Batch, *, seed: int = 0, **options: Any
) -> tuple[Inversion, Measurement]:
    """The inversion of real events and its mean distance; the floor is that of the model's own events.

    Own events have a latent by construction, so their distance is what the search leaves. Events that lie further
    away are ones that the model cannot make (a dropped mode, a missing detail).

    Args:
        options: of `invert`.
    """
    found = invert(model, codec, batch, seed=seed, **options)
    own = invert(model, codec, own_events(model, codec, batch, seed), seed=seed, **options)
    return found, _distance(found, own)


def own_events(model: NoiseMap, codec: Codec, batch: Batch, seed: int = 0) -> Batch:
    """Events of the model's own at the conditions of physical ones."""
    with draws(seed_of(seed, "own events")), torch.no_grad():
        return decode(model, codec, model.noise(len(batch)), batch.given)


def _near(model: Any, noise: Noise) -> Noise:
    """The nearest latents that the model can draw, where it says which these are."""
    return model.project(noise) if hasattr(model, "project") else noise


def _distance(found: Inversion, own: Inversion) -> Measurement:
    (value, error), (floor, floor_error) = (
        (float(v.mean()), float(v.std() / math.sqrt(len(v))) if len(v) > 1 else math.nan)
        for v in (found.distance.cpu(), own.distance.cpu())
    )
    return Measurement(value, error, floor, floor_error, len(found.distance))
