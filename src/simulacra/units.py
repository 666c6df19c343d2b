"""Quantities with units, as people type them: `50GeV`, `0.5 TeV`, `12mm`."""

from __future__ import annotations

import math
import re

from simulacra.errors import UserError, nearest

_SCALES = {
    "energy": {"eV": 1e-6, "keV": 1e-3, "MeV": 1.0, "GeV": 1e3, "TeV": 1e6, "PeV": 1e9, "EeV": 1e12},
    "length": {"um": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1e3, "km": 1e6},
    "angle": {"rad": 1.0, "mrad": 1e-3, "deg": math.pi / 180},
    "time": {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9},
}
_NUMBER = re.compile(r"^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-z]*)\s*$")


def convert(value: float, source: str, target: str) -> float:
    """The number of `target` units that equal `value` in `source` units.

    >>> convert(50, "GeV", "MeV")
    50000.0

    Raises:
        UserError: a unit is unknown, or the two measure different things.
    """
    if source == target:
        return float(value)
    for scale in _SCALES.values():
        if source in scale and target in scale:
            return float(value) * scale[source] / scale[target]
    known = [unit for scale in _SCALES.values() for unit in scale]
    for unit in (source, target):
        if unit not in known:
            raise UserError(f"expected a unit such as GeV, came {unit!r}; {nearest(unit, known)}")
    raise UserError(f"expected a unit that converts to {target}, came {source}; give the value in {target}")


def parse(text: str, unit: str) -> float:
    """A quantity as typed, in `unit`; a bare number is already in `unit`.

    >>> parse("50GeV", "MeV")
    50000.0
    >>> parse("3", "MeV")
    3.0

    Raises:
        UserError: `text` is not a finite number with a convertible unit, or has a unit where there is none.
    """
    found = _NUMBER.match(text)
    if not found or not math.isfinite(float(found[1])):
        example = f"50{unit}" if unit else "50"
        raise UserError(f"expected a number with a unit such as {example}, came {text!r}; write it without spaces")
    if found[2] and not unit:
        raise UserError(f"expected a number without a unit, came {text!r}; write {found[1]}")
    value = convert(float(found[1]), found[2] or unit, unit) if unit else float(found[1])
    if not math.isfinite(value):
        raise UserError(f"expected a finite quantity, came {text!r}; give a smaller one")
    return value
