"""PixelRNN with a Row LSTM."""

from __future__ import annotations

from simulacra.autoregressive.pixels import HEADS
from simulacra.autoregressive.rows import PixelRNN
from simulacra.batch import DataSpec
from simulacra.domains.images.levels import Levels
from simulacra.errors import UserError
from simulacra.recipes._discrete import by_likelihood
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "autoregressive"
DOMAIN = ("image",)
PAPER = "van den Oord et al. 2016 arXiv:1601.06759"


def pixelrnn(
    data: DataSpec,
    *,
    levels: int = 16,
    head: str = "categorical",
    width: int = 16,
    depth: int = 2,
    lr: float = 3e-3,
    batch: int = 16,
    rounds: int = 2000,
) -> Experiment:
    """Pictures of grey levels, each pixel given those before it, by a recurrent network that reads row after row.

    A Row LSTM steps down the picture, a whole row at a time: its gates read the states of the three nearest pixels of
    the row above and, through a mask, the row to the left. A pixel sees the triangle above it as far as the picture
    goes, whatever the depth. Numbers are `categorical` over the levels or a `logistic` mixture; channels of a pixel
    follow each other. The probability of a picture is exact. It is conditional on whatever the data give.

    Args:
        data: of pictures, of 1, 3 or more channels.
        levels: grey levels to which pictures are rounded, 2 to 256.
        head: `categorical` or `logistic`.
        width: numbers in a state; depth: layers.

    Raises:
        UserError: the events are no pictures, or the head is unknown.
    """
    need_layout(data, "pixelrnn", *DOMAIN)
    if head not in HEADS:
        raise UserError(f"expected the head categorical or logistic, came {head!r}; choose one of them")
    codec = Levels(data, levels)
    spec = codec.spec(data)
    model = PixelRNN(spec.x.shape, levels, width=width, depth=depth, head=head, given_fields=spec.given)
    return by_likelihood(model, codec, lr=lr, batch=batch, rounds=rounds)
