"""Generators that match statistics of the critic's features instead of fooling it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from simulacra.gan.duel import Duel


@dataclass(frozen=True)
class FeatureMatching:
    """Feature matching: the mean of the critic's last hidden layer is to be the same on fakes as on real events.

    `|| E phi(x) - E phi(g(z)) ||^2`, a sum over features. 0 where p = q, whatever the critic; the reverse holds only
    for features rich enough. It replaces the generator's objective, or is one more term beside it.

    Source: Salimans et al. (2016), section 3.1, arXiv 1606.03498.
    """

    weight: float = 1.0
    name: str = "features"

    def __call__(self, duel: Duel) -> Tensor:
        return (duel.mean(duel.on_real.features) - duel.mean(duel.on_fake.features)).square().sum()
