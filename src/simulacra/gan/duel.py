"""One encounter of generator and critic: what a term of a loss may look at."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from torch import Tensor

from simulacra.batch import Batch, Given, Noise
from simulacra.networks.heads import Critic, Verdict

__all__ = ["Duel", "Verdict"]


class Duel:
    """Real events, the fakes made beside them, and what the critic makes of both; computed when first asked for.

    The fakes are made under the conditions of their real partners, and weigh what those weigh. Real and fake events
    meet the critic in separate calls, so that batch statistics do not mix.

    Args:
        real: encoded events.
        noise: what the generator starts from, one row per real event.
        push: (noise, given) -> Batch.
        critic: scores events.
    """

    def __init__(self, real: Batch, noise: Noise, push: Callable[[Noise, Given], Batch], critic: Critic) -> None:
        self.real, self.noise, self.push, self.critic = real, noise, push, critic

    @cached_property
    def fake(self) -> Batch:
        return self.real.with_x(self.push(self.noise, self.real.given).x)

    @cached_property
    def seen_real(self) -> Tensor:
        """What the critic looks at in the real events."""
        return self.critic.look(self.real.x, self.real.given)

    @cached_property
    def seen_fake(self) -> Tensor:
        return self.critic.look(self.fake.x, self.real.given)

    @cached_property
    def on_real(self) -> Verdict:
        return self.critic.verdict(self.seen_real, self.real.given)

    @cached_property
    def on_fake(self) -> Verdict:
        return self.critic.verdict(self.seen_fake, self.real.given)

    def mean(self, values: Tensor) -> Tensor:
        """The mean over events, weighted as the real ones are; a scalar is taken as it is."""
        return self.real.mean(values) if values.dim() else values
