"""The variational autoencoder: encoder x decoder x prior x divergence."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, MixtureSameFamily

from simulacra.autoencoders.posterior import stratified
from simulacra.autoencoders.terms import KL, Divergence
from simulacra.batch import Batch, Given, Noise
from simulacra.distributions import kl
from simulacra.errors import UserError
from simulacra.training.game import Loss

TOGETHER = 512
"""Codes that go through the decoder at once in an importance-weighted bound."""


class LatentVariableModel(nn.Module):
    """A latent variable model: `p(x) = int p(x | z) p(z) dz`, sampled by `z ~ p(z)`, then `x ~ p(x | z)`.

    Args:
        encoder: (x, given) -> a distribution q(z | x) over z [B, latent].
        decoder: ({"z": z}, given) -> numbers [B, *event].
        likelihood: reads them as p(x | z): `Gaussian`, `Bernoulli`.
        prior: given -> p(z | given).
        shape: of an event, where samples are to be draws of p(x | z); without it they are its mean, as pictures are
            usually shown.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: nn.Module,
        prior: nn.Module,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.prior: Any = prior
        self.likelihood: Any = likelihood
        self.shape = shape

    def encode(self, batch: Batch) -> Distribution:
        """q(z | x, given) of encoded events."""
        return self.encoder(batch.x, batch.given)

    def decode(self, z: Tensor, given: Given = {}) -> Distribution:
        """p(x | z, given)."""
        return self.likelihood(self.decoder({"z": z}, given))

    @torch.no_grad()
    def reconstruct(self, batch: Batch) -> Batch:
        """The events that come back: the mean of p(x | E[z | x]), in the mode in which the networks are."""
        return batch.with_x(self.decode(self.encode(batch).mean, batch.given).mean)

    def noise(self, n: int) -> Noise:
        """What n samples are made of: `z` [n, latent], and `x` [n, *event] where they are draws of p(x | z)."""
        z = self.prior.noise(n)
        return {"z": z} if self.shape is None else {"z": z, "x": self.likelihood.noise(z.new_empty(n, *self.shape))}

    def push(self, noise: Noise, given: Given = {}) -> Batch:
        """The event at a code: the mean of p(x | z), or a draw where the noise has an `x`."""
        output = self.decoder({"z": self.prior.code(noise["z"], given)}, given)
        if "x" in noise:
            return Batch(self.likelihood.push(output, noise["x"]), given)
        return Batch(self.likelihood(output).mean, given)

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """n new events in evaluation mode; `given` is encoded and has n rows."""
        training = self.training
        self.eval()
        try:
            return self.push(self.noise(n), given)
        finally:
            self.train(training)


class VAE(LatentVariableModel):
    """A variational autoencoder: `z ~ p(z | given)`, `x ~ p(x | z, given)`, and q(z | x, given) in place of p(z | x).

    `log p(x) = E_q[log p(x | z)] - KL(q(z | x) | p(z)) + KL(q(z | x) | p(z | x))`: the first two are the evidence
    lower bound, whose negative is the loss, in nats per event summed over all numbers of an event. The KL is added to
    the loss (lectures print it with its sign turned, and the squared error without its half or as a mean over pixels,
    which are decoder variances of 1/2 and D/2: the latter leaves nothing worth encoding). The gradient goes through
    `z = mu + sigma e`; of a mixture posterior each component is drawn once and weighted (`stratified`).

    Args:
        encoder: (x, given) -> a distribution over z [B, latent].
        decoder: ({"z": z}, given) -> numbers [B, *event].
        likelihood: reads them as p(x | z): `Gaussian`, `Bernoulli`.
        prior: given -> p(z | given).
        divergence: of posterior and prior; the KL where there is none.
        shape: of an event, where samples are to be draws of p(x | z); without it they are its mean, as pictures are
            usually shown.

    Source: Kingma and Welling (2014), arXiv:1312.6114; Rezende et al. (2014), arXiv:1401.4082.

    Example:
        >>> from simulacra.batch import DataSpec, Field
        >>> from simulacra.distributions import Gaussian, StandardNormalPrior
        >>> from simulacra.networks import LatentEncoder, critic_for, generator_for
        >>> spec = DataSpec("plane", "vector", Field((2,)))
        >>> encoder = LatentEncoder(critic_for(spec).body, 128, 3)
        >>> model = VAE(encoder, generator_for(spec, 3), Gaussian(), StandardNormalPrior(3))
        >>> batch = model.sample(5)
        >>> batch.x.shape, model.encode(batch).mean.shape, model.log_prob_bound(batch, draws=4).shape
        (torch.Size([5, 2]), torch.Size([5, 3]), torch.Size([5]))
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: nn.Module,
        prior: nn.Module,
        divergence: Divergence | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__(encoder, decoder, likelihood, prior, shape)
        self.divergence: Any = divergence or KL()

    def loss(self, batch: Batch) -> Loss:
        """Minus the bound, as reconstruction and divergence; watches the KL."""
        q: Any = self.encode(batch)
        if isinstance(q, MixtureSameFamily):
            batch, q, z = stratified(batch, q)
        else:
            z = q.rsample()
        p = self.prior(batch.given)
        distortion = -batch.mean(self.decode(z, batch.given).log_prob(batch.x))
        parts = {"reconstruction": distortion, "divergence": self.divergence(batch, q, p, z)}
        with torch.no_grad():
            return Loss(parts, {"kl": batch.mean(kl(q, p, z))})

    def importance_loss(self, batch: Batch, draws: int) -> Loss:
        """Minus the importance-weighted bound of `draws` codes per event.

        Raises:
            UserError: draws of the posterior have no gradient, as those of a mixture or of categories.
        """
        if not (q := self.encode(batch[:1])).has_rsample:
            came = type(q).__name__
            raise UserError(f"expected a posterior whose draws have a gradient, came {came}; train on `loss` instead")
        return Loss({"bound": -batch.mean(self.log_prob_bound(batch, draws))})

    def log_prob_bound(self, batch: Batch, draws: int = 1) -> Tensor:
        """`log 1/K sum_k p(x | z_k) p(z_k) / q(z_k | x)` with K codes from q, [B] in nats of encoded x.

        Below log p(x) in expectation: the evidence lower bound for K = 1, the importance-weighted one above, which
        grows with K to log p(x).

        Source: Burda, Grosse and Salakhutdinov (2016), arXiv:1509.00519.
        """
        q, p = self.encode(batch), self.prior(batch.given)
        weights, most = [], max(1, TOGETHER // max(len(batch), 1))
        for start in range(0, draws, most):
            count = (min(most, draws - start),)
            z = q.rsample(count) if torch.is_grad_enabled() and q.has_rsample else q.sample(count)
            rows = batch.map(lambda value, k=count[0]: value.repeat(k, *[1] * (value.dim() - 1)))
            inside = self.decode(z.flatten(0, 1), rows.given).log_prob(rows.x).view(*count, -1)
            weights.append(inside + p.log_prob(z) - q.log_prob(z))
        return torch.cat(weights).logsumexp(0) - math.log(draws)
