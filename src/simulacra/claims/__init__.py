"""What lectures on generative models assert, each sentence with an experiment that could refute it.

Every module of this room that defines `CLAIMS`, a tuple of `Claim`, is collected.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from simulacra.claims.claim import Claim, Result, outcome

__all__ = ["Claim", "Result", "outcome", "table"]


@cache
def table() -> dict[str, Claim]:
    """Every claim by its name, in the order of modules and of their `CLAIMS`.

    Raises:
        ValueError: two claims have one name.
    """
    found: dict[str, Claim] = {}
    for module in pkgutil.iter_modules(__path__):
        for claim in getattr(importlib.import_module(f"{__name__}.{module.name}"), "CLAIMS", ()):
            if claim.name in found:
                raise ValueError(f"expected claims of different names, came {claim.name!r} twice; rename one")
            found[claim.name] = claim
    return found
