"""The plain dense network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn


class MLP(nn.Module):
    """Linear maps with a pointwise nonlinearity between them, none after the last.

    `h_{k+1} = activation(norm(W_k h_k + b_k))`; shapes [B, inputs] -> [B, outputs].

    Args:
        inputs: numbers per event that come in.
        outputs: numbers per event that go out.
        hidden: widths of the hidden layers; none makes a single linear map.
        activation: builds the nonlinearity.
        norm: builds a normalisation of the given width before each nonlinearity; `None` for none.

    Example:
        >>> import torch
        >>> MLP(3, 2, hidden=(16, 16))(torch.zeros(5, 3)).shape
        torch.Size([5, 2])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden: Sequence[int] = (128, 128),
        activation: Callable[[], nn.Module] = nn.SiLU,
        norm: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        layers: list[nn.Module] = []
        width = inputs
        for size in hidden:
            layers.append(nn.Linear(width, size))
            if norm is not None:
                layers.append(norm(size))
            layers.append(activation())
            width = size
        layers.append(nn.Linear(width, outputs))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
