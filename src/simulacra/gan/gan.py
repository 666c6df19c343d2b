"""A generator and a critic, and what each of them wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from simulacra.batch import Batch
from simulacra.gan.duel import Duel, Verdict
from simulacra.gan.latent import Latent
from simulacra.gan.objectives import Objective
from simulacra.gan.pushforward import Pushforward
from simulacra.gan.terms import Term
from simulacra.networks.heads import Critic
from simulacra.training.averaging import averaged_copy
from simulacra.training.game import Loss


class GAN(Pushforward):
    """A generative adversarial network: a generator makes events of noise, a critic tells them from real ones.

    `critic_loss` and `generator_loss` are the losses of two players. Neither runs the other's network without a
    gradient, so that a game may look through the other's steps. Event weights are honoured in every mean.

    Args:
        generator: (noise, given) -> x [B, *event].
        critic: (x, given) -> Verdict.
        objective: how scores become losses.
        latent: what the noise is; by name where the generator wants several, `z` where it wants one.
        critic_terms: added to the critic's loss.
        generator_terms: added to the generator's loss.

    Example:
        >>> from simulacra.batch import DataSpec, Field
        >>> from simulacra.gan import StandardNormal, Wasserstein
        >>> from simulacra.networks import critic_for, generator_for
        >>> spec = DataSpec("plane", "vector", Field((2,)))
        >>> gan = GAN(generator_for(spec, 4), critic_for(spec), Wasserstein(), StandardNormal(4))
        >>> gan.sample(3).x.shape
        torch.Size([3, 2])

    Source: Goodfellow et al. (2014), arXiv 1406.2661.
    """

    def __init__(
        self,
        generator: nn.Module,
        critic: Critic,
        objective: Objective,
        latent: Latent | Mapping[str, Latent],
        critic_terms: Sequence[Term] = (),
        generator_terms: Sequence[Term] = (),
    ) -> None:
        super().__init__(generator, latent)
        self.critic, self.objective = critic, objective
        self.critic_terms, self.generator_terms = tuple(critic_terms), tuple(generator_terms)

    def averaged(self) -> Pushforward:
        """The sampling half with a frozen copy of the generator, to hold its average."""
        return Pushforward(averaged_copy(self.generator), self.latent)

    def judge(self, batch: Batch) -> Verdict:
        """What the critic makes of encoded events."""
        return self.critic(batch.x, batch.given)

    def duel(self, batch: Batch) -> Duel:
        """Fresh fakes beside the events of `batch`."""
        return Duel(batch, self.noise(len(batch)), self.push, self.critic)

    def critic_loss(self, batch: Batch) -> Loss:
        """The critic's objective and its terms; watches the mean scores of both sides."""
        duel = self.duel(batch)
        real, fake = duel.on_real.score, duel.on_fake.score
        parts = {"critic": duel.mean(self.objective.critic(real, fake))}
        watch = {"real_score": duel.mean(real), "fake_score": duel.mean(fake)}
        return Loss({**parts, **_added(self.critic_terms, duel)}, watch)

    def generator_loss(self, batch: Batch) -> Loss:
        """The generator's objective and its terms."""
        duel = self.duel(batch)
        real = duel.on_real.score if self.objective.relative else None
        parts = {"generator": duel.mean(self.objective.generator(real, duel.on_fake.score))}
        return Loss({**parts, **_added(self.generator_terms, duel)})


def _added(terms: Sequence[Term], duel: Duel) -> dict[str, Tensor]:
    return {term.name: term.weight * duel.mean(term(duel)) for term in terms}
