"""Discrete latents with a gradient: several categories, relaxed by Gumbel noise while training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, constraints, register_kl

from simulacra.batch import Given
from simulacra.distributions.priors import Prior


class Categorical(Distribution):
    """N independent one-hot choices among K, flat: events [N K] from logits [B, N, K] (or [N, K]).

    `sample` is one-hot. `rsample` is the Gumbel-softmax `softmax((logits + g) / tau)`, g standard Gumbel: it has a
    gradient, and is the same as a one-hot draw in the limit tau -> 0.

    Source: Jang, Gu and Poole (2017), arXiv:1611.01144; Maddison, Mnih and Teh (2017), arXiv:1611.00712.

    Example:
        >>> q = Categorical(torch.zeros(5, 2, 3), 0.5)
        >>> q.rsample().shape, q.sample().view(5, 2, 3).sum(2).unique()
        (torch.Size([5, 6]), tensor([1.]))
    """

    has_rsample = False
    """`rsample` gives points inside the simplex, of which `log_prob` is no density: for losses, not for bounds."""

    def __init__(self, logits: Tensor, temperature: Tensor | float = 1.0) -> None:
        self.logits, self.temperature = logits.log_softmax(-1), temperature
        super().__init__(logits.shape[:-2], torch.Size([logits.shape[-2] * logits.shape[-1]]), validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        return {"logits": constraints.real}

    @property
    def mean(self) -> Tensor:
        return self.logits.exp().flatten(-2)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Categorical:
        return Categorical(self.logits.expand(*batch_shape, *self.logits.shape[-2:]), self.temperature)

    def _perturbed(self, sample_shape: Any) -> Tensor:
        logits = self.logits.expand(*sample_shape, *self.logits.shape)
        tiny = torch.finfo(logits.dtype).tiny
        return logits - torch.rand_like(logits).clamp(min=tiny).log().neg().clamp(min=tiny).log()

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return (self._perturbed(sample_shape) / self.temperature).softmax(-1).flatten(-2)

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        noisy = self._perturbed(sample_shape)
        return nn.functional.one_hot(noisy.argmax(-1), noisy.shape[-1]).to(noisy).flatten(-2)

    def log_prob(self, value: Tensor) -> Tensor:
        return (value.unflatten(-1, self.logits.shape[-2:]) * self.logits).sum((-2, -1))


@register_kl(Categorical, Categorical)
def _kl(q: Categorical, p: Categorical) -> Tensor:
    return (q.logits.exp() * (q.logits - p.logits)).sum((-2, -1))


class CategoricalPrior(Prior):
    """`p(z)` uniform over the K classes of each of N choices."""

    even: Tensor

    def __init__(self, choices: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("even", torch.zeros(choices, classes), persistent=False)

    def forward(self, given: Given = {}) -> Distribution:
        return Categorical(self.even)


class CategoricalEncoder(nn.Module):
    """q(z | x) as N choices among K, relaxed at the temperature in the buffer `temperature`.

    Args:
        body: (x, given) -> features [B, F].
        features: F.
    """

    temperature: Tensor

    def __init__(self, body: nn.Module, features: int, choices: int, classes: int, temperature: float = 1.0) -> None:
        super().__init__()
        self.body, self.shape = body, (choices, classes)
        self.numbers = nn.Linear(features, choices * classes)
        self.register_buffer("temperature", torch.tensor(temperature))

    def forward(self, x: Tensor, given: Given = {}) -> Distribution:
        return Categorical(self.numbers(self.body(x, given)).unflatten(1, self.shape), self.temperature)
