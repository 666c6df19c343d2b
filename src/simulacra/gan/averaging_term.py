"""A term that holds a player near the average of its past."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from simulacra.batch import Batch
from simulacra.gan.duel import Duel


class HistoricalAveraging(nn.Module):
    """Historical averaging: `|| theta - 1/t sum_{i=1..t} theta_i ||^2` over a player's parameters.

    Damps circling: a bilinear game, which simultaneous gradient steps leave in a spiral, converges. A term of the
    player's loss, whose `remember` is called `after` each of its steps; the averages are buffers: put it under
    `learners`.

    Args:
        player: the network; its parameters are read, not owned.
        weight: of the term.

    Source: Salimans et al. (2016), section 3.3, arXiv 1606.03498.

    Example:
        >>> net = nn.Linear(1, 1, bias=False)
        >>> term = HistoricalAveraging(net)
        >>> for value in (1.0, 3.0):
        ...     _ = net.weight.data.fill_(value)
        ...     term.remember()
        >>> term.distance().item()  # (3 - 2)^2
        1.0
    """

    count: Tensor

    def __init__(self, player: nn.Module, weight: float = 1.0, name: str = "history") -> None:
        super().__init__()
        self.weight, self.name = weight, name
        self._player = (player,)  # in a tuple it is not registered
        self._names = [name for name, p in player.named_parameters() if p.requires_grad]
        self.register_buffer("count", torch.tensor(0))
        for k, parameter in enumerate(self._live()):
            self.register_buffer(f"mean{k}", parameter.detach().clone())

    def _live(self) -> list[Tensor]:
        """The player's present parameters, also those that `functional_call` has put in their place."""
        held = dict(self._player[0].named_parameters())
        return [held[name] for name in self._names]

    def distance(self) -> Tensor:
        """The squared distance to the average, a scalar; 0 before anything is remembered."""
        apart = [(p - self.get_buffer(f"mean{k}")).square().sum() for k, p in enumerate(self._live())]
        return torch.stack(apart).sum() * (self.count > 0)

    def forward(self, duel: Duel) -> Tensor:
        return self.distance()

    @torch.no_grad()
    def remember(self, batch: Batch | None = None, seen: Mapping[str, Tensor] = {}) -> None:
        """Takes the present parameters into the average."""
        self.count += 1
        for k, parameter in enumerate(self._live()):
            self.get_buffer(f"mean{k}").lerp_(parameter.detach(), 1 / int(self.count))
