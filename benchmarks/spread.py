"""Measurements of a table over seeds: how they are kept, their mean and its error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def numbers(m: Any) -> list[float]:
    """A measurement as it is kept: value, error, floor and the floor's error."""
    return [m.value, m.error, m.floor, m.floor_error]


def spread(found: Sequence[dict[str, Any]], name: str, scale: float, digits: int) -> str:
    """The mean over seeds of a measurement and its error; of a single seed, the estimator's own."""
    return over_seeds([scale * r[name][0] for r in found], scale * found[0][name][1], digits)


def over_seeds(values: Sequence[float], error: float, digits: int) -> str:
    """The mean and its standard error, which is `error` where there is a single value."""
    if len(values) > 1:
        error = float(np.std(values, ddof=1)) / len(values) ** 0.5
    return f"{np.mean(values):.{digits}f} ± {error:.{digits}f}"
