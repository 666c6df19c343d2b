"""Lazy regularisation: penalties that play in every k-th round only, with k times the weight.

Source: Karras et al. 2020 arXiv 1912.04958, appendix B.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn
from torch.optim import Adam

from simulacra.batch import Batch
from simulacra.gan import GAN, Term
from simulacra.training.game import Loss, Player, every


def corrected(net: nn.Module, lr: float, k: int) -> Adam:
    """Adam(lr, 0, 0.99) for k + 1 steps where there were k: with c = k / (k + 1), the rate is c lr, beta2 0.99^c."""
    c = k / (k + 1)
    return Adam(net.parameters(), c * lr, betas=(0.0, 0.99**c))


def slope(game: GAN, terms: Sequence[Term], optimizer: Adam, k: int, schedule: Callable[[float], float]) -> Player:
    """The player of the critic's penalties, on the critic's own optimiser."""

    def loss(events: Batch) -> Loss:
        duel = game.duel(events)
        return Loss({term.name: k * term.weight * duel.mean(term(duel)) for term in terms})

    return Player("slope", game.critic, loss, optimizer, schedule=schedule, when=every(k))
