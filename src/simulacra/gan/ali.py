"""A generator and an encoder, judged together by a critic of pairs (x, z)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from simulacra.batch import Batch, Given, Noise
from simulacra.gan.latent import Latent
from simulacra.gan.objectives import Objective
from simulacra.gan.pushforward import Pushforward
from simulacra.networks.heads import Critic, Verdict
from simulacra.training.averaging import averaged_copy
from simulacra.training.game import Loss


class Bidirectional(Pushforward):
    """Between noise and events in both directions: `x = g(z)`, and q(z | x) from an encoder.

    Args:
        generator: ({"z": [B, latent]}, given) -> x [B, *event].
        encoder: (x, given) -> a distribution over z.
        latent: what z is.
    """

    def __init__(self, generator: nn.Module, encoder: nn.Module, latent: Latent) -> None:
        super().__init__(generator, latent)
        self.encoder = encoder

    def encode(self, batch: Batch) -> Distribution:
        """q(z | x) of encoded events."""
        return self.encoder(batch.x, batch.given)

    def inferred(self, batch: Batch) -> Noise:
        """The latents of encoded events, E[z | x], as `push` takes them."""
        return {"z": self.encode(batch).mean}

    @torch.no_grad()
    def reconstruct(self, batch: Batch) -> Batch:
        """The events that come back, g(E[z | x]); in the mode in which the networks are."""
        return batch.with_x(self.push(self.inferred(batch), batch.given).x)


class ALI(nn.Module):
    """Adversarially learned inference: a critic tells pairs (x, z ~ q(z | x)) from pairs (g(z), z ~ p(z)).

    Generator and encoder want the same, that the critic takes one kind of pair for the other: they share the critic's
    loss with its labels swapped. Where no critic can tell, p(x) q(z | x) = p(z) p(x | z): then q is the posterior, and
    a deterministic pair is inverse to each other. No reconstruction error is ever computed.

    Args:
        pair: generator and encoder.
        critic: (x, given with `z`) -> Verdict.
        objective: how scores become losses; its critic's half serves both players.

    Source: Dumoulin et al. (2017), arXiv 1606.00704; as BiGAN: Donahue et al. (2017), arXiv 1605.09782.

    Example:
        >>> from simulacra.batch import DataSpec, Field
        >>> from simulacra.gan import NonSaturating, StandardNormal
        >>> from simulacra.networks import Critic, LatentEncoder, LinearHead, PairBody, critic_for, generator_for
        >>> spec = DataSpec("plane", "vector", Field((2,)))
        >>> one, two = critic_for(spec).body, critic_for(spec).body
        >>> critic = Critic(PairBody(one, 128, 2, 32), LinearHead(32))
        >>> pair = Bidirectional(generator_for(spec, 2), LatentEncoder(two, 128, 2), StandardNormal(2))
        >>> sorted(ALI(pair, critic, NonSaturating()).swapped_loss(Batch(torch.zeros(4, 2))).parts)
        ['pair']
    """

    def __init__(self, pair: Bidirectional, critic: Critic, objective: Objective) -> None:
        super().__init__()
        self.pair, self.critic, self.objective = pair, critic, objective

    def averaged(self) -> Bidirectional:
        """Frozen copies of generator and encoder, to hold their averages."""
        (latent,) = self.pair.latent.values()
        return Bidirectional(averaged_copy(self.pair.generator), averaged_copy(self.pair.encoder), latent)

    @property
    def generator(self) -> nn.Module:
        """One half of the pair."""
        return self.pair.generator

    def judge(self, batch: Batch) -> Verdict:
        """What the critic makes of events and the latents that they are encoded to, E[z | x]."""
        return self.critic(batch.x, {**batch.given, "z": self.pair.encode(batch).mean})

    def sample(self, n: int, given: Given = {}) -> Batch:
        """n new events in evaluation mode."""
        return self.pair.sample(n, given)

    def scores(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the critic makes of encoded pairs and of generated ones, both [B]."""
        noise = self.pair.noise(len(batch))
        made = self.pair.push(noise, batch.given).x
        inferred = self.pair.encode(batch).rsample()
        real = self.critic(batch.x, {**batch.given, "z": inferred}).score
        return real, self.critic(made, {**batch.given, **noise}).score

    def critic_loss(self, batch: Batch) -> Loss:
        """The critic's objective; watches the mean scores of both kinds of pair."""
        real, fake = self.scores(batch)
        parts = {"critic": batch.mean(self.objective.critic(real, fake))}
        return Loss(parts, {"real_score": batch.mean(real), "fake_score": batch.mean(fake)})

    def swapped_loss(self, batch: Batch) -> Loss:
        """Of generator and encoder: the critic's objective with its sides swapped."""
        real, fake = self.scores(batch)
        return Loss({"pair": batch.mean(self.objective.critic(fake, real))})
