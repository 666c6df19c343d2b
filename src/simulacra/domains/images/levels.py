"""The codec for models of discrete pictures: every number becomes one of a few grey levels."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor, nn

from simulacra.batch import Batch, DataSpec, Given
from simulacra.domains.standard import spanned
from simulacra.errors import UserError

EXACT = 1e-5
"""How far a number may lie from its grey level and still be called equal to it."""


class Levels(nn.Module):
    """Pictures of `levels` grey levels: `k = round(x (K - 1))`, from 0 to K - 1; two levels are black and white.

    `stochastic` is the dither `k = floor(x (K - 1) + u)`, u uniform in [0, 1): for two levels a pixel is white with
    probability x, drawn anew each time (Salakhutdinov and Murray 2008). Shapes [B, C, H, W], conditions as in
    `ImageCodec`. What a model says of encoded pictures is a probability, not a density. `log_det` is `D log(K - 1)`: it
    spreads the probability of a level evenly over its width `1 / (K - 1)`, so that likelihoods compare with densities
    of blurred grey levels, and `bits_per_dimension` of that width gives back the model's own bits; for black and white
    it is 0, and a likelihood is the log probability of the picture. That holds for pictures that have these levels
    already. Of others the codec forgets, and they have no likelihood; the loss is that of the pictures as encoded.

    Args:
        data: the physical description: `image`, from 0 to 1.
        levels: K, from 2 to 256.
        stochastic: whether numbers between two levels are drawn instead of rounded.

    Raises:
        UserError: the data are no pictures, or the number of levels is not in its range.

    Example:
        >>> from simulacra.batch import Field
        >>> codec = Levels(DataSpec("dots", "image", Field((1, 1, 3))), levels=3)
        >>> batch = codec.encode(Batch(torch.tensor([[[[0.0, 0.3, 1.0]]]])))
        >>> batch.x.tolist(), codec.decode(batch).x.tolist()
        ([[[[0.0, 1.0, 2.0]]]], [[[[0.0, 0.5, 1.0]]]])
    """

    def __init__(self, data: DataSpec, levels: int = 2, stochastic: bool = False) -> None:
        super().__init__()
        if data.layout != "image" or len(data.x.shape) != 3:
            raise UserError(f"expected pictures, {data.name} has the layout {data.layout!r}; choose other data")
        if not 2 <= levels <= 256:
            raise UserError(f"expected 2 to 256 grey levels, came {levels}; choose a number between")
        self.fields, self.levels, self.stochastic = dict(data.given), levels, stochastic

    def spec(self, data: DataSpec) -> DataSpec:
        """The same picture with integers from 0 to K - 1."""
        kind = "binary" if self.levels == 2 else "class"
        event = replace(data.x, kind=kind, levels=self.levels, unit="", range=(0.0, self.levels - 1.0))
        given = {n: replace(f, unit="", range=(-1.0, 1.0)) if f.range else f for n, f in data.given.items()}
        return replace(data, x=event, given=given)

    def fit(self, batches: Iterable[Batch]) -> None:
        """Nothing to fit: the levels are known."""

    def encode(self, batch: Batch) -> Batch:
        x = batch.x * (self.levels - 1)
        x = (x + torch.rand_like(x)).floor() if self.stochastic else x.round()
        return replace(batch, x=x.clamp(0, self.levels - 1), given=self.encode_given(batch.given))

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
        """Grey levels from 0 to 1, `k / (K - 1)`."""
        return batch.with_x(batch.x / (self.levels - 1))

    def log_det(self, batch: Batch) -> Tensor:
        """`D log(K - 1)` for D numbers of pictures that have these levels already, [B].

        Raises:
            UserError: the pictures have other grey levels, which the codec forgets.
        """
        grey = batch.x * (self.levels - 1)
        if bool(((grey - grey.round()).abs() > EXACT * self.levels).any()):
            raise UserError(
                f"expected pictures of {self.levels} grey levels for a likelihood, came others; reduce them first"
            )
        return batch.x.new_full((len(batch),), batch.x[:1].numel() * math.log(self.levels - 1))
