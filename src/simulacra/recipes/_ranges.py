"""What a recipe's numbers may be, by their names: checked before anything is built."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from simulacra.errors import UserError

FROM_ZERO = {
    "attention",
    "burn",
    "categories",
    "continuous",
    "joint",
    "labelled",
    "shared",
    "tied_critic",
    "tied_generator",
    "unroll",
    "warm",
}
"""Counts of which there may be none; of all others there is at least one, unless the default is none."""
POSITIVE = {"tail", "tolerance", "sigma", "clip"}
"""Real numbers above zero, beside the learning rates."""
SIGNED = {"fake", "real", "wish", "guidance"}
"""Real numbers below zero make sense: labels of least squares, guidance away from a condition."""
SHARES = {"drop", "dropout", "ema", "decay", "mixing", "until"}


def check(flag: str, name: str, value: Any, default: Any, *, count: bool) -> None:
    """Refuses a count below what can be counted, and a number that is not finite or has the wrong sign.

    Args:
        flag: as typed.
        default: of the argument, which is always taken.
        count: whether it counts something.

    Raises:
        UserError: with the flag and what it takes.

    >>> check("--latent", "latent", 16, None, count=True)
    >>> check("--lr", "lr", math.nan, 1e-3, count=False)
    Traceback (most recent call last):
    simulacra.errors.UserError: expected --lr above 0, came nan; give another
    """
    least = 1 if count and default != 0 and name not in FROM_ZERO else 0
    for one in value if isinstance(value, Sequence) and not isinstance(value, str) else (value,):
        if isinstance(one, bool) or not isinstance(one, int | float) or one == default:
            continue
        if name in POSITIVE or name.split("_")[-1] == "lr":
            fits, words = 0 < one < math.inf, "above 0"
        elif name in SHARES:
            fits, words = 0 <= one <= 1, "from 0 to 1"
        elif name in SIGNED:
            fits, words = math.isfinite(one), "to be a finite number"
        else:
            fits, words = least <= one < math.inf, f"of at least {least}"
        if not fits:
            raise UserError(f"expected {flag} {words}, came {value}; give another")
