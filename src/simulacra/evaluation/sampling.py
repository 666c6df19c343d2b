"""How well a sampler explores a target: importance weights, unweighting, Markov chains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.fft import irfft, next_fast_len, rfft
from torch import Tensor

from simulacra.batch import Batch, Given
from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.likelihood import device_of, log_likelihood
from simulacra.evaluation.measurement import Measurement
from simulacra.protocols import Codec
from simulacra.random import draws as seeded
from simulacra.random import seed_of

WINDOW = 6.0
"""Autocorrelations are summed over this many autocorrelation times."""


def weighed(
    model: Any,
    codec: Codec,
    target: Callable[[Batch], Tensor],
    n: int,
    given: Given = {},
    *,
    seed: int = 0,
    block: int = 8192,
) -> tuple[Batch, Tensor]:
    """n events of a model with a density, and log weights log target(x) - log p(x) in physical units, [n].

    Args:
        model: a Sampler with a Density, such as a flow.
        target: log of the wanted density of a physical batch, up to a constant: minus an action or an energy.
        given: physical conditions, [n, ...] each.

    Raises:
        UserError: the model has no density.
    """
    parts = []
    for k, start in enumerate(range(0, n, block)):
        size = min(block, n - start)
        here = {name: value[start : start + size].to(device_of(model)) for name, value in given.items()}
        with seeded(seed_of(seed, "weighed", k)), torch.no_grad():
            made = model.sample(size, codec.encode_given(here))
            parts.append(codec.decode(Batch(made.x, here)).to("cpu"))
    events = Batch(
        torch.cat([p.x for p in parts]), {name: torch.cat([p.given[name] for p in parts]) for name in parts[0].given}
    )
    with torch.no_grad():
        return events, target(events).double() - log_likelihood(model, codec, events)


def effective_sample_size(log_weights: Any) -> Measurement:
    """Effective sample size, ESS = (sum w)^2 / (N sum w^2): what a weighted event is worth in unweighted ones.

    1 if and only if the sampler is exact, e^(-s^2) for weights of log-normal spread s. The error is that of the
    delta method; it is too small where a few weights carry the sum, and ESS is then too large.

    Args:
        log_weights: log target - log proposal [N], up to a constant.

    Raises:
        UserError: every weight is zero, or one is NaN or infinite.

    Example:
        >>> effective_sample_size([0.0, 0.0, -np.inf, -np.inf]).value
        0.5

    Kong (1992); Liu, "Monte Carlo strategies in scientific computing" (2001).
    """
    w = _weights(log_weights)
    first, second = w.mean(), (w**2).mean()
    pull = 2 * first / second * (w - first) - (first / second) ** 2 * (w**2 - second)
    return Measurement(float(first**2 / second), float(pull.std() / np.sqrt(len(w))), 1.0, 0.0, len(w))


def unweighting_efficiency(log_weights: Any, overweight: float = 1e-3) -> Measurement:
    """Unweighting efficiency: the share of events kept when each is accepted with probability min(1, w / w_max).

    The largest weight of a sample grows without end with its size. A robust w_max cuts off a stated share of the
    total: E max(w - w_max, 0) = overweight E w. Then the efficiency is (1 - overweight) <w> / w_max. Events above w_max
    keep the weight w / w_max; dropping it changes no probability by more than `overweight`.

    Args:
        log_weights: [N], up to a constant.
        overweight: the share cut off; 0 takes the sample's largest weight, whose own error is then left out.

    Raises:
        UserError: every weight is zero, or `overweight` is not in [0, 1).

    Example:
        >>> w = (np.arange(1000) + 0.5) / 1000  # a density that rises linearly, thrown uniformly
        >>> round(unweighting_efficiency(np.log(w), overweight=0).value, 2)
        0.5

    Gao, Isaacson and Krause, i-flow (2020, arXiv:2001.05486).
    """
    if not 0 <= overweight < 1:
        raise UserError(f"expected an overweight from 0 to below 1, came {overweight}; such as 0.001")
    w = _weights(log_weights)
    n, mean = len(w), w.mean()
    top = robust_maximum(w, overweight)
    pull = (w - mean) / top
    if overweight:
        above = float((w > top).mean())
        pull = pull - mean / top**2 * (np.maximum(w - top, 0) - overweight * w) / max(above, 1 / n)
    value, error = (1 - overweight) * mean / top, (1 - overweight) * pull.std() / np.sqrt(n)
    return Measurement(float(value), float(error), 1.0, 0.0, n)


def robust_maximum(weights: Array, overweight: float = 1e-3) -> float:
    """The w_max with sum max(w - w_max, 0) = overweight sum w; the largest weight for 0.

    >>> float(robust_maximum(np.array([1.0, 1.0, 2.0]), 0.125))
    1.5
    """
    ordered = np.sort(weights)[::-1]
    beyond = np.cumsum(ordered) - np.arange(1, len(ordered) + 1) * ordered  # the excess with w_max at each weight
    budget = overweight * ordered.sum()
    k = int(np.searchsorted(beyond, budget, side="right"))  # the k largest lie above w_max
    return float((ordered[:k].sum() - budget) / k)


def metropolised(log_weights: Any, *, seed: int = 0) -> tuple[Array, Array]:
    """Independent proposals made into a Markov chain of the target: row in the chain and accepted, [N] each.

    Proposal x' replaces x with probability min(1, w(x') / w(x)); the first one starts the chain.

    Example:
        >>> metropolised([0.0, -np.inf, 0.0])[0].tolist()
        [0, 0, 2]

    Hastings (1970); for flows on a lattice Albergo, Kanwar and Shanahan (2019, arXiv:1904.12072).
    """
    logs = _logs(log_weights)
    threshold = np.log(np.random.default_rng(seed).random(len(logs)))
    rows, accepted, here = np.zeros(len(logs), dtype=int), np.zeros(len(logs), dtype=bool), 0
    for k in range(1, len(logs)):
        if logs[here] == -np.inf or threshold[k] < logs[k] - logs[here]:
            here, accepted[k] = k, True
        rows[k] = here
    return rows, accepted


def acceptance(accepted: Any) -> Measurement:
    """Share of accepted proposals of a chain; 1 for independent proposals from the target itself.

    The error counts that neighbours in the chain are alike, sqrt(2 tau p (1 - p) / N).

    Args:
        accepted: yes or no [N], or [chains, N].

    Example:
        >>> acceptance(np.tile([1, 0, 0, 1], 50)).value
        0.5
    """
    taken = numbers(np.asarray(accepted, dtype=float), "the acceptances")
    mean = float(taken.mean())
    if mean in (0.0, 1.0):
        return Measurement(mean, 0.0, 1.0, 0.0, taken.size)
    return Measurement(mean, chain_mean(taken).error, 1.0, 0.0, taken.size)


def autocorrelation(chain: Any) -> Array:
    """rho(t) = C(t) / C(0) for lags 0 to T - 1, averaged over chains with one common mean; [T].

    Args:
        chain: [T], or [chains, T].

    Raises:
        UserError: the chain never moves.
    """
    values = np.atleast_2d(numbers(chain, "the chain"))
    if values.ndim != 2:
        raise UserError(f"expected a chain [T] or chains [R, T], came {values.shape}; take one observable at a time")
    steps = values.shape[1]
    moved = values - values.mean()
    if not (np.abs(moved) > 1e-12 * np.abs(values).max()).any():
        raise UserError("expected a chain that moves, came one value; run longer or choose another observable")
    size = next_fast_len(2 * steps, real=True)
    sums = np.asarray(irfft(np.abs(np.asarray(rfft(moved, size))) ** 2, size))[:, :steps].sum(0)
    covariance = sums / (len(values) * (steps - np.arange(steps)))
    return covariance / covariance[0]


def autocorrelation_time(chain: Any, window: float = WINDOW) -> Measurement:
    """Integrated autocorrelation time tau = 1/2 + sum_{t=1}^W rho(t), W the smallest with W >= window max(tau, 1/2).

    The mean of N steps has the error of N / (2 tau) independent ones; tau is 1/2 for independent steps, and
    (1 + r) / (1 - r) / 2 where each step keeps the share r of the last. The sum stops in time, as noise would swamp
    it (bias about e^-window); tau (1 + (2 W + 1) / N) allows for the mean being estimated; the error is
    2 tau sqrt((W + 1/2 - tau) / N). The floor is that of independent steps. Where neighbours are strongly opposite
    (r below -1/2) the sum stops too soon, and tau is no use but for being below 1/2.

    Args:
        chain: one observable along the chain [T], or of several chains [R, T]; N counts all steps.

    Raises:
        UserError: the chain never moves, or is shorter than 2 W.

    Example:
        >>> independent = np.random.default_rng(0).normal(size=10000)
        >>> print(autocorrelation_time(independent))
        0.51 ± 0.02 (floor 0.50 ± 0.02)

    Madras and Sokal (1988), appendix C; Wolff (2004, hep-lat/0306017).
    """
    rho = autocorrelation(chain)
    steps = np.size(chain)
    sums = np.cumsum(rho) - 0.5
    lags = np.arange(len(rho))
    closed = lags >= window * np.maximum(sums, 0.5)  # a chain that alternates must not close at once
    last = int(closed.argmax())
    if not closed.any() or 2 * last > len(rho):
        raise UserError(f"expected a chain of many autocorrelation times, came {len(rho)} steps; run it longer")
    tau = float(sums[last] * (1 + (2 * last + 1) / steps))
    error = 2 * abs(tau) * np.sqrt(max(last + 0.5 - tau, 0.5) / steps)
    return Measurement(tau, float(error), 0.5, float(np.sqrt(np.ceil(window / 2) / steps)), steps)


def chain_mean(chain: Any, window: float = WINDOW) -> Measurement:
    """The mean over a chain, its error sqrt(2 max(tau, 1/2) var / N); the floor is not known (NaN).

    A chain that alternates is given the error of independent steps, which is too large.

    Raises:
        UserError: the chain never moves, or is too short.
    """
    values = numbers(chain, "the chain")
    tau = autocorrelation_time(values, window).value
    error = np.sqrt(2 * max(tau, 0.5) * values.var() / values.size)
    return Measurement(float(values.mean()), float(error), np.nan, np.nan, values.size)


def _logs(log_weights: Any) -> Array:
    """Log weights below their largest, where -inf stands for a weight of zero."""
    held = log_weights.detach().cpu().double().numpy() if isinstance(log_weights, Tensor) else log_weights
    logs = np.asarray(held, dtype=np.float64)
    if logs.ndim != 1 or len(logs) < 2:
        raise UserError(f"expected two or more log weights [N], came the shape {logs.shape}; give one per event")
    if np.isnan(logs).any() or logs.max() == np.inf:
        raise UserError("expected log weights that are numbers or -inf, came NaN or inf; check target and proposal")
    if logs.max() == -np.inf:
        raise UserError("expected at least one weight above zero, came none; the proposal misses the target")
    return logs - logs.max()


def _weights(log_weights: Any) -> Array:
    return np.exp(_logs(log_weights))
