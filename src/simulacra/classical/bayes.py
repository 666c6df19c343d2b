"""Bayes' rule: a generator of each class is a classifier, and a classifier makes a generator of each class."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from simulacra.batch import Batch, Field, Given
from simulacra.classical.bins import Bins
from simulacra.protocols import Classifier, Density, Sampler


class ClassConditional(Protocol):
    """What gives `log p(x, y)` for every class, [B, classes]."""

    def log_joint(self, batch: Batch) -> Tensor: ...


def log_posterior(model: ClassConditional, batch: Batch) -> Tensor:
    """`log p(y | x) = log p(x | y) p(y) - log p(x)` by Bayes' rule: a generative classifier; [B, classes].

    The lectures' `P(X | Y)` for classification is `P(Y | X)`: p(x | y) is what is sampled, p(y | x) what classifies.
    """
    return model.log_joint(batch).log_softmax(1)


def log_evidence(model: ClassConditional, batch: Batch) -> Tensor:
    """`log p(x) = log sum_y p(x | y) p(y)` in nats, [B]: how plausible an event is, of whatever class."""
    return model.log_joint(batch).logsumexp(1)


class Resampled(nn.Module):
    """A conditional generator of a classifier and an unconditional model: `p(x | y) = p(y | x) p(x) / p(y)`.

    Sampling-importance-resampling: for every event that is asked for, M candidates come from p(x), and one of them is
    chosen in proportion to p(y | x). Exact in the limit of large M; the share of candidates of a class is its p(y), so
    that M should be several times 1 / p(y).

    Args:
        unconditional: p(x), a Sampler with a Density.
        classifier: p(y | x), by `log_posterior`.
        fields: the condition that the classifier tells, encoded.
        candidates: M.

    Source: Rubin, "Using the SIR algorithm to simulate posterior distributions" (1988).
    """

    def __init__(
        self, unconditional: nn.Module, classifier: nn.Module, fields: dict[str, Field], candidates: int
    ) -> None:
        super().__init__()
        self.parts = nn.ModuleDict({"unconditional": unconditional, "classifier": classifier})
        self.bins, self.candidates = Bins(fields, 1), candidates

    def log_posterior(self, batch: Batch) -> Tensor:
        """`log p(y | x)` of the classifier, [B, classes]."""
        classifier: Classifier = self.parts["classifier"]  # type: ignore[assignment]
        return classifier.log_posterior(batch)

    def energy(self, batch: Batch) -> Tensor:
        """`-log p(y | x) - log p(x)`, which is `-log p(x | y)` up to `log p(y)`; [B]."""
        told = self.log_posterior(batch).gather(1, self.bins(len(batch), batch.given)[:, None])[:, 0]
        density: Density = self.parts["unconditional"]  # type: ignore[assignment]
        return -told - density.log_prob(Batch(batch.x))

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """n events; `given` is encoded and has n rows."""
        model: Sampler = self.parts["unconditional"]  # type: ignore[assignment]
        x = model.sample(n * self.candidates).x
        kind = self.bins(n, given).repeat_interleave(self.candidates)
        weight = self.log_posterior(Batch(x)).gather(1, kind[:, None])[:, 0].view(n, self.candidates)
        chosen = torch.multinomial(weight.softmax(1), 1)[:, 0]
        rows = torch.arange(n, device=x.device) * self.candidates + chosen
        return Batch(x[rows], given)
