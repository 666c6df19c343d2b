"""Pictures against pictures: error, structural similarity, sharpness and power spectrum, without a classifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.measurement import Measurement


def mse(reference: Any, generated: Any) -> Measurement:
    """Mean squared error between picture i and its partner i, mean over pictures of |x - y|^2 / pixels.

    As for all metrics of pairs here, the floor is what a picture gives beside another real picture (the next one):
    what someone would score who hands in real pictures, only not the ones that were asked for.

    Args:
        reference: pictures [n, ..., H, W]; generated, their partners, of the same shape.

    Raises:
        UserError: a number is not finite, or the shapes differ.

    Example:
        >>> mse(np.zeros((2, 4, 4)), np.full((2, 4, 4), 0.1)).value.__round__(6)
        0.01
    """
    a, b = comparable(reference, generated, paired=True)
    return _mean_of_pairs(a, b, lambda x, y: (x - y).square().flatten(1).mean(1))


def psnr(reference: Any, generated: Any, *, peak: float = 1.0) -> Measurement:
    """Peak signal-to-noise ratio, 10 log10(peak^2 / MSE) of the mean squared error over all pictures, in dB.

    Infinite for identical pictures; 20 dB for noise of a tenth of the peak.

    Args:
        reference: pictures [n, ..., H, W]; generated, their partners.
        peak: the largest value that a pixel can take.

    Raises:
        UserError: a number is not finite, or the shapes differ.

    Example:
        >>> print(round(psnr(np.zeros((2, 4, 4)), np.full((2, 4, 4), 0.1)).value, 6))
        20.0
    """
    found = mse(reference, generated)

    def decibel(value: float, error: float) -> tuple[float, float]:
        if value == 0:
            return np.inf, 0.0
        return float(10 * np.log10(peak**2 / value)), float(10 / np.log(10) * error / value)

    return Measurement(
        *decibel(found.value, found.error), *decibel(found.floor, found.floor_error), n=found.n, unit="dB"
    )


def sharpness(reference: Any, generated: Any) -> Measurement:
    """Variance of the Laplacian of generated pictures, mean over pictures; the floor is that of real ones.

    The Laplacian is the sum of the four neighbours less four times the pixel; white noise of variance s^2 gives
    20 s^2, a plane 0. Blurred pictures lie below the floor, noisy ones above.

    Args:
        reference: real pictures [n, ..., H, W], at least 3 by 3; generated [m, ..., H, W].

    Raises:
        UserError: a number is not finite, or the pictures differ in shape or are smaller than 3 by 3.

    Example:
        >>> sharpness(np.eye(4)[None], np.ones((1, 4, 4))).value
        0.0

    Pech-Pacheco et al. (2000), ICPR.
    """
    a, b = comparable(reference, generated)
    if min(a.shape[-2:]) < 3:
        raise UserError(f"expected pictures of at least 3 by 3 pixels, came {tuple(a.shape[-2:])}; use larger ones")
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]], dtype=torch.double)[None, None]

    def each(x: Tensor) -> Array:
        edges = functional.conv2d(x.reshape(-1, 1, *x.shape[-2:]), kernel)
        return edges.flatten(1).var(1, correction=0).reshape(len(x), -1).mean(1).numpy()

    return Measurement(*_mean(each(b)), *_mean(each(a)), n=min(len(a), len(b)))


def power_spectrum(x: Any) -> tuple[Array, Array]:
    """Radially averaged power spectrum: mean of |DFT|^2 / pixels over rings of equal frequency, pictures and channels.

    Rings are one cycle per shorter side wide; ring 0 is the mean. White noise of variance s^2 has power s^2 in every
    ring; a sine of amplitude a has only its own ring.

    Args:
        x: pictures [n, ..., H, W].

    Returns:
        The rings' frequencies in cycles per pixel [R], up to 1/2, and their power [R].

    Example:
        >>> wave = np.cos(2 * np.pi * 4 / 16 * np.arange(16))[None, None] * np.ones((1, 16, 1))
        >>> frequency, power = power_spectrum(wave)
        >>> float(frequency[power.argmax()])
        0.25

    Durall, Keuper and Keuper (2020, arXiv:2003.01826) for its use on generated pictures.
    """
    frequency, power = _rings(comparable(x, x)[0])
    return frequency, power.mean(0)


def spectral_distance(reference: Any, generated: Any, *, permutations: int = 99, seed: int = 0) -> Measurement:
    """Root mean square over rings of log10(power of generated / power of real), freed of what equal samples give.

    D^2 = mean_r log10(Q_r / P_r)^2, value sqrt(max(D^2 - f^2, 0)) with f the mean D of random relabellings, floor the
    same of the relabelled samples; 1 is a factor of ten in every ring. Blur and checkerboards show at high
    frequencies, where the eye is weak.

    Args:
        reference: real pictures [n, ..., H, W]; generated [m, ..., H, W].

    Raises:
        UserError: a number is not finite, or the pictures differ in shape.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(400, 8, 8))
        >>> abs(spectral_distance(x[:200], 10 * x[200:]).value - 2) < 0.05
        True
    """
    a, b = comparable(reference, generated)
    power = np.concatenate([_rings(a)[1], _rings(b)[1]])
    power = np.maximum(power, 1e-12 * power.mean() + np.finfo(float).tiny)
    n, m = len(a), len(b)
    labels = np.zeros((permutations + 1, n + m))
    labels[:, :n] = 1.0
    labels[1:] = np.random.default_rng(seed).permuted(labels[1:], axis=1)
    real, made = labels @ power / n, (1 - labels) @ power / m
    logs = np.log10(made / real)
    everything = np.sqrt((logs**2).mean(1))
    f = everything[1:].mean()
    value, nulls = np.sqrt(max(everything[0] ** 2 - f**2, 0)), np.sqrt(np.maximum(everything[1:] ** 2 - f**2, 0))
    slope = logs[0] / (max(everything[0], np.finfo(float).tiny) * logs.shape[1] * np.log(10))
    pulls = (power[:n] @ (slope / real[0])).var() / n + (power[n:] @ (slope / made[0])).var() / m
    error = float(np.sqrt(max(pulls, everything[1:].var(ddof=1))))
    return Measurement(float(value), error, float(nulls.mean()), float(nulls.std(ddof=1)), min(n, m), "decades")


def comparable(reference: Any, generated: Any, paired: bool = False) -> tuple[Tensor, Tensor]:
    """Both as double [n, C, H, W]."""
    a, b = numbers(reference, "the reference"), numbers(generated, "the generated pictures")
    if a.ndim < 3 or a.shape[1:] != b.shape[1:] or (paired and len(a) != len(b)):
        kind = "a partner for every picture" if paired else "pictures of one shape"
        raise UserError(f"expected {kind}, [n, ..., height, width], came {a.shape} and {b.shape}; check both files")
    first, second = (torch.tensor(v).reshape(len(v), -1, *v.shape[-2:]) for v in (a, b))
    return first, second


def _mean(values: Array) -> tuple[float, float]:
    """Mean and its error; no error from a single value."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan


def _mean_of_pairs(a: Tensor, b: Tensor, metric: Callable[[Tensor, Tensor], Tensor]) -> Measurement:
    floor = _mean(in_blocks(a, a.roll(1, 0), metric)) if len(a) > 1 else (np.nan, np.nan)
    return Measurement(*_mean(in_blocks(a, b, metric)), *floor, n=len(a))


def in_blocks(a: Tensor, b: Tensor, metric: Callable[[Tensor, Tensor], Tensor], size: int = 256) -> Array:
    return torch.cat([metric(x, y) for x, y in zip(a.split(size), b.split(size), strict=True)]).numpy()


def _rings(x: Tensor) -> tuple[Array, Array]:
    """Frequencies [R] and each picture's power in the rings [n, R]."""
    height, width = x.shape[-2:]
    side = min(height, width)
    power = np.abs(np.fft.fft2(x.numpy())) ** 2 / (height * width)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    ring = np.rint(radius * side).astype(int).ravel()
    kept = ring <= side // 2
    belongs = (ring[:, None] == np.arange(side // 2 + 1)).astype(float)[kept]
    flat = power.mean(1).reshape(len(x), -1)[:, kept]
    return np.arange(side // 2 + 1) / side, flat @ (belongs / belongs.sum(0))
