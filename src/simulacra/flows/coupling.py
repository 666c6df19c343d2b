"""Affine coupling: one half of the numbers decides how the other half is stretched and moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from simulacra.batch import Field, Given
from simulacra.networks.conditioning import Conditions
from simulacra.networks.mlp import MLP


class AffineCoupling(nn.Module):
    """`z_a = x_a, z_b = x_b exp(s) + t` with `s = bound tanh(h / bound)` and `(h, t) = MLP(x_a, given)`.

    The Jacobian is triangular, so log |det| = `sum_b s`; the inverse is `x_b = (z_b - t) exp(-s)`, at the cost of the
    forward direction. The bound keeps both finite wherever they are asked. The last layer starts at zero, and so the
    coupling as the identity.

    Source: Dinh, Sohl-Dickstein and Bengio, "Density estimation using Real NVP" (2017, arXiv:1605.08803).

    Args:
        mask: [D] booleans, true for the numbers that stay.
        given: the conditions that the network is told, encoded.
        hidden: widths of its layers.
        bound: largest |s|.

    Raises:
        ValueError: no number stays and nothing is given, or every number stays.

    Example:
        >>> coupling = AffineCoupling(torch.tensor([True, False]))
        >>> coupling.to_latent(torch.tensor([[1.0, 2.0]]))[0].tolist()
        [[1.0, 2.0]]
    """

    stay: Tensor
    move: Tensor
    back: Tensor

    def __init__(
        self, mask: Tensor, given: Mapping[str, Field] = {}, hidden: Sequence[int] = (128, 128), bound: float = 3.0
    ) -> None:
        super().__init__()
        self.conditions = Conditions(given)
        stay, move = mask.nonzero()[:, 0], (~mask).nonzero()[:, 0]
        self.told = len(stay) + self.conditions.size > 0
        if not len(move):
            raise ValueError("expected at least one number to move, came a mask of all true; clear one of its entries")
        self.register_buffer("stay", stay)
        self.register_buffer("move", move)
        self.register_buffer("back", torch.cat([stay, move]).argsort())
        self.bound = bound
        # With nothing to look at (one number, no condition) the network sees a constant and learns a plain affine map.
        self.network = MLP(max(1, len(stay) + self.conditions.size), 2 * len(move), hidden)
        last = self.network.layers[-1]
        if isinstance(last, nn.Linear):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def _scale_and_shift(self, fixed: Tensor, given: Given) -> tuple[Tensor, Tensor]:
        seen = self.conditions.beside(fixed, given) if self.told else fixed.new_ones(len(fixed), 1)
        raw, shift = self.network(seen).chunk(2, 1)
        return self.bound * torch.tanh(raw / self.bound), shift

    def _join(self, fixed: Tensor, moved: Tensor) -> Tensor:
        return torch.cat([fixed, moved], 1)[:, self.back]

    def to_latent(self, x: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        fixed = x[:, self.stay]
        log_scale, shift = self._scale_and_shift(fixed, given)
        return self._join(fixed, x[:, self.move] * log_scale.exp() + shift), log_scale.sum(1)

    def to_data(self, z: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        fixed = z[:, self.stay]
        log_scale, shift = self._scale_and_shift(fixed, given)
        return self._join(fixed, (z[:, self.move] - shift) * (-log_scale).exp()), -log_scale.sum(1)
