"""PixelRNN: pictures row by row, by a recurrent network whose state is a row."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.autoregressive.pixels import PixelCNN
from simulacra.batch import Field
from simulacra.networks.gated import MaskedConv2d, moves

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
        self.rows = MaskedConv2d(channels, 2 * width, (FIRST, FIRST), "A", rows=True)
        self.row = MaskedConv2d(channels, 2 * width, (1, FIRST), "A", rows=False)
        self.layers = nn.ModuleList(RowLSTM(width, given_size) for _ in range(depth))

    def forward(self, x: Tensor, told: Tensor | None = None) -> Tensor:
        h = self.rows(x) + self.row(x)
        for layer in self.layers:
            h = layer(h, told)
        return h

    def scan(self, n: int, width: int, told: Tensor | None = None) -> RowScan:
        """The features of n pictures `width` pixels wide, pixel by pixel."""
        return RowScan(self, n, width, told)


class RowScan:
    """Features of a `RowStack` pixel by pixel in raster order, each made once (see `networks.gated.GatedScan`)."""

    def __init__(self, stack: RowStack, n: int, width: int, told: Tensor | None) -> None:
        self.stack, self.layers = stack, [layer for layer in stack.layers if isinstance(layer, RowLSTM)]
        self.told = moves(self.layers, told)
        zero, size = stack.row.weight.new_zeros, self.layers[0].width
        self.above = zero(n, stack.rows.in_channels, FIRST // 2, width + 2 * (FIRST // 2))
        self.left = zero(n, stack.rows.in_channels, FIRST // 2 + width)
        self.before = [zero(n, 2 * size, 1 + width) for _ in self.layers]
        self.states = [(zero(n, size, width), zero(n, size, width)) for _ in self.layers]
        self.first = zero(0)
        self.gates: list[Tensor] = []
        self.cells: list[Tensor] = []

    def row(self, above: Tensor) -> None:
        """Begins a row; `above` [n, C, W] is the one before it, zero for the first."""
        half = FIRST // 2
        self.above = torch.cat([self.above[:, :, 1:], functional.pad(above, (half, half))[:, :, None]], 2)
        rows = self.stack.rows
        self.first = functional.conv2d(self.above, rows.weight[:, :, :half], rows.bias)[:, :, 0]
        self.gates = []
        for layer, (hidden, _), told in zip(self.layers, self.states, self.told, strict=True):
            gates = layer.above(hidden[:, :, None])[:, :, 0]
            self.gates.append(gates if told is None else gates + told)
        self.cells = [cell for _, cell in self.states]
        self.states = [(torch.zeros_like(hidden), torch.zeros_like(cell)) for hidden, cell in self.states]

    def pixel(self, column: int, before: Tensor) -> Tensor:
        """Features [n, 2 width] of the pixel of this column; `before` [n, C] is the one to its left."""
        half, row = FIRST // 2, self.stack.row
        if column:
            self.left[:, :, column + half - 1] = before
        seen, kernel = self.left[:, :, column : column + half].flatten(1), row.weight[:, :, 0, :half].flatten(1)
        h = functional.linear(seen, kernel, row.bias) + self.first[:, :, column]
        for k, layer in enumerate(self.layers):
            self.before[k][:, :, column + 1] = h
            kernel = layer.row.weight[:, :, 0, :2].flatten(1)
            gates = functional.linear(self.before[k][:, :, column : column + 2].flatten(1), kernel, layer.row.bias)
            o, f, i, g = (gates + self.gates[k][:, :, column]).chunk(4, 1)
            cell = i.sigmoid() * g.tanh() + f.sigmoid() * self.cells[k][:, :, column]
            hidden = o.sigmoid() * cell.tanh()
            self.states[k][0][:, :, column], self.states[k][1][:, :, column] = hidden, cell
            h = h + functional.linear(hidden, layer.out.weight[:, :, 0, 0], layer.out.bias)
        return h


class PixelRNN(PixelCNN):
    """PixelRNN: `P(x | given) = prod P(x_ijc | pixels before, earlier channels, given)` by a Row LSTM.

    Encoded x, heads, probabilities and conditions are those of `PixelCNN`. A recurrent row sees as far up as the
    picture goes, where convolutions see as far as they are deep; the price is that rows of one picture wait for each
    other in training.

    Args:
        shape: (C, H, W).
        levels: K.
        width: numbers in a state.
        depth: layers of Row LSTM.
        head: `categorical` or `logistic`.
        mixture: logistics per number.
        given_fields: the conditions.

    Example:
        >>> from simulacra.batch import Batch
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
