"""How probable a model holds events that it has not seen: its density, a bound on it, or an estimate."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch

from simulacra.batch import Batch
from simulacra.evaluation.likelihood import device_of, log_likelihood, negative_log_likelihood
from simulacra.evaluation.measurement import Measurement
from simulacra.protocols import Bound, Codec, Density, Normalised
from simulacra.random import draws as seeded
from simulacra.random import seed_of

DRAWS = 64
"""Latents of every event under a bound."""


def held_out(model: Any, codec: Codec, batch: Batch, *, draws: int = DRAWS, seed: int = 0) -> dict[str, Measurement]:
    """Minus the mean log-likelihood of physical events, under a name that says what it is; nats per event.

    `nll` of a density, exact; `nll/bound_K` of a model with a bound, an upper limit from K latents (or draws of a time)
    for each event; `nll/annealed` of an energy, `E + log Z` with log Z summed or by annealed importance sampling, whose
    error is part of the measurement's. Where events are impossible under the model it is infinite, and
    `nll/impossible`, their share, stands in its place. Nothing where the model has none of them, or the codec is
    many-to-one.

    Example:
        >>> from simulacra.testing import Unchanged
        >>> class Normal:
        ...     def log_prob(self, batch: Batch) -> torch.Tensor:
        ...         return torch.distributions.Normal(0.0, 1.0).log_prob(batch.x).sum(1)
        >>> {k: round(m.value, 4) for k, m in held_out(Normal(), Unchanged(), Batch(torch.zeros(2, 2))).items()}
        {'nll': 1.8379}

    Theis, van den Oord and Bethge (2016, arXiv:1511.01844); Burda, Grosse and Salakhutdinov (2016, arXiv:1509.00519);
    Salakhutdinov and Murray (2008) for annealing.
    """
    try:
        if isinstance(model, Density):
            name, found, extra = "nll", log_likelihood(model, codec, batch, seed=seed), 0.0
        elif isinstance(model, Bound):
            block = max(1, 4096 // draws)
            name, extra = f"nll/bound_{draws}", 0.0
            found = log_likelihood(model, codec, batch, draws=draws, seed=seed, block=block)
        elif isinstance(model, Normalised):
            with seeded(seed_of(seed, "held out")), torch.no_grad():
                code = codec.encode(batch.to(device_of(model)))
                log_z, extra = model.log_normaliser()
                name, found = "nll/annealed", codec.log_det(batch).double() - model.energy(code).double().cpu() - log_z
        else:
            return {}
        impossible = found.isneginf()
        if impossible.any():
            share = negative_log_likelihood(-impossible.double(), weights=batch.weight)
            return {"nll/impossible": replace(share, floor=0.0, floor_error=0.0, unit="")}
        m = negative_log_likelihood(found, weights=batch.weight)
    except ValueError:  # the codec is many-to-one
        return {}
    return {name: replace(m, error=math.hypot(m.error, extra))}
