"""What the two players of a GAN want. Scores in ([B], unbounded), losses per event out ([B], to be minimised).

Write p for the data and q for the generator; the optimal critic's mean loss is said with each objective.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import Tensor
from torch.nn.functional import relu, softplus


class Objective(Protocol):
    """How scores become losses. `real` in `generator` is `None` unless the objective is `relative`."""

    relative: ClassVar[bool]

    def critic(self, real: Tensor, fake: Tensor) -> Tensor: ...

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Minimax:
    """`V = E log d(x) + E log(1 - d(g(z)))`, d = sigmoid(score): the critic maximises V, the generator minimises it.

    At the optimal critic d = p/(p + q), V = -2 log 2 + 2 JS(p, q). The generator's gradient dies where d(g(z)) is
    near 0. One-sided label smoothing: a `label` below 1 is what real events are called, those of the generator stay 0;
    the optimal critic is then d = label p/(p + q), never sure (Salimans et al. 2016, arXiv 1606.03498).

    Source: Goodfellow et al. (2014), arXiv 1406.2661.

    Example:
        >>> import torch
        >>> score = torch.zeros(1)  # p = q: no critic can tell
        >>> round(-Minimax().critic(score, score).item(), 4)
        -1.3863
    """

    relative: ClassVar[bool] = False
    label: float = 1.0

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real) + (1 - self.label) * real + softplus(fake)

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return -softplus(fake)


@dataclass(frozen=True)
class NonSaturating(Minimax):
    """The non-saturating game: the minimax critic; the generator maximises E log d(g(z)), whose gradient does not die.

    The same fixed point as minimax, also called label switching. The critic's loss at its optimum is
    2 log 2 - 2 JS(p, q).

    Source: Goodfellow et al. (2014), section 3, arXiv 1406.2661.
    """

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return softplus(-fake)


@dataclass(frozen=True)
class LeastSquares:
    """Least squares of labels: critic (real - b)^2 / 2 + (fake - a)^2 / 2, generator (fake - c)^2 / 2.

    The optimal critic is (b p + a q) / (p + q). With b - c = 1 and b - a = 2, as in the default, twice the sum of
    (score - c)^2 / 2 over data and generator is Pearson's chi2 of (p + q) against 2q; (0, 1, 1) has no such reading.

    Source: Mao et al. (2017), arXiv 1611.04076.
    """

    relative: ClassVar[bool] = False
    a: float = -1.0
    b: float = 1.0
    c: float = 0.0

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * (real - self.b).square() + 0.5 * (fake - self.a).square()

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return 0.5 * (fake - self.c).square()


@dataclass(frozen=True)
class Hinge:
    """Hinge losses: critic max(0, 1 - real) + max(0, 1 + fake), generator -fake.

    The optimal critic is sign(p - q), and its loss is 2 - 2 TV(p, q): 2 where p = q, 0 where they do not overlap.

    Source: Lim and Ye (2017), arXiv 1705.02894.
    """

    relative: ClassVar[bool] = False

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return relu(1 - real) + relu(1 + fake)

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return -fake


@dataclass(frozen=True)
class Wasserstein:
    """The Wasserstein game: critic E f(g(z)) - E f(x) over functions f of slope at most 1, generator -E f(g(z)).

    The critic's loss at its optimum is -W1(p, q). The slope is somebody else's business: `WeightClipping`,
    `GradientPenalty`, spectral normalisation.

    Source: Arjovsky, Chintala and Bottou (2017), arXiv 1701.07875.
    """

    relative: ClassVar[bool] = False

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake - real

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return -fake


@dataclass(frozen=True)
class Relativistic:
    """Relativistic: a wrapper that asks how much more real an event is than those of the other side.

    With f1 the loss of real and f2 that of fake scores in the critic of `inner`, C the score, the pairs of a batch have

        critic     [f1(C(x) - C(g(z))) + f2(C(g(z)) - C(x))] / 2,

    and the averages, `average=True`,

        critic     f1(C(x) - E C(g(z))) + f2(C(g(z)) - E C(x));

    the generator's loss is the same with data and fakes exchanged. Where f2(y) = f1(-y), as in all three of the paper,
    the two halves of a pair are one: softplus(C(g(z)) - C(x)) for the default (RSGAN), whose loss is log 2 where p = q.
    `inner` lends its critic only. E is over the batch of one process; event weights are not known here.

    Source: Jolicoeur-Martineau (2018), arXiv 1807.00734.

    Example:
        >>> import torch
        >>> real, fake = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.0])
        >>> Relativistic(Hinge()).critic(real, fake)  # max(0, 1 - (C(x) - C(g(z))))
        tensor([0., 0.])
        >>> Relativistic(Hinge(), average=True).critic(real, fake)  # fakes are 2 below the mean of data
        tensor([0., 0.])
        >>> Relativistic(Hinge(), average=True).generator(real, fake)
        tensor([5., 7.])
    """

    relative: ClassVar[bool] = True
    inner: Objective = NonSaturating()
    average: bool = False

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        if self.average:
            return self.inner.critic(real - fake.mean(), fake - real.mean())
        return self.inner.critic(real - fake, fake - real) / 2

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        if real is None:
            raise ValueError("expected the scores of real events, came None; a relative objective compares pairs")
        return self.critic(fake, real)
