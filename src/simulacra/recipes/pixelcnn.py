"""Gated PixelCNN."""

from __future__ import annotations

from simulacra.autoregressive.pixels import HEADS, PixelCNN
from simulacra.batch import DataSpec
from simulacra.domains.images.levels import Levels
from simulacra.errors import UserError
from simulacra.recipes._discrete import by_likelihood
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "autoregressive"
DOMAIN = ("image",)
PAPER = "van den Oord et al. 2016 arXiv:1606.05328, arXiv:1601.06759; Salimans et al. 2017 arXiv:1701.05517"


def pixelcnn(
    data: DataSpec,
    *,
    levels: int = 16,
    head: str = "categorical",
    width: int = 24,
    depth: int = 6,
    lr: float = 2e-3,
    batch: int = 16,
    rounds: int = 2000,
) -> Experiment:
    """Pictures of grey levels, each pixel given the rows above and the pixels to its left, by gated convolutions.

    Two masked stacks, one for the rows above and one for the row, leave no blind spot. Numbers are `categorical` over
    the levels or a `logistic` mixture; channels of a pixel follow each other. The probability of a picture is exact
    and costs one pass, drawing one as many passes as it has pixels. It is conditional on whatever the data give.

    Args:
        data: of pictures, of 1, 3 or more channels.
        levels: grey levels to which pictures are rounded, 2 to 256.
        head: `categorical` or `logistic`.
        width: feature maps; depth: gated layers, each of which sees one pixel further.

    Raises:
        UserError: the events are no pictures, or the head is unknown.
    """
    need_layout(data, "pixelcnn", *DOMAIN)
    if head not in HEADS:
        raise UserError(f"expected the head categorical or logistic, came {head!r}; choose one of them")
    codec = Levels(data, levels)
    spec = codec.spec(data)
    model = PixelCNN(spec.x.shape, levels, width=width, depth=depth, head=head, given_fields=spec.given)
    return by_likelihood(model, codec, lr=lr, batch=batch, rounds=rounds)
