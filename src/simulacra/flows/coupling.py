"""Coupling: one half of the numbers decides how the other half is moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from simulacra.batch import Field, Given
from simulacra.flows.transforms import Affine, Elementwise, Shift, within
from simulacra.networks.conditioning import Conditions
from simulacra.networks.mlp import MLP


def alternating(size: int, k: int) -> Tensor:
    """Every other number stays, in turn for even and odd k: the mask of the k-th coupling; a lone number moves.

    >>> alternating(3, 0).tolist(), alternating(3, 1).tolist(), alternating(1, 0).tolist()
    ([True, False, True], [False, True, False], [False])
    """
    return (torch.arange(size) + k) % 2 == 0 if size > 1 else torch.zeros(1, dtype=torch.bool)


class Coupling(nn.Module):
    """`z_a = x_a, z_b = f(x_b; h)` with `h = MLP(x_a, given)` and f monotone in each number of x_b.

    The Jacobian is triangular, so log |det| is the sum of the log slopes of f. Both directions cost one pass through
    the network: it is fast to train and fast to sample. The last layer starts at zero, and so the coupling as the
    identity.

    Source: Dinh, Krueger and Bengio, "NICE" (2015, arXiv:1410.8516).

    Args:
        mask: [D] booleans, true for the numbers that stay.
        transform: f.
        given: the conditions that the network is told, encoded.
        hidden: widths of its layers.

    Raises:
        ValueError: every number stays.
    """

    stay: Tensor
    move: Tensor

    def __init__(
        self, mask: Tensor, transform: Elementwise, given: Mapping[str, Field] = {}, hidden: Sequence[int] = (128, 128)
    ) -> None:
        super().__init__()
        self.transform = transform
        self.conditions = Conditions(given)
        stay, move = mask.nonzero()[:, 0], (~mask).nonzero()[:, 0]
        self.told = len(stay) + self.conditions.size > 0
        if not len(move):
            raise ValueError("expected at least one number to move, came a mask of all true; clear one of its entries")
        self.register_buffer("stay", stay)
        self.register_buffer("move", move)
        # With nothing to look at (one number, no condition) the network sees a constant and learns a plain map.
        self.network = MLP(max(1, len(stay) + self.conditions.size), transform.size * len(move), hidden)
        last = self.network.layers[-1]
        if isinstance(last, nn.Linear):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def _parameters_of(self, fixed: Tensor, given: Given) -> Tensor:
        fixed = within(fixed, self.transform)
        seen = self.conditions.beside(fixed, given) if self.told else fixed.new_ones(len(fixed), 1)
        return self.network(seen).view(len(seen), self.transform.size, len(self.move)).transpose(1, 2)

    def _join(self, x: Tensor, moved: Tensor) -> Tensor:
        return x.to(moved.dtype).index_copy(1, self.move, moved)

    def to_latent(self, x: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        fixed = x[:, self.stay]
        moved, log_slope = self.transform.forward(x[:, self.move], self._parameters_of(fixed, given))
        return self._join(x, moved), log_slope.sum(1)

    def to_data(self, z: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        fixed = z[:, self.stay]
        moved, log_slope = self.transform.inverse(z[:, self.move], self._parameters_of(fixed, given))
        return self._join(z, moved), log_slope.sum(1)


class AffineCoupling(Coupling):
    """`z_a = x_a, z_b = x_b exp(s) + t` with `s = h / (1 + |h| / bound)` and `(h, t) = MLP(x_a, given)`.

    The Jacobian is triangular, so log |det| = `sum_b s`; the inverse is `x_b = (z_b - t) exp(-s)`, at the cost of the
    forward direction. The bound keeps both finite wherever they are asked. The last layer starts at zero, and so the
    coupling as the identity. (The determinant is a function of x_a, the half that stays, not of x_b as one of the
    lectures prints.)

    Source: Dinh, Sohl-Dickstein and Bengio, "Density estimation using Real NVP" (2017, arXiv:1605.08803).

    Args:
        mask: [D] booleans, true for the numbers that stay.
        given: the conditions that the network is told, encoded.
        hidden: widths of its layers.
        bound: largest |s|.

    Raises:
        ValueError: every number stays.

    Example:
        >>> coupling = AffineCoupling(torch.tensor([True, False]))
        >>> coupling.to_latent(torch.tensor([[1.0, 2.0]]))[0].tolist()
        [[1.0, 2.0]]
    """

    def __init__(
        self, mask: Tensor, given: Mapping[str, Field] = {}, hidden: Sequence[int] = (128, 128), bound: float = 3.0
    ) -> None:
        super().__init__(mask, Affine(bound), given, hidden)


class AdditiveCoupling(Coupling):
    """`z_a = x_a, z_b = x_b + MLP(x_a, given)`: additive coupling, which keeps volume (log |det| = 0).

    A stack of them needs one `Scale` to stretch at all. Both directions cost one pass.

    Source: Dinh, Krueger and Bengio, "NICE" (2015, arXiv:1410.8516).

    Args:
        mask: [D] booleans, true for the numbers that stay.
        given: the conditions that the network is told, encoded.
        hidden: widths of its layers.

    Raises:
        ValueError: every number stays.
    """

    def __init__(self, mask: Tensor, given: Mapping[str, Field] = {}, hidden: Sequence[int] = (128, 128)) -> None:
        super().__init__(mask, Shift(), given, hidden)
