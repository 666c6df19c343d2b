"""Critics that reconstruct: an autoencoder gives data little energy and fakes much.

The sign: an energy is large where an event is unlikely, a score is large where it looks real, so `score = -energy`, and
objectives see scores as everywhere in this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, relu

from simulacra.batch import Batch, Given
from simulacra.gan.duel import Duel
from simulacra.networks.heads import Critic, Verdict
from simulacra.training.game import Loss


class AutoencoderCritic(Critic):
    """A critic whose score is minus the reconstruction error, `score = -mean |x - decoder(encoder(x))|^power`.

    The mean is over the numbers of an event; the features are the code, and conditions are told to both halves.

    Args:
        encoder: (x [B, *event], given) -> code [B, F].
        decoder: ({"z": code}, given) -> x [B, *event], as a generator.
        power: 2 for squares (EBGAN), 1 for absolute values (BEGAN).

    Source: Zhao, Mathieu and LeCun (2017), arXiv 1609.03126.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, power: int = 2) -> None:
        super().__init__(encoder, decoder)
        self.power = power

    def verdict(self, view: Tensor, given: Given = {}) -> Verdict:
        code = self.body(view, given)
        error = (view - self.head({"z": code}, given)).flatten(1)
        return Verdict(-(error.square() if self.power == 2 else error.abs()).mean(1), code)


@dataclass(frozen=True)
class EnergyMargin:
    """The margin of energy-based GANs: critic `E(x) + max(0, margin - E(g(z)))`, generator `E(g(z))`, E = -score >= 0.

    At the optimal critic, whose energy is between 0 and the margin, its mean loss is margin (1 - TV(p, q)): the margin
    where p = q, 0 where they do not overlap. Fakes beyond the margin no longer move the critic.

    Source: Zhao, Mathieu and LeCun (2017), arXiv 1609.03126.

    Example:
        >>> import torch
        >>> EnergyMargin(2.0).critic(torch.tensor([-0.5]), torch.tensor([-1.5])).item()  # 0.5 + (2 - 1.5)
        1.0
    """

    relative: ClassVar[bool] = False
    margin: float = 1.0

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return relu(self.margin + fake) - real

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return -fake


@dataclass(frozen=True)
class PullingAway:
    """The pulling-away term: fakes of one batch are to have orthogonal codes, so that they are not all alike.

    `1 / (B (B - 1)) sum_{i != j} cos(s_i, s_j)^2` with s the critic's features of fakes: 1 where all are parallel, 0
    where they are orthogonal. The batch is what one process sees, per rank; event weights are not known here.

    Source: Zhao, Mathieu and LeCun (2017), section 2.4, arXiv 1609.03126.
    """

    weight: float = 0.1
    name: str = "pulling_away"

    def __call__(self, duel: Duel) -> Tensor:
        unit = normalize(duel.on_fake.features, dim=1)
        n = len(unit)
        squares = (unit @ unit.T).square()
        return (squares.sum() - squares.diagonal().sum()) / max(1, n * (n - 1))


class Equilibrium(nn.Module):
    """Boundary equilibrium: critic `E(x) - k E(g(z))`, generator `E(g(z))`, E = -score, with k moved to hold a balance.

    `k <- k + rate (gamma E(x) - E(g(z)))`, kept in [0, 1], called `after` the critic's step: k rises as long as fakes
    have less than `gamma` times the energy of data, and rests where E(g(z)) = gamma E(x). A small gamma asks for
    fidelity, a large one for diversity. Starts at k = 0.

    Source: Berthelot, Schumm and Metz (2017), arXiv 1703.10717.

    Example:
        >>> objective = Equilibrium(gamma=0.5, rate=0.1)
        >>> seen = {"real_score": torch.tensor(-4.0), "fake_score": torch.tensor(-1.0)}
        >>> objective.balance(Batch(torch.zeros(1, 2)), seen)
        >>> round(objective.k.item(), 3)  # 0.1 (0.5 * 4 - 1)
        0.1
    """

    relative: ClassVar[bool] = False
    k: Tensor

    def __init__(self, gamma: float = 0.5, rate: float = 1e-3) -> None:
        super().__init__()
        self.gamma, self.rate = gamma, rate
        self.register_buffer("k", torch.zeros(()))

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return self.k * fake - real

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return -fake

    @torch.no_grad()
    def balance(self, batch: Batch, seen: Mapping[str, Tensor]) -> None:
        """Moves k by what the critic saw: the mean scores of both sides, as `GAN.critic_loss` watches them."""
        self.k.add_(self.rate * (seen["fake_score"] - self.gamma * seen["real_score"])).clamp_(0, 1)

    def convergence(self, real: Tensor, fake: Tensor) -> Tensor:
        """The paper's measure of convergence, `E(x) + |gamma E(x) - E(g(z))|`, of mean scores."""
        return (self.gamma * real - fake).abs() - real

    def watched(self, loss: Loss) -> Loss:
        """The critic's loss, with k and the measure of convergence among what is watched."""
        seen = loss.watch
        measure = self.convergence(seen["real_score"], seen["fake_score"])
        return loss._replace(watch={**seen, "k": self.k.clone(), "convergence": measure})
