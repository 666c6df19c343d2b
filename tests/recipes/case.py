"""What a case of the contracts is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """A recipe, small data of its kind, and the arguments that make it small."""

    recipe: str
    data: str
    arguments: dict[str, Any] = field(default_factory=dict)
    gradients: int = 20
