"""Invertible maps that know how they stretch space, and how to chain them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from simulacra.batch import Given


@runtime_checkable
class Bijection(Protocol):
    """A bijection: an nn.Module that maps data to latents and back, each with log |det| of its Jacobian.

    `to_latent` takes x [B, D] to z [B, D] and log |d z / d x| [B]; `to_data` is its inverse, with log |d x / d z|.
    """

    def to_latent(self, x: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]: ...

    def to_data(self, z: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]: ...


class Chain(nn.Module):
    """Bijections one after another, in the order from data to latent; their log |det| add.

    Example:
        >>> chain = Chain([Permute(torch.tensor([1, 0])), Permute(torch.tensor([1, 0]))])
        >>> chain.to_latent(torch.tensor([[1.0, 2.0]]))
        (tensor([[1., 2.]]), tensor([0.]))
    """

    def __init__(self, steps: Sequence[nn.Module]) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)

    def to_latent(self, x: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(len(x))
        for step in self.steps:
            x, log_det = step.to_latent(x, given)  # type: ignore[operator]
            total = total + log_det
        return x, total

    def to_data(self, z: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        total = z.new_zeros(len(z))
        for step in reversed(self.steps):
            z, log_det = step.to_data(z, given)  # type: ignore[operator]
            total = total + log_det
        return z, total

    def begin(self, x: Tensor, given: Given = {}) -> None:
        """Lets each step that starts from data (an ActNorm) see what arrives at it."""
        for step in self.steps:
            if hasattr(step, "begin"):
                step.begin(x, given)  # type: ignore[operator]
            x, _ = step.to_latent(x, given)  # type: ignore[operator]


class Invert(nn.Module):
    """A bijection turned round: what took data to latent takes latent to data, and so which direction is fast.

    Example:
        >>> turned = Invert(Permute(torch.tensor([2, 0, 1])))
        >>> turned.to_data(torch.tensor([[1.0, 2.0, 3.0]]))[0]
        tensor([[3., 1., 2.]])
    """

    def __init__(self, bijection: nn.Module) -> None:
        super().__init__()
        self.bijection = bijection

    def to_latent(self, x: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        return self.bijection.to_data(x, given)  # type: ignore[operator]

    def to_data(self, z: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        return self.bijection.to_latent(z, given)  # type: ignore[operator]


class Scale(nn.Module):
    """`z_d = x_d exp(s_d)`, the diagonal scaling that lets a stack of additive couplings stretch space.

    Source: Dinh, Krueger and Bengio, "NICE" (2015, arXiv:1410.8516).

    Args:
        size: D.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(size))

    def to_latent(self, x: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))

    def to_data(self, z: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        return z * (-self.log_scale).exp(), -self.log_scale.sum().expand(len(z))


class Permute(nn.Module):
    """Puts the numbers of an event in another order; volume stays.

    Args:
        order: [D], `z_d = x_order[d]`.

    Raises:
        ValueError: `order` does not name each number once.
    """

    order: Tensor
    inverse: Tensor

    def __init__(self, order: Tensor) -> None:
        super().__init__()
        if not torch.equal(order.sort().values, torch.arange(len(order))):
            raise ValueError(f"expected each of 0 to {len(order) - 1} once, came {order.tolist()}; pass a permutation")
        self.register_buffer("order", order)
        self.register_buffer("inverse", order.argsort())

    def to_latent(self, x: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        return x[:, self.order], x.new_zeros(len(x))

    def to_data(self, z: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        return z[:, self.inverse], z.new_zeros(len(z))
