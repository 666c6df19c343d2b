"""One network for all conditionals of an autoregressive model, by masks on its weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class MaskedLinear(nn.Linear):
    """`y = (W * mask) x + b`: a linear map whose weights are zero, and stay zero, where the mask is.

    Args:
        mask: [outputs, inputs] booleans.
    """

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask)

    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input, self.weight * self.mask, self.bias)


class MADE(nn.Module):
    """MADE, the masked autoencoder: outputs of number d depend on the numbers before d, and on nothing else.

    Every unit has a degree m. A hidden unit sees units below with `m(above) >= m(below)`, the outputs of number d see
    hidden units of degree strictly below d: `m_d > m(below)`, so that no number sees itself and the conditionals
    multiply to a normalised density. (With `>=` for the outputs as well each number would
    see itself.) What is given has degree 0: everybody sees it. Shapes ([B, D], [B, given_size]) -> [B, D, K].

    Source: Germain, Gregor, Murray and Larochelle, "MADE" (2015, arXiv:1502.03509).

    Args:
        inputs: D, numbers per event.
        outputs_per_input: K, numbers that come out for each of them.
        hidden: widths of the hidden layers.
        given_size: width of the conditions.
        order: [D], the place of each number in the autoregressive order, 0 first; as they lie where there is none.
        activation: builds the nonlinearity.

    Raises:
        ValueError: `order` does not name each place once, or an input has another width.

    Example:
        >>> net = MADE(3, 2, (8,))
        >>> x = torch.zeros(1, 3, requires_grad=True)
        >>> net(x)[0, 1].sum().backward()  # the outputs of the second number see the first one only
        >>> (x.grad != 0).tolist()
        [[True, False, False]]
    """

    order: Tensor

    def __init__(
        self,
        inputs: int,
        outputs_per_input: int,
        hidden: Sequence[int] = (128, 128),
        given_size: int = 0,
        *,
        order: Tensor | None = None,
        activation: Callable[[], nn.Module] = nn.SiLU,
    ) -> None:
        super().__init__()
        order = torch.arange(inputs) if order is None else order
        if not torch.equal(order.sort().values, torch.arange(inputs)):
            raise ValueError(f"expected each of 0 to {inputs - 1} once, came {order.tolist()}; pass a permutation")
        self.inputs, self.outputs, self.given_size = inputs, outputs_per_input, given_size
        self.register_buffer("order", order)
        # A lone number with no condition has nothing to look at: its network sees a constant.
        self.constant = inputs == 1 and not given_size
        told = torch.zeros(1 if self.constant else given_size, dtype=torch.long)
        lowest = 0 if len(told) else 1
        below = torch.cat([order + 1, told]) if inputs > 1 else told
        layers: list[nn.Module] = []
        for width in hidden:
            degrees = lowest + torch.arange(width) * (inputs - lowest) // width
            layers += [MaskedLinear(degrees[:, None] >= below), activation()]
            below = degrees
        layers.append(MaskedLinear((order + 1).repeat_interleave(outputs_per_input)[:, None] > below))
        self.layers = nn.Sequential(*layers)

    @property
    def last(self) -> MaskedLinear:
        """The output layer: setting its weights to zero makes every conditional the same."""
        last = self.layers[-1]
        assert isinstance(last, MaskedLinear)
        return last

    def forward(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        if x.shape[1] != self.inputs or (0 if given is None else given.shape[1]) != self.given_size:
            came = f"{tuple(x.shape)} and {None if given is None else tuple(given.shape)}"
            raise ValueError(f"expected [B, {self.inputs}] and [B, {self.given_size}], came {came}; encode the event")
        told = x.new_ones(len(x), 1) if self.constant else given
        seen = [part for part in (x if self.inputs > 1 else None, told) if part is not None]
        return self.layers(torch.cat(seen, 1)).view(-1, self.inputs, self.outputs)
