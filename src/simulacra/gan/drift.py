"""A term that keeps a Wasserstein critic's scores near 0."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from simulacra.gan.duel import Duel


@dataclass(frozen=True)
class Drift:
    """The drift penalty: `f(x)^2` at real events.

    A constant added to a Wasserstein critic changes no difference of scores; this term says which constant it has, so
    that scores stay near 0.

    Source: Karras et al. (2018), appendix A.1, arXiv 1710.10196.
    """

    weight: float = 1e-3
    name: str = "drift"

    def __call__(self, duel: Duel) -> Tensor:
        return duel.on_real.score.square()
