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

K1, K2, WINDOW, SIGMA = 0.01, 0.03, 11, 1.5
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of MS-SSIM from the finest scale to the coarsest (Wang et al. 2003)."""
SMALLEST = 7
"""Pixels that the coarsest scale of MS-SSIM keeps along its shorter side."""


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
    a, b = _pictures(reference, generated, paired=True)
    return _paired(a, b, lambda x, y: (x - y).square().flatten(1).mean(1))


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


def ssim(reference: Any, generated: Any, *, peak: float = 1.0) -> Measurement:
    """Structural similarity of picture i and its partner i: 1 where they are equal, near 0 where unrelated.

    Mean over places of (2 mx my + C1)(2 cov + C2) / ((mx^2 + my^2 + C1)(vx + vy + C2)), with means, variances and
    covariance in an 11 x 11 Gaussian window (sigma 1.5) that lies inside the picture, C1 = (0.01 peak)^2 and
    C2 = (0.03 peak)^2. A picture smaller than 11 pixels gets the largest odd window that fits, with sigma shrunk in
    proportion. Channels are compared one by one.

    Args:
        reference: pictures [n, ..., H, W]; generated, their partners.

    Raises:
        UserError: a number is not finite, or the shapes differ.

    Example:
        >>> x = np.random.default_rng(0).random((3, 8, 8))
        >>> ssim(x, x).value
        1.0

    Wang et al. (2004), IEEE Trans. Image Process. 13, 600.
    """
    a, b = _pictures(reference, generated, paired=True)
    return _paired(a, b, lambda x, y: _similarity(x, y, peak)[0])


def ms_ssim(reference: Any, generated: Any, *, peak: float = 1.0) -> Measurement:
    """Structural similarity at several scales: contrast and structure at each, luminance at the coarsest.

    prod_j cs_j^w_j with the whole index at the last scale; each scale halves the picture by averaging. There are as
    many of the five scales as leave 7 pixels (one scale below 14 pixels, where the value is `ssim`), with the weights
    renormalised; negative factors count as 0.

    Args:
        reference: pictures [n, ..., H, W]; generated, their partners.

    Raises:
        UserError: a number is not finite, or the shapes differ.

    Example:
        >>> x = np.random.default_rng(0).random((3, 28, 28))
        >>> ms_ssim(x, x).value, scales_of(28, 28), scales_of(8, 8), scales_of(176, 200)
        (1.0, 3, 1, 5)

    Wang, Simoncelli and Bovik (2003), Asilomar.
    """
    a, b = _pictures(reference, generated, paired=True)
    return _paired(a, b, lambda x, y: _multiscale(x, y, peak))


def likeness(reference: Any, generated: Any, *, pairs: int = 2000, peak: float = 1.0, seed: int = 0) -> Measurement:
    """MS-SSIM between random pairs of generated pictures: high where they all look alike; its floor is among real ones.

    Of pictures of one class; different classes look different without any diversity inside them.

    Args:
        reference: real pictures [n, ..., H, W]; generated [m, ..., H, W]; at least two each.

    Raises:
        UserError: a number is not finite, or the shapes differ.

    Odena, Olah and Shlens, AC-GAN (2017, arXiv:1610.09585).
    """
    a, b = _pictures(reference, generated)
    if min(len(a), len(b)) < 2:
        raise UserError(f"expected two pictures or more on each side, came {len(a)} and {len(b)}; give more")
    draw = np.random.default_rng(seed)

    def among(x: Tensor) -> tuple[float, float]:
        first = draw.integers(len(x), size=pairs)
        other = (first + draw.integers(1, len(x), size=pairs)) % len(x)
        values = _in_blocks(x[first], x[other], lambda p, q: _multiscale(p, q, peak))
        each = np.bincount(first, values, len(x)) + np.bincount(other, values, len(x))  # a picture is in many pairs
        often = np.bincount(first, minlength=len(x)) + np.bincount(other, minlength=len(x))
        pulls = (each - often * values.mean()) / pairs
        alone = ((values - values.mean()) ** 2).sum() / pairs**2  # of each pair, which both its pictures count
        return float(values.mean()), float(np.sqrt(max((pulls**2).sum() - alone, alone)))

    return Measurement(*among(b), *among(a), n=min(len(a), len(b)))


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
    a, b = _pictures(reference, generated)
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
    frequency, power = _rings(_pictures(x, x)[0])
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
    a, b = _pictures(reference, generated)
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


def scales_of(height: int, width: int) -> int:
    """How many scales of MS-SSIM a picture of this size has, 1 to 5."""
    side, count = min(height, width), 1
    while count < len(SCALES) and side // 2 >= SMALLEST:
        side, count = side // 2, count + 1
    return count


def _pictures(reference: Any, generated: Any, paired: bool = False) -> tuple[Tensor, Tensor]:
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


def _paired(a: Tensor, b: Tensor, metric: Callable[[Tensor, Tensor], Tensor]) -> Measurement:
    floor = _mean(_in_blocks(a, a.roll(1, 0), metric)) if len(a) > 1 else (np.nan, np.nan)
    return Measurement(*_mean(_in_blocks(a, b, metric)), *floor, n=len(a))


def _in_blocks(a: Tensor, b: Tensor, metric: Callable[[Tensor, Tensor], Tensor], size: int = 256) -> Array:
    return torch.cat([metric(x, y) for x, y in zip(a.split(size), b.split(size), strict=True)]).numpy()


def _similarity(x: Tensor, y: Tensor, peak: float) -> tuple[Tensor, Tensor]:
    """SSIM, and its part from contrast and structure, each [n]."""
    n, side = len(x), min(x.shape[-2:])
    window = min(WINDOW, side - 1 + side % 2)
    at = torch.arange(window, dtype=torch.double) - window // 2
    line = torch.exp(-0.5 * (at / (SIGMA * window / WINDOW)) ** 2)
    line = line / line.sum()

    def blur(v: Tensor) -> Tensor:
        flat = v.reshape(-1, 1, *v.shape[-2:])
        return functional.conv2d(functional.conv2d(flat, line[None, None, None]), line[None, None, :, None])

    mx, my = blur(x), blur(y)
    vx, vy, cov = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
    c1, c2 = (K1 * peak) ** 2, (K2 * peak) ** 2
    structure = (2 * cov + c2) / (vx + vy + c2)
    whole = structure * (2 * mx * my + c1) / (mx * mx + my * my + c1)
    return whole.reshape(n, -1).mean(1), structure.reshape(n, -1).mean(1)


def _multiscale(x: Tensor, y: Tensor, peak: float) -> Tensor:
    count = scales_of(*x.shape[-2:])
    weights = np.array(SCALES[:count]) / sum(SCALES[:count])
    out = x.new_ones(len(x))
    for level, weight in enumerate(weights):
        whole, structure = _similarity(x, y, peak)
        out = out * (whole if level == count - 1 else structure).clamp(min=0) ** weight
        if level < count - 1:
            x, y = functional.avg_pool2d(x, 2), functional.avg_pool2d(y, 2)
    return out


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
