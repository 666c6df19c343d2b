"""How probable held-out events are under a model: nats per event, bits per dimension, and what stands behind them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from simulacra.batch import Batch, Given
from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.measurement import Measurement
from simulacra.protocols import Bound, Codec, Density
from simulacra.random import draws as seeded
from simulacra.random import seed_of

SINGLE = 1e-6
"""Relative precision of densities in single precision."""


def device_of(model: Any) -> torch.device:
    """Where a model computes: the device of its first parameter, the CPU where it has none."""
    first = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    return torch.device("cpu") if first is None else first.device


def log_likelihood(
    model: Any, codec: Codec, batch: Batch, *, draws: int = 1, seed: int = 0, block: int = 4096
) -> Tensor:
    """Log-likelihood log p(x | given) in nats per physical unit, through the codec's change of variables; [n] float64.

    log p(x) = log p_model(encode(x)) + log |d encode / d x|. A model with a bound only gives the bound, which lies
    below log p in expectation; what the codec blurs (`dequantise`) is drawn from `seed`.

    Args:
        model: a Density, else a Bound.
        batch: physical events and conditions.
        draws: latents per event of a bound; a Density has no use for them.

    Raises:
        UserError: the model has neither a density nor a bound, or the codec is many-to-one.

    Example:
        >>> from simulacra.testing import Unchanged
        >>> class Normal:
        ...     def log_prob(self, batch: Batch) -> Tensor:
        ...         return torch.distributions.Normal(0.0, 1.0).log_prob(batch.x).sum(1)
        >>> round(log_likelihood(Normal(), Unchanged(), Batch(torch.zeros(1, 2))).item(), 4)  # -log(2 pi)
        -1.8379
    """
    if not isinstance(model, (Density, Bound)):
        name = type(model).__name__
        raise UserError(f"expected a model with log_prob or log_prob_bound, came {name}; judge its samples instead")
    out = []
    for k, start in enumerate(range(0, len(batch), block)):
        part = batch[start : start + block].to(device_of(model))
        with seeded(seed_of(seed, "likelihood", k)), torch.no_grad():
            code = codec.encode(part)
            inside = model.log_prob(code) if isinstance(model, Density) else model.log_prob_bound(code, draws)
            out.append((inside.double() + codec.log_det(part).double()).cpu())
    return torch.cat(out) if out else torch.zeros(0, dtype=torch.float64)


def negative_log_likelihood(log_prob: Any, exact: Any = None, *, weights: Any = None) -> Measurement:
    """-mean log p in nats per event: the cross-entropy, whose smallest possible value is the entropy of the truth.

    The error is that of a mean over events. The floor is the entropy, -mean log p_true over the same events; it is
    not known (NaN) without `exact`. Two models compare by `kullback_leibler`, where what the events share cancels.

    Args:
        log_prob: of held-out events [n], from `log_likelihood`; of a bound, the value is an upper limit.
        exact: log density of the truth at the same events [n].
        weights: of the events [n].

    Raises:
        UserError: an event has density zero.

    Example:
        >>> print(negative_log_likelihood([-1.0, -2.0, -1.0, -2.0], exact=[-1.0, -1.5, -1.0, -1.5]))
        1.50 ± 0.29 nats/event (floor 1.25 ± 0.14)

    Theis, van den Oord and Bethge, "A note on the evaluation of generative models" (2016, arXiv:1511.01844).
    """
    value, error = _mean(-_densities(log_prob), weights)
    floor, floor_error = (math.nan, math.nan) if exact is None else _mean(-_densities(exact), weights)
    return Measurement(value, error, floor, floor_error, len(log_prob), "nats/event")


def kullback_leibler(log_prob: Any, exact: Any, *, weights: Any = None) -> Measurement:
    """KL(truth | model) = mean (log p_true - log p) over events of the truth, in nats per event; 0 for the truth.

    Both densities are taken at the same events, so the error is that of the difference. A single sample may come
    out below zero by its error.

    Args:
        log_prob: of the model [n]; exact: of the truth [n], at the same physical events.

    Raises:
        UserError: an event has density zero, or the lengths differ.

    Example:
        >>> kullback_leibler([-1.5, -2.0], exact=[-1.0, -2.0]).value
        0.25

    Kullback and Leibler (1951).
    """
    a, b = _densities(exact), _densities(log_prob)
    if len(a) != len(b):
        raise UserError(f"expected densities of the same events, came {len(b)} and {len(a)}; take both at one batch")
    value, error = _mean(a - b, weights)
    return Measurement(value, error, 0.0, 0.0, len(a), "nats/event")


def bits_per_dimension(
    log_prob: Any, size: int, width: float = 1.0, exact: Any = None, *, weights: Any = None
) -> Measurement:
    """-(mean log p + D log width) / (D log 2): code length per number, of values kept to a precision of `width`.

    For grey levels k the density must be that of k blurred uniformly over one level (uniform dequantisation: by the
    codec's `dequantise`, or `dequantised`). By Jensen's inequality the value is then an upper limit of the bits per
    dimension of the model's own probabilities of the levels, P(k) = int p over the level.

    Args:
        log_prob: log density [n] in the unit of `width`, from `log_likelihood`.
        size: D, numbers per event.
        width: of one level in physical units: 1 / 255 for pictures from 0 to 1.
        exact: log density of the truth [n], for the floor.

    Example:
        >>> uniform = np.full(5, 3 * np.log(255 / 256))  # three pixels, all 256 levels alike
        >>> bits_per_dimension(uniform, size=3, width=1 / 255).value
        8.0

    Theis, van den Oord and Bethge (2016, arXiv:1511.01844); Uria, Murray and Larochelle, RNADE (2013, arXiv:1306.0186).
    """
    if size < 1 or width <= 0:
        raise UserError(f"expected a positive size and width, came {size} and {width}; give D and the size of a level")
    nats, scale = negative_log_likelihood(log_prob, exact, weights=weights), size * math.log(2)
    shift = math.log(width) / math.log(2)
    return Measurement(
        nats.value / scale - shift,
        nats.error / scale,
        nats.floor / scale - shift,
        nats.floor_error / scale,
        nats.n,
        "bits/dim",
    )


def dequantised(batch: Batch, width: float, seed: int = 0) -> Batch:
    """The events blurred uniformly over one level, `x + width u` with u in [0, 1): what a density can be asked of.

    >>> blurred = dequantised(Batch(torch.zeros(1000, 1)), 0.5)
    >>> bool((blurred.x >= 0).all() and (blurred.x < 0.5).all())
    True
    """
    with seeded(seed_of(seed, "dequantised")):
        return batch.with_x(batch.x + width * torch.rand_like(batch.x))


def bounds(
    model: Bound,
    codec: Codec,
    batch: Batch,
    draws: Sequence[int] = (1, 10, 100),
    exact: Any = None,
    *,
    seed: int = 0,
    block: int = 256,
) -> dict[str, Measurement]:
    """The negative of the bound on log p with K latents per event, `nll/bound_K`, in nats per event.

    The mean of log (1/K sum_k w_k) over latents lies below log p, for the log of an average is biased low; in an
    importance-weighted bound it never falls with K, and the last step shows how much bias may be left.

    Raises:
        UserError: an event has density zero.

    Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders" (2016, arXiv:1509.00519).
    """

    def at(count: int) -> Tensor:
        return log_likelihood(model, codec, batch, draws=count, seed=seed, block=block)

    return {f"nll/bound_{k}": negative_log_likelihood(at(k), exact, weights=batch.weight) for k in draws}


def importance_weighted(log_weights: Any, exact: Any = None) -> dict[str, Measurement]:
    """Importance-weighted bound -mean_i log (1/K sum_k w_ik), and how far it lies above -log p; nats per event.

    E log mean_k w is below log E w by Var(w) / (2 K E[w]^2) to first order in 1/K (delta method), estimated from each
    event's own weights. Where `nll/bias_K` is not small the weights are too few, and it is itself too low.

    Args:
        log_weights: log p(x, z) - log q(z | x) [n, K], z drawn from q.
        exact: log p(x) [n], for the floor.

    Returns:
        `nll/importance_K` and `nll/bias_K`, K the number of draws.

    Raises:
        UserError: fewer than two draws, or a weight that is not finite.

    Example:
        >>> found = importance_weighted(np.log([[0.2, 0.2], [0.1, 0.1]]))
        >>> [round(m.value, 4) for m in found.values()]
        [1.956, 0.0]

    Burda, Grosse and Salakhutdinov (2016, arXiv:1509.00519).
    """
    logs = numbers(log_weights, "the log weights")
    if logs.ndim != 2 or logs.shape[1] < 2:
        raise UserError(f"expected log weights [events, draws of 2 or more], came {logs.shape}; draw more latents")
    count = logs.shape[1]
    top = logs.max(1, keepdims=True)
    weight = np.exp(logs - top)
    mean = weight.mean(1)
    bias, bias_error = _mean(weight.var(1, ddof=1) / mean**2 / (2 * count), None)
    return {
        f"nll/importance_{count}": negative_log_likelihood(np.log(mean) + top[:, 0], exact),
        f"nll/bias_{count}": Measurement(bias, bias_error, 0.0, 0.0, len(logs), "nats/event"),
    }


def normalisation(
    model: Density,
    codec: Codec,
    box: Sequence[tuple[float, float]],
    points: int = 257,
    given: Given | None = None,
) -> Measurement:
    """int exp(log p) dx over a box of one or two dimensions in physical units, which must be 1.

    The trapezoidal rule, exponentially accurate for smooth densities inside the box; its error is the difference to
    every second point. Less than 1 also where the box leaves probability outside.

    Args:
        box: (low, high) of each of the one or two coordinates.
        points: along each axis; made odd.
        given: conditions of one event [1, ...], at which the density is taken.

    Raises:
        UserError: the box has another number of dimensions.
    """
    if len(box) not in (1, 2):
        raise UserError(f"expected a box of 1 or 2 dimensions, came {len(box)}; a grid is no use for more")
    points += 1 - points % 2
    axes = [torch.linspace(low, high, points, dtype=torch.float64) for low, high in box]
    grid = torch.cartesian_prod(*axes).view(-1, len(box)).float()
    told = {name: value.expand(len(grid), *value.shape[1:]) for name, value in (given or {}).items()}
    density = log_likelihood(model, codec, Batch(grid, told)).exp().numpy().reshape([points] * len(box))
    fine, coarse = _trapezoid(density, box), _trapezoid(density[(slice(None, None, 2),) * len(box)], box)
    return Measurement(fine, max(abs(fine - coarse), SINGLE * abs(fine)), 1.0, 0.0, density.size)


def _trapezoid(values: Array, box: Sequence[tuple[float, float]]) -> float:
    for low, high in box:
        values = np.trapezoid(values, dx=(high - low) / (len(values) - 1), axis=0)
    return float(values)


def _densities(log_prob: Any) -> Array:
    held = log_prob.detach().cpu().double().numpy() if isinstance(log_prob, Tensor) else np.asarray(log_prob, float)
    if (held == -np.inf).any():
        count = int((held == -np.inf).sum())
        raise UserError(
            f"expected every event to be possible, came density zero for {count} of {len(held)}; its likelihood is zero"
        )
    return numbers(held, "the log densities")


def _mean(values: Array, weights: Any) -> tuple[float, float]:
    """A weighted mean over events and its standard error."""
    w = np.ones(len(values)) if weights is None else numbers(weights, "the weights")
    if len(w) != len(values) or w.sum() <= 0:
        raise UserError(f"expected {len(values)} weights of positive sum, came {len(w)}; give one per event")
    mean = float((w * values).sum() / w.sum())
    n = len(values)
    spread = math.sqrt(float((w**2 * (values - mean) ** 2).sum()) * n / (n - 1)) / w.sum() if n > 1 else math.nan
    return mean, float(spread)
