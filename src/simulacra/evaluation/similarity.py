"""Structural similarity of pictures, on one scale and on several, between pairs and within a sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from simulacra.errors import UserError
from simulacra.evaluation.measurement import Measurement
from simulacra.evaluation.quality import _mean_of_pairs, comparable, in_blocks

K1, K2, WINDOW, SIGMA = 0.01, 0.03, 11, 1.5
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of MS-SSIM from the finest scale to the coarsest (Wang et al. 2003)."""


SMALLEST = 7
"""Pixels that the coarsest scale of MS-SSIM keeps along its shorter side."""


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
    a, b = comparable(reference, generated, paired=True)
    return _mean_of_pairs(a, b, lambda x, y: _similarity(x, y, peak)[0])


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
    a, b = comparable(reference, generated, paired=True)
    return _mean_of_pairs(a, b, lambda x, y: _multiscale(x, y, peak))


def likeness(reference: Any, generated: Any, *, pairs: int = 2000, peak: float = 1.0, seed: int = 0) -> Measurement:
    """MS-SSIM between random pairs of generated pictures: high where they all look alike; its floor is among real ones.

    Of pictures of one class; different classes look different without any diversity inside them.

    Args:
        reference: real pictures [n, ..., H, W]; generated [m, ..., H, W]; at least two each.

    Raises:
        UserError: a number is not finite, or the shapes differ.

    Odena, Olah and Shlens, AC-GAN (2017, arXiv:1610.09585).
    """
    a, b = comparable(reference, generated)
    if min(len(a), len(b)) < 2:
        raise UserError(f"expected two pictures or more on each side, came {len(a)} and {len(b)}; give more")
    draw = np.random.default_rng(seed)

    def among(x: Tensor) -> tuple[float, float]:
        first = draw.integers(len(x), size=pairs)
        other = (first + draw.integers(1, len(x), size=pairs)) % len(x)
        values = in_blocks(x[first], x[other], lambda p, q: _multiscale(p, q, peak))
        each = np.bincount(first, values, len(x)) + np.bincount(other, values, len(x))  # a picture is in many pairs
        often = np.bincount(first, minlength=len(x)) + np.bincount(other, minlength=len(x))
        pulls = (each - often * values.mean()) / pairs
        alone = ((values - values.mean()) ** 2).sum() / pairs**2  # of each pair, which both its pictures count
        return float(values.mean()), float(np.sqrt(max((pulls**2).sum() - alone, alone)))

    return Measurement(*among(b), *among(a), n=min(len(a), len(b)))


def scales_of(height: int, width: int) -> int:
    """How many scales of MS-SSIM a picture of this size has, 1 to 5."""
    side, count = min(height, width), 1
    while count < len(SCALES) and side // 2 >= SMALLEST:
        side, count = side // 2, count + 1
    return count


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
