"""A conditional GAN for every level of a Laplacian pyramid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from simulacra.batch import Batch, Given
from simulacra.gan.gan import GAN
from simulacra.gan.pushforward import Pushforward
from simulacra.networks.heads import Critic, Verdict
from simulacra.networks.pyramid import PyramidGenerator, doubled, halved
from simulacra.training.averaging import averaged_copy
from simulacra.training.game import Loss


class LAPGAN(nn.Module):
    """A Laplacian pyramid of GANs: each level is a game of its own about the details that its blurred picture lacks.

    In training the blurred picture is the real one (teacher forcing), for real details and generated ones alike; in
    generation it is what the coarser levels have made. The coarsest level is a game about small pictures.

    Args:
        levels: games from the finest to the coarsest; x are details given `low_pass`, and pictures at the coarsest.

    Source: Denton et al. (2015), arXiv 1506.05751.
    """

    def __init__(self, levels: Sequence[GAN]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(levels)
        self.generator = PyramidGenerator([game.generator for game in levels])
        self.latent = {f"level{k}": game.latent["z"] for k, game in enumerate(levels)}

    def averaged(self) -> Pushforward:
        """The sampling half with frozen copies of all generators, to hold their averages."""
        return Pushforward(averaged_copy(self.generator), self.latent)

    @property
    def critic(self) -> Critic:
        """That of the finest level."""
        game: Any = self.levels[0]
        return game.critic

    def judge(self, batch: Batch) -> Verdict:
        """What all levels make of pictures: the sum of their scores, by the chain rule log p(x) / q(x) for the best."""
        games: Any = self.levels
        verdicts = [game.judge(self.level(k, batch)) for k, game in enumerate(games)]
        return Verdict(torch.stack([v.score for v in verdicts]).sum(0), torch.cat([v.features for v in verdicts], 1))

    def sample(self, n: int, given: Given = {}) -> Batch:
        """n new pictures in evaluation mode, from all generators as they are now."""
        return Pushforward(self.generator, self.latent).sample(n, given)

    def level(self, k: int, batch: Batch) -> Batch:
        """What the game of level k is about: real details `h_k` given `low_pass`, or the smallest pictures."""
        x = batch.x
        for _ in range(k):
            x = halved(x)
        if k == len(self.levels) - 1:
            return batch.with_x(x)
        low = doubled(halved(x))
        return Batch(x - low, {**batch.given, "low_pass": low}, batch.mask, batch.weight)

    def losses(self, k: int) -> tuple[Callable[[Batch], Loss], Callable[[Batch], Loss]]:
        """Those of critic and generator of level k."""
        game: Any = self.levels[k]
        return (
            lambda batch: game.critic_loss(self.level(k, batch)),
            lambda batch: game.generator_loss(self.level(k, batch)),
        )
