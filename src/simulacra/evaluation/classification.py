"""Which class an event belongs to: as a model reads it off, or by Bayes' rule from how probable it finds the event."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.special import entr
from torch import Tensor

from simulacra.batch import Batch, Given
from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array
from simulacra.evaluation.likelihood import device_of, log_likelihood
from simulacra.evaluation.measurement import Measurement
from simulacra.evaluation.weights import summary
from simulacra.protocols import Bound, Classifier, Codec, Density
from simulacra.random import draws as seeded
from simulacra.random import seed_of
from simulacra.training.game import Experiment


@dataclass(frozen=True, eq=False)
class Classes:
    """What a model says of the classes of events.

    Attributes:
        name: of the condition.
        log_posterior: log p(y | x) in nats, [n, classes] float64.
        way: how it was found, in words.
    """

    name: str
    log_posterior: Tensor
    way: str


def classify(
    experiment: Experiment,
    batch: Batch,
    name: str,
    shares: Tensor,
    *,
    uniform: bool = False,
    draws: int = 16,
    seed: int = 0,
) -> Classes:
    """log p(y | x) as `read_off` gives it, else `by_bayes`.

    Args:
        experiment: trained, in evaluation mode.
        batch: physical events, with the conditions that the run is told; the class itself is not looked at.
        shares: p(y) among the training events, [classes], which a classifier has learnt with the rest.
        uniform: whether classes are to count as equally frequent: the most probable is then that of maximum likelihood.

    Raises:
        UserError: the model can do neither.
    """
    model, codec = experiment.model, experiment.codec
    found = read_off(experiment, batch, name)
    if found is not None:
        if found.shape[1] != len(shares):
            raise UserError(
                f"expected {len(shares)} classes of {name}, the run tells {found.shape[1]} apart; train on one class"
            )
        return Classes(name, (found - shares.double().log()).log_softmax(1) if uniform else found, "read off")
    if not isinstance(model, (Density, Bound)):
        raise UserError(
            f"expected a run that can tell classes, {type(model).__name__} neither reads them nor has a density;"
            " use acgan or sgan, qda, cvae or a flow"
        )
    prior = torch.full_like(shares, 1 / len(shares)) if uniform else shares
    way = "Bayes' rule" if isinstance(model, Density) else f"Bayes' rule on bounds of {draws} draws"
    return Classes(name, by_bayes(model, codec, batch, name, prior, draws=draws, seed=seed), way)


def read_off(experiment: Experiment, batch: Batch, name: str, block: int = 1024) -> Tensor | None:
    """log p(y | x), [n, classes] float64, as a classifier, or a critic with a head for this class, reads it off x.

    The model classifies where it has `log_posterior`, else the critic of its `game`. The true class is taken out before
    anything looks. Codecs that blur draw from a seed of their own.

    Returns:
        The logarithms, or `None` where nothing in the experiment reads this class.
    """
    model: Any = experiment.model
    codec, game = experiment.codec, dict(experiment.learners.named_children()).get("game")
    out = []
    for k, start in enumerate(range(0, len(batch), block)):
        part = batch[start : start + block].to(device_of(model))
        part = replace(part, given={**part.given, name: torch.zeros_like(part.given[name])})
        with torch.no_grad(), seeded(seed_of(0, "classification", k)):
            code = codec.encode(part)
            if isinstance(model, Classifier):
                found = model.log_posterior(code)
            elif hasattr(game, "judge"):
                guess: Given = game.judge(code).guess  # type: ignore[union-attr, operator]
                if name not in guess:
                    return None
                found = guess[name].double().log_softmax(1)
            else:
                return None
        out.append(found.double().cpu())
    return torch.cat(out)


def by_bayes(
    model: Any, codec: Codec, batch: Batch, name: str, prior: Tensor, *, draws: int = 16, seed: int = 0
) -> Tensor:
    """`log p(y | x) = log p(x | y) + log p(y) - log p(x)`, [n, classes] in float64, by asking for every class in turn.

    A model with a bound puts its bound in the place of log p(x | y): the posterior is that of the bounds. All classes
    are asked with the same latents and the same blurring, so that these cancel in the comparison. Where an event is
    impossible in every class, the prior is all that is known.

    Args:
        model: a Density, else a Bound, that is told the class.
        batch: physical events; the class in `given` is not looked at.
        prior: p(y), [classes].
        draws: latents per event and class of a bound.

    Raises:
        UserError: the model has neither density nor bound, or does not listen to the class.

    Example:
        >>> from simulacra.testing import Unchanged
        >>> class Unit:  # classes at -1 and +1 of unit width: the odds at x are e^2x
        ...     def log_prob(self, batch: Batch) -> Tensor:
        ...         centre = 2.0 * batch.given["kind"] - 1
        ...         return torch.distributions.Normal(centre, 1.0).log_prob(batch.x[:, 0])
        >>> asked = Batch(torch.tensor([[1.0]]), {"kind": torch.tensor([0])})
        >>> found = by_bayes(Unit(), Unchanged(), asked, "kind", torch.tensor([0.5, 0.5]))
        >>> round((found[0, 1] - found[0, 0]).item(), 4)
        2.0

    For diffusion: Li et al. (2023, arXiv:2303.16203); in general, Ng and Jordan (2001).
    """
    rows = []
    for kind in range(len(prior)):
        told = replace(batch, given={**batch.given, name: torch.full_like(batch.given[name], kind)})
        block = 4096 if isinstance(model, Density) else max(1, 4096 // draws)
        rows.append(log_likelihood(model, codec, told, draws=draws, seed=seed, block=block))
    likelihood = torch.stack(rows, 1)
    if len(prior) > 1 and bool((likelihood == likelihood[:, :1]).all()):
        raise UserError(
            f"expected a model that is told the {name}, to it all are alike; use qda, cvae or a flow for p(x | {name})"
        )
    known = torch.isfinite(likelihood).any(1, keepdim=True)
    return (torch.where(known, likelihood, 0.0) + prior.double().log()).log_softmax(1)


def told_apart(log_posterior: Tensor, label: Tensor, weight: Tensor | None = None) -> dict[str, Measurement]:
    """How well classes were told apart, on events whose class is known.

    - `classified/right`: share of events whose most probable class is theirs; the floor is what always saying the
      commonest class gives.
    - `classified/surprise`: mean of -log p(y | x) in nats (the cross-entropy); the floor is that of the classes' own
      shares, the entropy of y, which is what knowing nothing of x gives. Infinite where a true class was excluded.
    - `classified/overconfidence`: mean of max_y p(y | x), less the share that is right; 0 for a calibrated posterior.

    Args:
        log_posterior: [n, classes]. label: [n] whole numbers. weight: of the events [n].

    Example:
        >>> sure = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.1]]).log()
        >>> found = told_apart(sure, torch.tensor([0, 0, 1, 1]))
        >>> [round(m.value, 2) for m in found.values()]
        [0.75, 0.65, 0.15]

    Guo et al., "On calibration of modern neural networks" (2017, arXiv:1706.04599).
    """
    own, w = log_posterior.double().numpy(), None if weight is None else weight.double().numpy()
    y, each = label.flatten().long().numpy(), np.ones(len(own)) if w is None else w
    hit = (own.argmax(1) == y).astype(float)
    share = np.bincount(y, weights=each, minlength=own.shape[1]) / each.sum()
    surprise = -own[np.arange(len(y)), y]
    over = np.exp(own.max(1)) - hit

    def measured(values: Array, floor: float, floor_error: float, unit: str = "") -> Measurement:
        if not np.isfinite(values).all():
            return Measurement(math.inf, math.nan, floor, floor_error, len(y), unit)
        mean, variance, count = summary(values, w)
        return Measurement(float(mean), math.sqrt(variance / count), floor, floor_error, len(y), unit)

    common = measured((y == share.argmax()).astype(float), 0.0, 0.0)
    blind = float(entr(share).sum())
    return {
        "classified/right": measured(hit, common.value, common.error),
        "classified/surprise": measured(surprise, blind, 0.0, "nats"),
        "classified/overconfidence": measured(over, 0.0, 0.0),
    }


def confusions(log_posterior: Tensor, label: Tensor) -> Tensor:
    """Events of every true class (rows) by their most probable class (columns), [classes, classes] counts.

    >>> confusions(torch.tensor([[0.0, -9.0], [-9.0, 0.0], [-9.0, 0.0]]), torch.tensor([0, 0, 1])).tolist()
    [[1, 1], [0, 1]]
    """
    levels = log_posterior.shape[1]
    pairs = label.flatten().long() * levels + log_posterior.argmax(1)
    return torch.bincount(pairs, minlength=levels * levels).view(levels, levels)
