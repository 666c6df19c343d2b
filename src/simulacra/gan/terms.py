"""What may be added to a player's loss."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from simulacra.gan.duel import Duel


class Term(Protocol):
    """A number that a player wants small beside its objective.

    The call returns it without its weight, per event [B] or as one scalar; the GAN averages with event weights and
    multiplies by `weight`, once.
    """

    @property
    def name(self) -> str: ...

    @property
    def weight(self) -> float: ...

    def __call__(self, duel: Duel) -> Tensor: ...
