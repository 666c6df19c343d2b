"""The way back: from an event to the latent that comes nearest to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from simulacra.batch import Batch, Noise
from simulacra.errors import UserError
from simulacra.evaluation.latent import decode, evaluating
from simulacra.evaluation.likelihood import device_of
from simulacra.evaluation.measurement import Measurement
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


def invert(
    model: NoiseMap,
    codec: Codec,
    batch: Batch,
    *,
    restarts: int = 8,
    steps: int = 300,
    lr: float = 0.1,
    prior: float = 0.0,
    seed: int = 0,
) -> Inversion:
    """Inversion, argmin_z mean (g(z, given) - x)^2 + prior mean z^2: by Adam, the best of several random starts.

    Args:
        batch: physical events and conditions.
        restarts: starts per event, drawn as the model draws its noise.
        lr: at the start, with a cosine to zero.
        prior: how strongly latents are held near zero.

    Zhu et al., "Generative visual manipulation on the natural image manifold" (2016, arXiv:1609.03552).
    """
    if restarts < 1 or steps < 1:
        raise UserError(f"expected at least one restart and one step, came {restarts} and {steps}; give 1 or more")
    with torch.no_grad(), draws(seed_of(seed, "inversion")):
        wanted = codec.encode(batch.to(device_of(model)))
        many = wanted[torch.arange(len(batch)).repeat(restarts)]
        begin = model.noise(len(many))
    noise = {
        name: z.clone().requires_grad_() if z.is_floating_point() else z  # a class is kept as it was drawn
        for name, z in begin.items()
    }
    free = [z for z in noise.values() if z.requires_grad]
    optimizer = torch.optim.Adam(free, lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    def left() -> Tensor:  # [restarts * n]
        return (model.push(noise, many.given).x - many.x).square().flatten(1).mean(1)

    with evaluating(model):
        for _ in range(steps):
            loss = left() + prior * sum((z.square().flatten(1).mean(1) for z in free), torch.zeros(()))
            optimizer.zero_grad()
            loss.sum().backward(inputs=free)
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            rest = left().view(restarts, -1)
    best, events = rest.argmin(0), torch.arange(len(batch), device=rest.device)
    kept = {name: z.detach().view(restarts, len(batch), *z.shape[1:])[best, events] for name, z in noise.items()}
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
    with draws(seed_of(seed, "own events")), torch.no_grad():
        noise = model.noise(len(batch))
    own = invert(model, codec, decode(model, codec, noise, batch.given), seed=seed, **options)
    (value, error), (floor, floor_error) = (
        (float(v.mean()), float(v.std() / math.sqrt(len(v))) if len(v) > 1 else math.nan)
        for v in (found.distance.cpu(), own.distance.cpu())
    )
    return found, Measurement(value, error, floor, floor_error, len(batch))
