"""The codec for plain numbers: zero mean, unit variance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from simulacra.batch import Batch, DataSpec, Field, Given
from simulacra.errors import UserError
from simulacra.named import Named


class Moments(nn.Module):
    """Mean and standard deviation of each number of a tensor of `shape`."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("deviation", torch.ones(shape))

    def forward(self, value: Tensor) -> Tensor:
        return (value - self.mean) / self.deviation

    def back(self, value: Tensor) -> Tensor:
        return value * self.deviation + self.mean


def spanned(field: Field, value: Tensor) -> Tensor:
    """A real condition as `2 (v - low) / (high - low) - 1` over the range seen in training; as it is without one.

    >>> spanned(Field((1,), unit="deg", range=(0.0, 90.0)), torch.tensor([[45.0], [90.0]]))
    tensor([[0.],
            [1.]])
    """
    if field.range is None:
        return value
    low, high = field.range
    return 2 * (value - low) / (high - low) - 1 if high > low else value - low


class _Pass:
    """Weighted mean and sum of squares over pieces, without the cancellation of raw moments (Chan et al. 1983)."""

    def __init__(self, moments: Moments) -> None:
        self.moments, self.total = moments, 0.0
        self.mean = torch.zeros_like(moments.mean, dtype=torch.float64)
        self.squares = torch.zeros_like(self.mean)

    def add(self, value: Tensor, weight: Tensor) -> None:
        value, weight = value.to(self.mean), weight.to(self.mean).view(-1, *[1] * (value.dim() - 1))
        here = float(weight.sum())
        if here == 0:
            return
        middle = (weight * value).sum(0) / here
        gap = middle - self.mean
        self.squares += (weight * (value - middle).square()).sum(0) + gap.square() * (
            self.total * here / (self.total + here)
        )
        self.mean += gap * here / (self.total + here)
        self.total += here

    def finish(self) -> None:
        """Writes the moments; a number that never varies keeps deviation 1."""
        if self.total <= 0:
            raise UserError("expected events with positive total weight to fit the codec, came none; use more data")
        spread = (self.squares / self.total).clamp(min=0).sqrt()
        flat = spread <= 1e-9 * self.mean.abs()  # what single precision makes of one number
        self.moments.mean.copy_(self.mean)
        self.moments.deviation.copy_(torch.where(flat, torch.ones_like(spread), spread))


class Standardize(nn.Module):
    """`(x - mean) / deviation` for every number of the event and of the real conditions; classes pass as integers.

    Args:
        data: the physical description of what will be encoded.

    Example:
        >>> from simulacra.domains import open_data
        >>> data = open_data("toys:grid25", rows=1000)
        >>> codec = Standardize(data.spec)
        >>> codec.fit([data[:]])
        >>> codec.encode(data[:]).x.std(0, correction=0).round(decimals=3)
        tensor([1., 1.])
    """

    def __init__(self, data: DataSpec) -> None:
        super().__init__()
        if data.x.kind != "real":
            raise UserError(f"expected real numbers to standardise, {data.name} has {data.x.kind}; choose other data")
        self.fields: Mapping[str, Field] = dict(data.given)
        self.x = Moments(data.x.shape)
        self.given = Named({name: Moments(f.shape) for name, f in data.given.items() if f.kind == "real"})

    def spec(self, data: DataSpec) -> DataSpec:
        """The same layout and shapes, without units."""
        given = {
            name: replace(f, unit="", range=None) if f.kind == "real" else replace(f, range=None)
            for name, f in data.given.items()
        }
        return replace(data, x=replace(data.x, unit="", range=None), given=given)

    def fit(self, batches: Iterable[Batch]) -> None:
        """One pass over physical batches, weighted by event."""
        kept = {name: _Pass(m) for name, m in [("x", self.x), *self.given.items()] if isinstance(m, Moments)}
        for batch in batches:
            weight = torch.ones(len(batch), device=batch.x.device) if batch.weight is None else batch.weight
            for name, one in kept.items():
                one.add(batch.x if name == "x" else batch.given[name], weight)
        for one in kept.values():
            one.finish()

    def encode(self, batch: Batch) -> Batch:
        return replace(batch, x=self.x(batch.x), given=self.encode_given(batch.given))

    def encode_given(self, given: Given) -> Given:
        """Real conditions standardised, classes as integers; what the codec does not know is left out."""
        out = {}
        for name, field in self.fields.items():
            if name not in given:
                came = ", ".join(sorted(given)) or "no condition"
                raise UserError(f"expected the condition {name!r}, came {came}; give one {name} per event")
            out[name] = self.given[name](given[name]) if field.kind == "real" else given[name].long()
        return out

    def decode(self, batch: Batch) -> Batch:
        return batch.with_x(self.x.back(batch.x))

    def log_det(self, batch: Batch) -> Tensor:
        """`-sum log deviation`, the same for every event; [B]."""
        return -self.x.deviation.log().sum().expand(len(batch))
