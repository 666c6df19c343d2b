"""The noun of judging: a number with its error, and what real data would have given in its place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measurement:
    """A number that can be believed.

    Attributes:
        value: what was measured of generated against real events.
        error: one standard deviation of `value`.
        floor: what the same measurement gives for real against real events, at the same two sizes.
        floor_error: one standard deviation of one such comparison.
        n: events on the smaller side.
        unit: empty where there is none.

    Example:
        >>> print(Measurement(0.612, 0.004, 0.501, 0.003, 2500))
        0.612 ± 0.004 (floor 0.501 ± 0.003)
        >>> round(Measurement(0.612, 0.004, 0.501, 0.003, 2500).above_floor, 1)
        22.2
    """

    value: float
    error: float
    floor: float = 0.0
    floor_error: float = 0.0
    n: int = 0
    unit: str = ""

    @property
    def excess(self) -> float:
        """`value - floor`."""
        return self.value - self.floor

    @property
    def above_floor(self) -> float:
        """How many standard deviations the value lies above its floor, `(value - floor) / hypot(errors)`."""
        spread = math.hypot(self.error, self.floor_error)
        if spread == 0:
            return 0.0 if self.excess == 0 else math.copysign(math.inf, self.excess)
        return self.excess / spread

    def __str__(self) -> str:
        shown = digits(self.error, self.floor_error)
        unit = f" {self.unit}" if self.unit else ""
        value, error = f"{self.value:.{shown}f}", f"{self.error:.{shown}f}"
        if math.isnan(self.floor):
            return f"{value} ± {error}{unit} (floor unknown)"
        return f"{value} ± {error}{unit} (floor {self.floor:.{shown}f} ± {self.floor_error:.{shown}f})"

    def _repr_html_(self) -> str:
        """As a notebook shows it, red where it lies more than three standard deviations from its floor."""
        far = f"{self.above_floor:+.1f} σ" if math.isfinite(self.above_floor) else "∞"
        color = "#a33c00" if abs(self.above_floor) > 3 else "inherit"
        value, _, floor = str(self).partition(" (floor ")
        return f'<b>{value}</b> <span style="color: {color}">(floor {floor[:-1]}; {far} away)</span>'

    def to_json(self) -> dict[str, Any]:
        """A plain mapping; numbers that JSON cannot hold become `null`."""
        numbers = {name: float(getattr(self, name)) for name in ("value", "error", "floor", "floor_error")}
        return {k: v if math.isfinite(v) else None for k, v in numbers.items()} | {"n": self.n, "unit": self.unit}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Measurement:
        names = ("value", "error", "floor", "floor_error")
        held = {name: math.nan if data[name] is None else float(data[name]) for name in names}
        return Measurement(**held, n=int(data["n"]), unit=str(data["unit"]))


def digits(*errors: float) -> int:
    """Decimals that show the smallest error with one significant figure (two where it starts with a 1)."""
    known = [e for e in errors if math.isfinite(e) and e > 0]
    if not known:
        return 3
    size = min(known)
    first = math.floor(math.log10(size))
    return min(max(0, -first + (1 if size / 10**first < 1.5 else 0)), 8)
