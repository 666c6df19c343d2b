"""What a critic says: one number per event, read off its features; and the critic that joins body and head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

from simulacra.batch import Field, Given
from simulacra.named import Named
from simulacra.networks.conditioning import Conditions


class Verdict(NamedTuple):
    """What a critic makes of events: how real they look, and what else it reads off them.

    Attributes:
        score: [B], a logit or an unbounded score; larger is more real.
        features: [B, F], the last hidden layer.
        guess: conditions by physical name, as auxiliary heads read them off x.
    """

    score: Tensor
    features: Tensor
    guess: Given = {}


class LinearHead(nn.Module):
    """`score = w . phi + b`; features [B, F] -> [B]. Conditions were seen by the body, or not at all.

    Args:
        features: F.
        offset: whether there is a b. A critic of the Wasserstein distance is defined up to a constant: it has none.
    """

    def __init__(self, features: int, offset: bool = True) -> None:
        super().__init__()
        self.score = nn.Linear(features, 1, bias=offset)

    def forward(self, features: Tensor, given: Given = {}) -> Tensor:
        return self.score(features)[:, 0]


class ProjectionHead(nn.Module):
    """`score = phi . V y + w . phi + b` with the conditions y, classes one-hot; features [B, F] -> [B].

    The form of the log-ratio log p(y|x)/q(y|x) + log p(x)/q(x) where classes are log-linear in the features.

    Args:
        features: F.
        given_fields: the conditions by physical name, at least one.
        offset: whether there is a b.

    Source: Miyato and Koyama (2018), arXiv 1802.05637.

    Example:
        >>> import torch
        >>> head = ProjectionHead(4, {"label": Field((), "class", 10)})
        >>> head(torch.zeros(2, 4), {"label": torch.tensor([3, 7])}).shape
        torch.Size([2])
    """

    def __init__(self, features: int, given_fields: Mapping[str, Field], offset: bool = True) -> None:
        super().__init__()
        self.conditions = Conditions(given_fields)
        if not self.conditions.size:
            raise ValueError("expected at least one condition for ProjectionHead, came none; use LinearHead")
        self.score = nn.Linear(features, 1, bias=offset)
        self.embedding = nn.Linear(self.conditions.size, features, bias=False)

    def forward(self, features: Tensor, given: Given = {}) -> Tensor:
        told = self.embedding(self.conditions(given).to(features.dtype))
        return self.score(features)[:, 0] + (features * told).sum(1)


def head_for(features: int, given_fields: Mapping[str, Field], offset: bool = True) -> LinearHead | ProjectionHead:
    """The head that is told the conditions: a projection, or where there are none a linear one.

    Example:
        >>> type(head_for(4, {})).__name__
        'LinearHead'
    """
    return ProjectionHead(features, given_fields, offset) if given_fields else LinearHead(features, offset)


class EvidenceHead(nn.Module):
    """The semi-supervised classifier of K + 1 classes, fake the last, as a score: `log Z`, `Z = sum_k exp l_k`.

    Shapes: features [B, F] -> [B].

    With the logit of fakes fixed to 0 the probability of a real event is Z / (Z + 1), the sigmoid of the score: what
    makes an event a member of some class makes it real.

    Args:
        classes: features -> the K logits l.

    Source: Salimans et al. (2016), section 5, arXiv 1606.03498.
    """

    def __init__(self, classes: nn.Module) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, features: Tensor, given: Given = {}) -> Tensor:
        return self.classes(features).logsumexp(1)


class Critic(nn.Module):
    """Critic or discriminator: a body that looks at events and a head that scores them, (x, given) -> Verdict.

    Args:
        body: (view [B, *], given) -> features [B, F].
        head: (features, given) -> score [B].
        readers: features -> guess, by physical name (an auxiliary classifier, a latent code).
        view: (x [B, *event], given) -> what the body looks at; x itself where `None`. Penalties on the slope are about
            the view.
    """

    def __init__(
        self,
        body: nn.Module,
        head: nn.Module,
        readers: Mapping[str, nn.Module] | None = None,
        view: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.body, self.head, self.readers, self.view = body, head, Named(readers or {}), view

    def look(self, x: Tensor, given: Given = {}) -> Tensor:
        """What the body looks at, [B, *]."""
        return x if self.view is None else self.view(x, given)

    def verdict(self, view: Tensor, given: Given = {}) -> Verdict:
        """What is made of a view."""
        features = self.body(view, given)
        guess = {name: reader(features) for name, reader in self.readers.items()}
        return Verdict(self.head(features, given), features, guess)

    def forward(self, x: Tensor, given: Given = {}) -> Verdict:
        return self.verdict(self.look(x, given), given)
