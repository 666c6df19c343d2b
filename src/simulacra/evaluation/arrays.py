"""Numbers on their way into a test: finite, double precision, as NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.special import legendre_p_all

from simulacra.errors import UserError

Array = np.ndarray


def numbers(values: Any, name: str = "values") -> Array:
    """Values as float64, refused where one is not finite.

    Raises:
        UserError: there is none, or one is NaN or infinite.

    >>> numbers(torch.tensor([1.0, 2.0])).tolist()
    [1.0, 2.0]
    """
    held = values.detach().cpu().double().numpy() if isinstance(values, torch.Tensor) else values
    array = np.asarray(held, dtype=np.float64)
    if array.size == 0 and (array.ndim < 2 or len(array) == 0):
        raise UserError(f"expected at least one number in {name}, came none; give more events")
    finite = np.isfinite(array)
    if not finite.all():
        row = int(np.argwhere(~finite)[0][0])
        raise UserError(f"expected finite numbers in {name}, came {array[~finite][0]} in row {row}; remove such events")
    return array


def pair(reference: Any, generated: Any) -> tuple[Array, Array]:
    """Two flat samples.

    Raises:
        UserError: one is empty, not finite, or not one number per event.
    """
    out = numbers(reference, "the reference"), numbers(generated, "the generated events")
    for array in out:
        if array.ndim != 1:
            raise UserError(
                f"expected one number per event, came the shape {array.shape}; judge its columns one by one"
            )
    return out


def polynomials(condition: Array, degree: int) -> Array:
    """Legendre polynomials 0 to `degree` of a condition (its logarithm where positive and wide), [n, degree + 1]."""
    c = np.log(condition) if condition.min() > 0 and condition.max() > 4 * condition.min() else condition
    span = np.ptp(c)
    scaled = 2 * (c - c.min()) / span - 1 if span > 0 else np.zeros_like(c)
    return np.asarray(legendre_p_all(degree, scaled))[0].T


def standardised(
    values: Array, condition: Array, clip: float = np.inf, weights: Array | None = None
) -> tuple[Array, Array, Array]:
    """Values freed of how their mean and spread follow a condition: `(v - mean(c)) / spread(c)`.

    The mean is a Legendre series of degree 4, the mean absolute residual one of degree 2. Give both samples pooled:
    labels are not used, so tests on the result stay fair. Weights [n] enter the fits.

    Returns:
        The standardised values, the mean and the spread, each [n].
    """
    wide, narrow = polynomials(condition, 4), polynomials(condition, 2)
    root = None if weights is None else np.sqrt(weights)

    def fitted(design: Array, to: Array) -> Array:
        left, right = (design, to) if root is None else (design * root[:, None], to * root)
        return design @ np.linalg.lstsq(left, right, rcond=None)[0]

    mean = fitted(wide, values)
    size = np.abs(values - mean)
    spread = np.maximum(fitted(narrow, size), 0.1 * np.average(size, weights=weights)) * np.sqrt(np.pi / 2)
    spread = np.where(spread > 0, spread, 1.0)
    return np.clip((values - mean) / spread, -clip, clip), mean, spread
