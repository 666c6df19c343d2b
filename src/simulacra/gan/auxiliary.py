"""What a critic reads off events beside their score, and what both players gain from its being right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from simulacra.batch import Field, Given
from simulacra.gan.duel import Duel


def surprise(field: Field, guess: Tensor, told: Tensor) -> Tensor:
    """`-log Q(y | x)` in nats, [B]: how unexpected the condition `told` is to the critic that reads `guess`.

    A class has the logits of a softmax, the K numbers of a real condition the mean of a Gaussian of unit width, whose
    surprise is `|y - a(x)|^2 / 2 + K log(2 pi) / 2`.

    Args:
        field: what the condition is.
        guess: [B, K * levels] for classes, [B, K] for real numbers.
        told: [B, *field.shape].

    Example:
        >>> knows_nothing = torch.zeros(1, 10)
        >>> round(surprise(Field((), "class", 10), knows_nothing, torch.tensor([3])).item(), 4)  # log 10
        2.3026
    """
    if field.kind in ("class", "token"):
        logits = guess.view(len(guess), -1, field.levels).transpose(1, 2)
        return cross_entropy(logits, told.long().view(len(guess), -1), reduction="none").sum(1)
    return 0.5 * ((told.reshape(guess.shape) - guess).square() + math.log(2 * math.pi)).sum(1)


@dataclass(frozen=True, eq=False)
class AuxiliaryClassifier:
    """The auxiliary classifier's term: both players want the conditions to be read off the events.

    `-E log Q(y | x) - E log Q(y | g(z, y))` over all conditions y, in nats. A generator cannot change what is read off
    real events: it is given the term with `real=False`. The critic agrees with the generator here, so fakes are drawn
    to where one class is certain: of classes that overlap, the ambiguous events go missing.

    Args:
        fields: the conditions by physical name, which the critic's `guess` holds: classes, real numbers, or both.
        real: whether real events are read as well.

    Source: Odena, Olah and Shlens (2017), arXiv 1610.09585.
    """

    fields: Mapping[str, Field]
    weight: float = 1.0
    real: bool = True
    name: str = "auxiliary"

    def __call__(self, duel: Duel) -> Tensor:
        lost = self._unread(duel.on_fake.guess, duel.real.given)
        return lost + self._unread(duel.on_real.guess, duel.real.given) if self.real else lost

    def _unread(self, guess: Given, given: Given) -> Tensor:
        return torch.stack([surprise(f, guess[name], given[name]) for name, f in self.fields.items()]).sum(0)
