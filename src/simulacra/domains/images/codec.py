"""The codec for pictures: padded to a size that halves well, from -1 to 1."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import Batch, DataSpec, Given
from simulacra.domains.standard import spanned
from simulacra.errors import UserError


class ImageCodec(nn.Module):
    """`2 x - 1` in the middle of a frame of -1 (black) of `size` x `size`; classes pass as integers.

    Real conditions go from -1 to 1 over the range seen in training.

    With `dequantise`, grey level k of 256 becomes a draw between k / 256 and (k + 1) / 256, so that a density cannot
    grow without bound on the levels (Theis, van den Oord and Bethge 2016, arXiv:1511.01844); `decode` returns to the
    levels. The frame carries no information: `log_det` counts the picture's own pixels, and a density over the whole
    frame is one over the picture only for a model that puts the frame at -1.

    Args:
        data: the physical description: `image`, square or not.
        size: of the encoded picture; 0 leaves the picture as it is.
        dequantise: whether to blur the grey levels.

    Example:
        >>> from simulacra.batch import Field
        >>> codec = ImageCodec(DataSpec("dots", "image", Field((1, 28, 28))))
        >>> batch = codec.encode(Batch(torch.rand(2, 1, 28, 28)))
        >>> batch.x.shape, codec.decode(batch).x.shape
        (torch.Size([2, 1, 32, 32]), torch.Size([2, 1, 28, 28]))
    """

    def __init__(self, data: DataSpec, size: int = 32, dequantise: bool = False) -> None:
        super().__init__()
        if data.layout != "image" or len(data.x.shape) != 3:
            raise UserError(f"expected pictures, {data.name} has the layout {data.layout!r}; choose other data")
        self.channels, height, width = data.x.shape
        self.fields = dict(data.given)
        self.frame = (size, size) if size else (height, width)
        if self.frame[0] < height or self.frame[1] < width:
            raise UserError(f"expected a size of at least {max(height, width)}, came {size}; choose a larger one")
        top, left = (self.frame[0] - height) // 2, (self.frame[1] - width) // 2
        self.rows, self.columns = slice(top, top + height), slice(left, left + width)
        self.padding = (left, self.frame[1] - width - left, top, self.frame[0] - height - top)
        self.inner = data.x.size
        self.dequantise = dequantise

    def spec(self, data: DataSpec) -> DataSpec:
        """The same picture on its frame, as real numbers from -1 to 1."""
        event = replace(data.x, shape=(self.channels, *self.frame), levels=0, range=(-1.0, 1.0))
        given = {n: replace(f, unit="", range=(-1.0, 1.0)) if f.range else f for n, f in data.given.items()}
        return replace(data, x=event, given=given)

    def fit(self, batches: Iterable[Batch]) -> None:
        """Nothing to fit: the range of a picture is known."""

    def encode(self, batch: Batch) -> Batch:
        x = batch.x
        if self.dequantise:
            x = (x * 255 + torch.rand_like(x)) / 256
        return replace(
            batch, x=functional.pad(2 * x - 1, self.padding, value=-1.0), given=self.encode_given(batch.given)
        )

    def encode_given(self, given: Given) -> Given:
        """Classes as integers, other conditions over their trained range."""
        missing = [name for name in self.fields if name not in given]
        if missing:
            came = ", ".join(sorted(given)) or "no condition"
            raise UserError(f"expected the condition {missing[0]!r}, came {came}; give one {missing[0]} per event")
        return {
            name: given[name].long() if f.kind == "class" else spanned(f, given[name])
            for name, f in self.fields.items()
        }

    def decode(self, batch: Batch) -> Batch:
        """The picture without its frame, cut to [0, 1]."""
        x = ((batch.x[..., self.rows, self.columns] + 1) / 2).clamp(0, 1)
        if self.dequantise:
            x = (x * 256).floor().clamp(max=255) / 255
        return batch.with_x(x)

    def log_det(self, batch: Batch) -> Tensor:
        """`D log 2` for D pixels, with `dequantise` `D log(2 * 255 / 256)`; [B]."""
        scale = 2 * 255 / 256 if self.dequantise else 2.0
        return batch.x.new_full((len(batch),), self.inner * math.log(scale))
