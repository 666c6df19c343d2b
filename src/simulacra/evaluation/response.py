"""The calorimetrist's two numbers: is the visible energy right on average (bias), and in its spread (resolution)?"""

from __future__ import annotations

from typing import Any

import numpy as np

from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array, numbers, standardised
from simulacra.evaluation.measurement import Measurement
from simulacra.evaluation.weights import Weights, among, fewest, pooled, summary

FEWEST = 30
"""Events that a bin must have on each side."""


def energy_bins(energy: Array, width: float = 5.0, most: int = 40) -> list[tuple[float, float]]:
    """Bins of `width` over the energies seen; over ranges too wide for that, bins of a factor of two.

    >>> energy_bins(np.array([1.0, 12.0]))
    [(0.0, 5.0), (5.0, 10.0), (10.0, 15.0)]
    >>> energy_bins(np.array([1.0, 1000.0]))[:2]
    [(1.0, 2.0), (2.0, 4.0)]
    """
    low, high = float(energy.min()), float(energy.max())
    if (high - low) / width <= most:
        first, last = int(low // width), int(high // width)
        return [(k * width, (k + 1) * width) for k in range(first, last + 1)]
    start, stop = int(np.floor(np.log2(max(low, 1e-3)))), int(np.ceil(np.log2(high)))
    return [(2.0**k, 2.0 ** (k + 1)) for k in range(start, stop)]


def bias(reference: Any, generated: Any, *, weights: Weights = None) -> Measurement:
    """Relative difference of mean responses, `mean(generated) / mean(reference) - 1`; Welch's error.

    Its floor is 0 with the spread that two real samples of these sizes show. Means may be weighted, each with the
    variance sum w^2 (v - mean)^2 of its own.

    Example:
        >>> x = np.array([0.9, 1.1] * 50)
        >>> print(bias(x, 1.02 * x))
        0.020 ± 0.014 (floor 0.000 ± 0.014)
    """
    a, b = numbers(reference, "the reference's response"), numbers(generated, "the generated response")
    (scale, var_a, n), (mean, var_b, m) = (summary(v, w) for v, w in zip((a, b), weights or (None, None), strict=True))
    if scale == 0:
        raise UserError("expected a response other than zero in the reference, came zero; check its units")
    error = np.hypot(np.sqrt(var_b) / np.sqrt(m), mean / scale * np.sqrt(var_a) / np.sqrt(n)) / abs(scale)
    null = np.sqrt(var_a) / abs(scale) * np.sqrt(1 / n + 1 / m)
    return Measurement(float(mean / scale - 1), float(error), 0.0, float(null), round(min(n, m)))


def resolution_ratio(reference: Any, generated: Any, *, weights: Weights = None) -> Measurement:
    """Ratio of spreads, `sd(generated) / sd(reference)`, error from the data's own kurtosis.

    Var(ln s) = (kurtosis - 1) / (4 n) for each sample, with weights sum w^2 ((v - mean)^2 / s^2 - 1)^2 / 4. Its floor
    is 1. Divide by the spread at each energy first (`standardised`): that halves the error.

    Example:
        >>> x = np.array([-1.0, 0.0, 1.0] * 40)
        >>> round(resolution_ratio(x, 1.5 * x).value, 9)
        1.5
    """
    a, b = numbers(reference, "the reference"), numbers(generated, "the generated events")
    if a.std() == 0:
        raise UserError("expected responses that differ in the reference, came one value; give more events")
    (sd_a, va, n), (sd_b, vb, m) = (_spread(v, w) for v, w in zip((a, b), weights or (None, None), strict=True))
    ratio = float(sd_b / sd_a)
    error, null = ratio * np.sqrt(va / n + vb / m), np.sqrt(va / n + va / m)
    return Measurement(ratio, float(error), 1.0, float(null), round(min(n, m)))


def _spread(values: Array, weights: Array | None) -> tuple[float, float, float]:
    """The standard deviation, the variance of its logarithm times n, and n."""
    mean, variance, n = summary(values, weights)
    if weights is None:
        return np.sqrt(variance), max(_kurtosis(values) - 1, 0) / 4, n
    share, square = weights / weights.sum(), (values - mean) ** 2
    pulls = (square / (share @ square or 1.0) - 1) ** 2
    of_mean = float(share**2 @ pulls)
    return np.sqrt(variance), float(share @ pulls) / 4, float(share @ pulls) / of_mean if of_mean > 0 else n


def _kurtosis(values: Array) -> float:
    centred = values - values.mean()
    variance = float((centred**2).mean())
    return float((centred**4).mean()) / variance**2 if variance > 0 else 1.0


def response(
    reference: tuple[Any, Any],
    generated: tuple[Any, Any],
    floor_sample: tuple[Any, Any] | None = None,
    width: float = 5.0,
    unit: str = "GeV",
    *,
    weights: Weights = None,
) -> dict[str, Measurement]:
    """Bias and resolution ratio over all energies and per energy bin.

    Args:
        reference: (response [n], energy [n] in `unit`); generated likewise.
        floor_sample: the same of a second real sample: where it has as many events as the generated one, floors are
            measured with it, at the same sizes; else, and for weighted events, they are 0 and 1 with the spread
            expected of real samples.
        weights: of the reference and of the generated events, each [n], [m] or None.

    Returns:
        `response/bias`, `resolution/ratio`, and both per bin, `response/bias/5-10GeV`, where 30 events allow it.

    Raises:
        UserError: a number is not finite.
    """
    a, energy_a = (numbers(v, "the reference's response") for v in reference)
    b, energy_b = (numbers(v, "the generated response") for v in generated)
    out = _compare(a, energy_a, b, energy_b, energy_bins(energy_a, width), unit, weights)
    if weights is not None or floor_sample is None or len(floor_sample[0]) < len(b):
        return out
    c, energy_c = (numbers(v, "the floor sample")[: len(b)] for v in floor_sample)
    real = _compare(a, energy_a, c, energy_c, energy_bins(energy_a, width), unit)
    return {
        k: Measurement(m.value, m.error, real[k].value, real[k].error, m.n) if k in real else m for k, m in out.items()
    }


def _compare(
    a: Array, energy_a: Array, b: Array, energy_b: Array, edges: list[tuple[float, float]], unit: str,
    weights: Weights = None,
) -> dict[str, Measurement]:  # fmt: skip
    both, energies = np.concatenate([a, b]), np.concatenate([energy_a, energy_b])
    free, _, _ = standardised(both, energies, weights=pooled(weights, len(a), len(b)))
    free_a, free_b = free[: len(a)], free[len(a) :]
    out = {
        "response/bias": bias(a, b, weights=weights),
        "resolution/ratio": _relative(a, b, free_a, free_b, weights),
    }
    for low, high in edges:
        ra, rb = (energy_a >= low) & (energy_a < high), (energy_b >= low) & (energy_b < high)
        here = among(weights, ra, rb)
        if fewest(here, ra.sum(), rb.sum()) >= FEWEST:
            out[f"response/bias/{low:g}-{high:g}{unit}"] = bias(a[ra], b[rb], weights=here)
            out[f"resolution/ratio/{low:g}-{high:g}{unit}"] = _relative(a[ra], b[rb], free_a[ra], free_b[rb], here)
    return out


def _relative(a: Array, b: Array, free_a: Array, free_b: Array, weights: Weights) -> Measurement:
    """The ratio of sd / mean: spreads from the standardised response, means from the response."""
    ratio = resolution_ratio(free_a, free_b, weights=weights)
    of_a, of_b = weights or (None, None)
    means = float(np.average(a, weights=of_a) / np.average(b, weights=of_b))
    return Measurement(ratio.value * means, ratio.error * means, 1.0, ratio.floor_error, ratio.n)
