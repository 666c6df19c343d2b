"""PixelRNN: pictures row by row, by a recurrent network whose state is a row."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from simulacra.autoregressive.pixels import PixelCNN
from simulacra.batch import Batch, Field, Given, Noise
from simulacra.networks.gated import MaskedConv2d

State = tuple[Tensor, Tensor]
"""Hidden and cell states of one row, each [B, width, 1, W]."""
FIRST = 7
"""Size of the first layer's kernel."""


class RowLSTM(nn.Module):
    """Row LSTM: all pixels of a row step at once, from the states of the row above and from their row to the left.

        o, f, i, g = K_is * x_row + K_ss * h_above,   c = sigmoid(f) c_above + sigmoid(i) tanh(g),
        h = sigmoid(o) tanh(c),   out = x_row + K_out h

    K_is is masked (mask B) along the row, K_ss reads the three states above. So a pixel depends on a triangle above it,
    which widens by one pixel a row and is as high as the picture.

    Args:
        width: numbers in a state; a row has twice as many.
        given_size: width of the conditions, which move the gates.

    Source: van den Oord, Kalchbrenner and Kavukcuoglu (2016), arXiv:1601.06759, section 3.1.
    """

    def __init__(self, width: int, given_size: int = 0) -> None:
        super().__init__()
        self.width = width
        self.row = MaskedConv2d(2 * width, 4 * width, (1, 3), "B", rows=False)
        self.above = nn.Conv2d(width, 4 * width, (1, 3), padding=(0, 1), bias=False)
        self.out = nn.Conv2d(width, 2 * width, 1)
        self.told = nn.Linear(given_size, 4 * width, bias=False) if given_size else None

    def gates(self, x: Tensor, told: Tensor | None) -> Tensor:
        """What the rows [B, 2 width, R, W] say of their gates, [B, 4 width, R, W]."""
        gates = self.row(x)
        return gates if self.told is None or told is None else gates + self.told(told)[:, :, None, None]

    def step(self, gates: Tensor, state: State | None) -> State:
        """The state of one row [B, width, 1, W] from its gates and the state of the row above."""
        if state is not None:
            gates = gates + self.above(state[0])
        o, f, i, g = gates.chunk(4, 1)
        cell = i.sigmoid() * g.tanh()
        if state is not None:
            cell = cell + f.sigmoid() * state[1]
        return o.sigmoid() * cell.tanh(), cell

    def forward(self, x: Tensor, told: Tensor | None = None) -> Tensor:
        """All rows, [B, 2 width, H, W] -> the same shape."""
        state, hidden = None, []
        for gates in self.gates(x, told).split(1, 2):
            state = self.step(gates, state)
            hidden.append(state[0])
        return x + self.out(torch.cat(hidden, 2))


class RowStack(nn.Module):
    """A masked convolution of 7 x 7 (mask A) and layers of Row LSTM: [B, C, H, W] -> [B, 2 width, H, W].

    The feature of a pixel sees pixels before it in raster order, and no other.

    Example:
        >>> picture = torch.zeros(1, 1, 3, 3, requires_grad=True)
        >>> RowStack(1, 4, 2)(picture)[0, :, 1, 1].sum().backward()
        >>> (picture.grad[0, 0] != 0).long()
        tensor([[1, 1, 1],
                [1, 0, 0],
                [0, 0, 0]])
    """

    def __init__(self, channels: int, width: int, depth: int, given_size: int = 0) -> None:
        super().__init__()
        half = FIRST // 2
        self.rows = MaskedConv2d(channels, 2 * width, (FIRST, FIRST), "A", rows=True)
        self.row = MaskedConv2d(channels, 2 * width, (1, FIRST), "A", rows=False)
        self.layers = nn.ModuleList(RowLSTM(width, given_size) for _ in range(depth))
        self.reach = half

    def first(self, x: Tensor) -> Tensor:
        """The first layer: the rows above, and the row to the left."""
        return self.rows(x) + self.row(x)

    def forward(self, x: Tensor, told: Tensor | None = None) -> Tensor:
        h = self.first(x)
        for layer in self.layers:
            h = layer(h, told)
        return h


class PixelRNN(PixelCNN):
    """PixelRNN: `P(x | given) = prod P(x_ijc | pixels before, earlier channels, given)` by a Row LSTM.

    Encoded x, heads, probabilities and conditions are those of `PixelCNN`. A recurrent row sees as far up as the
    picture goes, where convolutions see as far as they are deep; the price is that rows of one picture wait for each
    other in training. Drawing costs H W passes over one row.

    Args:
        shape: (C, H, W).
        levels: K.
        width: numbers in a state.
        depth: layers of Row LSTM.
        head: `categorical` or `logistic`.
        mixture: logistics per number.
        given_fields: the conditions.

    Example:
        >>> model = PixelRNN((1, 2, 2), 3, width=4, depth=2)
        >>> every = torch.cartesian_prod(*[torch.arange(3.0)] * 4).view(81, 1, 2, 2)
        >>> round(model.log_prob(Batch(every)).exp().sum().item(), 4), model.sample(5).x.shape
        (1.0, torch.Size([5, 1, 2, 2]))

    Source: van den Oord, Kalchbrenner and Kavukcuoglu (2016), arXiv:1601.06759.
    """

    stack: RowStack  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self,
        shape: tuple[int, ...],
        levels: int,
        *,
        width: int = 32,
        depth: int = 3,
        head: str = "categorical",
        mixture: int = 5,
        given_fields: Mapping[str, Field] | None = None,
    ) -> None:
        super().__init__(shape, levels, width=2 * width, depth=1, head=head, mixture=mixture, given_fields=given_fields)
        self.stack = RowStack(shape[0], width, depth, self.told.size)

    @torch.no_grad()
    def push(self, noise: Noise, given: Given = {}) -> Batch:
        """The picture whose every level is where the sum of probabilities passes u, in raster order; no gradient."""
        u, told = noise["u"], self.told(given) if self.told.size else None
        x = torch.zeros_like(u)
        channels, height, width = self.shape
        states: list[State | None] = [None] * len(self.stack.layers)
        for row in range(height):
            top = max(0, row - self.stack.reach)
            for column in range(width):
                features, _ = self._row(x, top, row, told, states)
                features, pixel = features[..., column, None], x[:, :, row : row + 1, column, None]
                for c in range(channels):
                    sums = self._log_probs(features, pixel, c).exp().cumsum(1)[..., 0, 0]
                    level = (sums <= u[:, c, row, column, None] * sums[:, -1:]).sum(1)
                    x[:, c, row, column] = level.clamp(max=self.levels - 1).to(u)
            states = list(self._row(x, top, row, told, states)[1])
        return Batch(x, given)

    def _row(
        self, x: Tensor, top: int, row: int, told: Tensor | None, above: list[State | None]
    ) -> tuple[Tensor, list[State]]:
        """Features of one row [B, 2 width, 1, W] and the states of its layers, from the states of the row above."""
        h = self.stack.first(self._scaled(x[:, :, top : row + 1]))[:, :, -1:]
        states = []
        for module, before in zip(self.stack.layers, above, strict=True):
            assert isinstance(module, RowLSTM)
            state = module.step(module.gates(h, told), before)
            h = h + module.out(state[0])
            states.append(state)
        return h, states
