"""Masked autoregressive flows: every number moved as those before it decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from simulacra.batch import Field, Given
from simulacra.flows.transforms import Elementwise, within
from simulacra.networks.conditioning import Conditions
from simulacra.networks.made import MADE


class Autoregressive(nn.Module):
    """Masked autoregressive flow (MAF): `z_d = f(x_d; h_d)` with `h = MADE(x, given)`, h_d of x_<d only.

    The Jacobian is triangular, so log |det| is the sum of the log slopes of f. Data to latent is fast: one pass
    through the network for all numbers. Latent to data is slow: D passes, one number after another. Turned round by
    `Invert` it is an inverse autoregressive flow (IAF), fast to sample and slow to ask for the density of given data.
    The output layer starts at zero, and so the flow as the identity.

    Source: Papamakarios, Pavlakou and Murray, "Masked autoregressive flow for density estimation" (2017,
    arXiv:1705.07057); Kingma et al., "Improving variational inference with inverse autoregressive flow" (2016,
    arXiv:1606.04934).

    Args:
        size: D.
        transform: f, monotone.
        given: the conditions that the network is told, encoded.
        hidden: widths of its layers.
        order: [D], the place of each number, 0 first; as they lie where there is none.

    Example:
        >>> from simulacra.flows.transforms import Affine
        >>> flow = Autoregressive(3, Affine(), hidden=(8,))
        >>> flow.to_latent(torch.tensor([[1.0, 2.0, 3.0]]))[0].tolist()
        [[1.0, 2.0, 3.0]]
    """

    def __init__(
        self,
        size: int,
        transform: Elementwise,
        given: Mapping[str, Field] = {},
        hidden: Sequence[int] = (128, 128),
        order: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.transform = transform
        self.conditions = Conditions(given)
        self.network = MADE(size, transform.size, hidden, self.conditions.size, order=order)
        nn.init.zeros_(self.network.last.weight)
        nn.init.zeros_(self.network.last.bias)

    def to_latent(self, x: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        z, log_slope = self.transform.forward(x, self._parameters_of(x, self._told(x, given)))
        return z, log_slope.sum(1)

    def to_data(self, z: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        told, x, log_slope = self._told(z, given), torch.zeros_like(z), torch.zeros_like(z)
        for _ in range(z.shape[1]):  # every pass sets one number more for good; no number sees those that are not
            x, log_slope = self.transform.inverse(z, self._parameters_of(x, told))
        return x, log_slope.sum(1)

    def _parameters_of(self, x: Tensor, told: Tensor | None) -> Tensor:
        return self.network(within(x, self.transform), told)

    def _told(self, x: Tensor, given: Given) -> Tensor | None:
        return self.conditions(given).to(x.dtype) if self.conditions.size else None
