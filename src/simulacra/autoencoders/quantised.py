"""The vector-quantised autoencoder: codes from a learned codebook, and a model of their sequence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn import functional

from simulacra.batch import Batch, Field, Given, Noise
from simulacra.networks.conditioning import Conditions
from simulacra.networks.encoder import PointMass
from simulacra.training.game import Loss


class Codebook(nn.Module):
    """A codebook of K vectors e_k: vector quantisation puts the nearest one in the place of each vector.

    The gradient of what comes out is handed to what came in (straight through), as if nothing had happened between.

    Args:
        codes: K.
        size: numbers in a vector.

    Source: van den Oord, Vinyals and Kavukcuoglu (2017), arXiv:1711.00937.

    Example:
        >>> book = Codebook(4, 2)
        >>> index = book.nearest(torch.zeros(1, 3, 2))
        >>> index.shape, book(index).shape
        (torch.Size([1, 3]), torch.Size([1, 3, 2]))
    """

    def __init__(self, codes: int, size: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(codes, size) / size**0.5)

    def nearest(self, z: Tensor) -> Tensor:
        """[B, N, size] -> the index of the nearest vector [B, N]."""
        away = self.vectors.square().sum(1) - 2 * z.detach() @ self.vectors.detach().T
        return away.argmin(2)

    def forward(self, index: Tensor) -> Tensor:
        return self.vectors[index]


class CodePrior(nn.Module):
    """`p(k_1, ..., k_N | given) = prod_n p(k_n | k_<n, given)`: a GRU reads the indices in their order.

    The paper has a PixelCNN; this is the same factorisation, at the cost of a small recurrent network.

    Args:
        length: N.
        codes: K.
        hidden: width of the GRU.
    """

    def __init__(self, length: int, codes: int, given_fields: Mapping[str, Field], hidden: int = 128) -> None:
        super().__init__()
        self.conditions, self.length = Conditions(given_fields), length
        self.place = nn.Parameter(0.1 * torch.randn(length, hidden))
        self.before = nn.Embedding(codes + 1, hidden)  # the last one: nothing yet
        self.told = nn.Linear(self.conditions.size, hidden, bias=False) if self.conditions.size else None
        self.gru = nn.GRU(hidden, hidden, batch_first=True)
        self.out = nn.Linear(hidden, codes)

    def _context(self, n: int, given: Given) -> Tensor:
        rows = self.place.expand(n, -1, -1)
        if self.told is None:
            return rows
        return rows + self.told(self.conditions(given).to(rows.dtype))[:, None]

    def forward(self, index: Tensor, given: Given = {}) -> Tensor:
        """Indices [B, N] -> logits [B, N, K] of each, given those before it."""
        start = torch.full_like(index[:, :1], self.before.num_embeddings - 1)
        seen = self.before(torch.cat([start, index[:, :-1]], 1)) + self._context(len(index), given)
        return self.out(self.gru(seen)[0])

    @torch.no_grad()
    def draw(self, uniform: Tensor, given: Given = {}) -> Tensor:
        """Indices [B, N] from uniform numbers [B, N], one after the other by the inverse distribution function."""
        context, state = self._context(len(uniform), given), None
        last = torch.full_like(uniform[:, 0], self.before.num_embeddings - 1, dtype=torch.long)
        out = []
        for n in range(self.length):
            seen, state = self.gru((self.before(last) + context[:, n])[:, None], state)
            edges = self.out(seen[:, 0]).softmax(1).cumsum(1)
            last = (uniform[:, n, None] > edges).sum(1).clamp(max=edges.shape[1] - 1)
            out.append(last)
        return torch.stack(out, 1)


class VQVAE(nn.Module):
    """A vector-quantised autoencoder: an encoder to N vectors, each replaced by the nearest of a codebook, a decoder.

    `sum_v (x - g(e))^2 + |sg(z) - e|^2 + commitment |z - sg(e)|^2`, sg being no gradient: the codebook goes to the
    vectors, and these do not run away. A second player fits p(k), from which new events are made.

    Args:
        encoder: (x, given) -> vectors [B, N, size].
        decoder: (vectors [B, N, size], given) -> x [B, *event].
        book: of K vectors.
        prior: of the indices.
        commitment: 0.25 in the paper.

    Source: van den Oord, Vinyals and Kavukcuoglu (2017), arXiv:1711.00937.
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, book: Codebook, prior: CodePrior, commitment: float = 0.25
    ) -> None:
        super().__init__()
        self.nets = nn.ModuleDict({"encoder": encoder, "decoder": decoder, "book": book})
        self.book, self.prior, self.commitment = book, prior, commitment

    def begin(self, batch: Batch) -> None:
        """Starts the codebook at vectors of a first batch."""
        found = self.nets["encoder"](batch.x, batch.given).flatten(0, 1)
        self.book.vectors.copy_(found[torch.randint(len(found), (len(self.book.vectors),))])

    def indices(self, batch: Batch) -> Tensor:
        """The index of each vector in the codebook, [B, N]."""
        return self.book.nearest(self.nets["encoder"](batch.x, batch.given))

    def encode(self, batch: Batch) -> Distribution:
        """The quantised vectors [B, N size], as a point mass."""
        return PointMass(self.book(self.indices(batch)).flatten(1))

    def decode(self, vectors: Tensor, given: Given = {}) -> Tensor:
        return self.nets["decoder"](vectors, given)

    def loss(self, batch: Batch) -> Loss:
        """Reconstruction, codebook and commitment; watches the perplexity, how many codes are in use."""
        z: Any = self.nets["encoder"](batch.x, batch.given)
        index = self.book.nearest(z)
        e = self.book(index)
        through = z + (e - z).detach()
        error = (self.decode(through, batch.given) - batch.x).flatten(1).square().sum(1)
        to_book, to_code = ((a - b).flatten(1).square().sum(1) for a, b in ((z.detach(), e), (z, e.detach())))
        parts = {
            "error": batch.mean(error),
            "codebook": batch.mean(to_book),
            "commitment": self.commitment * batch.mean(to_code),
        }
        share = functional.one_hot(index, len(self.book.vectors)).to(e).mean((0, 1))
        return Loss(parts, {"perplexity": torch.special.entr(share).sum().exp()})

    def prior_loss(self, batch: Batch) -> Loss:
        """`-log p(k_1, ..., k_N)` of the codes, in nats per event."""
        with torch.no_grad():
            index = self.indices(batch)
        logits = self.prior(index, batch.given)
        return Loss({"nll": batch.mean(functional.cross_entropy(logits.mT, index, reduction="none").sum(1))})

    @torch.no_grad()
    def reconstruct(self, batch: Batch) -> Batch:
        """g(e), in the mode in which the networks are."""
        return batch.with_x(self.decode(self.book(self.indices(batch)), batch.given))

    def noise(self, n: int) -> Noise:
        """`u` [n, N], uniform: which code each place gets."""
        return {"u": torch.rand(n, self.prior.length, device=self.book.vectors.device)}

    def push(self, noise: Noise, given: Given = {}) -> Batch:
        """The event at the codes that the prior makes of noise."""
        return Batch(self.decode(self.book(self.prior.draw(noise["u"], given)), given), given)

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """n new events in evaluation mode; `given` is encoded and has n rows."""
        training = self.training
        self.eval()
        try:
            return self.push(self.noise(n), given)
        finally:
            self.train(training)
