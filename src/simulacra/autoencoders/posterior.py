"""Posteriors beyond independent Gaussians: bent by a flow that knows the event, or a mixture of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily
from torch.nn.functional import softplus

from simulacra.autoencoders.bent import BentGaussian
from simulacra.batch import Batch, Field, Given
from simulacra.distributions.priors import EDGE, diagonal
from simulacra.errors import UserError
from simulacra.flows import Affine, Autoregressive, Chain, Invert, Permute, Planar


class FlowEncoder(nn.Module):
    """An encoder with an inverse autoregressive flow posterior: (x, given) -> `BentGaussian` over z [B, latent].

    The body's features give mu, sigma and a context h; then every step moves and scales each number as those before it
    and h decide, `z_d <- z_d exp(s_d(z_<d, h)) + t_d(z_<d, h)`, in reversed order at every second step. All numbers of
    a step come from one pass through a masked network. Steps start as the identity, and the posterior as the
    independent Gaussian of a plain variational autoencoder, which it contains.

    Args:
        body: (x, given) -> features [B, F].
        features: F.
        latent: D.
        steps: of the flow.
        hidden: widths of the layers of each masked network.
        context: numbers in h.
        bound: largest |s|.

    Source: Kingma et al. (2016), arXiv:1606.04934.
    """

    def __init__(
        self,
        body: nn.Module,
        features: int,
        latent: int,
        steps: int = 2,
        hidden: Sequence[int] = (64,),
        context: int = 16,
        bound: float = 2.0,
    ) -> None:
        super().__init__()
        self.body, self.latent = body, latent
        self.numbers = nn.Linear(features, 2 * latent + context)
        told = {"context": Field((context,))}
        chain: list[nn.Module] = []
        for _ in range(steps):
            chain += [Autoregressive(latent, Affine(bound), told, hidden), Permute(torch.arange(latent).flip(0))]
        self.flow = Invert(Chain(chain))

    def forward(self, x: Tensor, given: Given = {}) -> BentGaussian:
        numbers = self.numbers(self.body(x, given))
        mean, width = numbers[:, : self.latent], numbers[:, self.latent : 2 * self.latent]
        return BentGaussian(mean, softplus(width) + EDGE, self.flow, {"context": numbers[:, 2 * self.latent :]})


class PlanarEncoder(nn.Module):
    """An encoder with a planar flow posterior: (x, given) -> `BentGaussian` over z [B, latent].

    The body's features h give mu and sigma, and u, w and b of every step, `z <- z + u^(h) tanh(w(h).z + b(h))`: one
    push along one plane, to another place for each event. `log q(z) = log N(z_0) - sum log (1 + w.u^ tanh'(w.z + b))`.
    A step costs about as little as a layer of D numbers, and bends in one direction only: many are needed in many
    dimensions. A draw with its density is a closed form; the density of another z is exact and found by bisection.

    Args:
        body: (x, given) -> features h [B, F].
        features: F.
        latent: D.
        steps: of the flow.

    Source: Rezende and Mohamed (2015), arXiv:1505.05770.

    Example:
        >>> from simulacra.networks.dense import DenseBody
        >>> q = PlanarEncoder(DenseBody((3,), hidden=(8,)), 8, 2)(torch.zeros(5, 3))
        >>> z = q.rsample()
        >>> torch.allclose(q.log_prob(z), q.log_prob(z.clone()), atol=1e-4)
        True
    """

    def __init__(self, body: nn.Module, features: int, latent: int, steps: int = 8) -> None:
        super().__init__()
        self.body = body
        self.numbers = nn.Linear(features, 2 * latent)
        self.flow = Invert(Chain([Planar(latent, {"features": Field((features,))}) for _ in range(steps)]))

    def forward(self, x: Tensor, given: Given = {}) -> BentGaussian:
        features = self.body(x, given)
        mean, width = self.numbers(features).chunk(2, 1)
        return BentGaussian(mean, softplus(width) + EDGE, self.flow, {"features": features})


class MixtureEncoder(nn.Module):
    """An encoder with a mixture posterior: (x, given) -> `q(z | x) = sum_k pi_k(x) N(z; mu_k(x), sigma_k(x)^2)`.

    It may have several modes, which no Gaussian has and no flow makes of one without a bridge. The choice of a
    component has no gradient through a draw: `VAE` draws one z of each, weighted by pi_k (`stratified`).

    Args:
        body: (x, given) -> features [B, F].
        features: F.
        latent: numbers in z.
        components: K.

    Raises:
        UserError: fewer than one component.

    Source: Jaakkola and Jordan (1998), "Improving the mean field approximation via the use of mixture distributions";
    Morningstar et al. (2021), arXiv:2003.01687.

    Example:
        >>> from simulacra.networks.dense import DenseBody
        >>> q = MixtureEncoder(DenseBody((3,), hidden=(8,)), 8, 2)(torch.zeros(5, 3))
        >>> q.batch_shape, q.sample().shape
        (torch.Size([5]), torch.Size([5, 2]))
    """

    def __init__(self, body: nn.Module, features: int, latent: int, components: int = 2) -> None:
        super().__init__()
        if components < 1:
            raise UserError(f"expected at least one component, came {components}; raise it")
        self.body, self.latent, self.components = body, latent, components
        self.numbers = nn.Linear(features, components * (1 + 2 * latent))

    def forward(self, x: Tensor, given: Given = {}) -> MixtureSameFamily:
        numbers = self.numbers(self.body(x, given))
        logits, rest = numbers[:, : self.components], numbers[:, self.components :]
        means, widths = rest.view(-1, 2, self.components, self.latent).unbind(1)
        parts = diagonal(means, softplus(widths) + EDGE)
        return MixtureSameFamily(Categorical(logits=logits), parts, validate_args=False)


def stratified(batch: Batch, q: MixtureSameFamily) -> tuple[Batch, MixtureSameFamily, Tensor]:
    """Stratified sampling: every event once for each of the K components of its posterior, weighted by pi_k.

    A weighted mean over them is `E_q f = sum_k pi_k E_{N_k} f` with one draw of each component, whose gradient goes
    through the draws and through pi.

    Returns:
        The events with their weights, q once more for each, and z: K B rows, the k-th B of them of component k.

    Source: Morningstar et al. (2021), arXiv:2003.01687.

    Example:
        >>> parts = diagonal(torch.tensor([[[-9.0], [9.0]]]), torch.ones(1, 2, 1))
        >>> q = MixtureSameFamily(Categorical(torch.tensor([[0.25, 0.75]])), parts)
        >>> rows, _, z = stratified(Batch(torch.zeros(1, 3)), q)
        >>> rows.weight, z.sign().flatten()
        (tensor([0.2500, 0.7500]), tensor([-1.,  1.]))
    """
    share, each = q.mixture_distribution.probs, q.component_distribution.rsample()
    count = share.shape[1]
    rows = batch.map(lambda value: value.repeat(count, *[1] * (value.dim() - 1)))
    weight = share.T.flatten() if rows.weight is None else share.T.flatten() * rows.weight
    many: Any = q.expand((count, len(batch)))
    logits = many.mixture_distribution.logits.flatten(0, 1)
    parts = many.component_distribution.base_dist
    again = diagonal(parts.loc.flatten(0, 1), parts.scale.flatten(0, 1))
    mixed = MixtureSameFamily(Categorical(logits=logits), again, validate_args=False)
    return Batch(rows.x, rows.given, rows.mask, weight), mixed, each.transpose(0, 1).flatten(0, 1)
