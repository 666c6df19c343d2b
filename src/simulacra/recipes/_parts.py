"""What several recipes share: the codec that goes with a layout, and the refusal of a layout that does not fit."""

from __future__ import annotations

from typing import Any

from simulacra.batch import DataSpec
from simulacra.domains.calorimeter import ShowerCodec
from simulacra.domains.images import ImageCodec
from simulacra.domains.standard import Standardize
from simulacra.errors import UserError


def need_layout(data: DataSpec, recipe: str, *layouts: str) -> None:
    """Raises a UserError where the data do not lie as `recipe` needs them."""
    if data.layout not in layouts:
        raise UserError(
            f"expected the layout {' or '.join(layouts)} for {recipe}, {data.name} has {data.layout!r}; "
            "choose another recipe or other data"
        )


def codec_for(data: DataSpec) -> ImageCodec | ShowerCodec | Standardize:
    """Pictures from -1 to 1 on a frame of a power of two; codes and shares of showers; plain numbers standardised."""
    if data.layout == "layers":
        return ShowerCodec(data)
    if data.layout == "image":
        side = max(8, *data.x.shape[1:])
        return ImageCodec(data, size=1 << (side - 1).bit_length())
    return Standardize(data)


def sized(data: DataSpec, width: int) -> dict[str, Any]:
    """The option that sets the width of the networks of this layout: DCGAN's base, or three hidden layers."""
    return {"base": width} if data.layout == "image" else {"hidden": (width, width, width)}


def single(data: DataSpec, width: int, norm: str = "layer") -> dict[str, Any]:
    """Options of a critic that judges each event by itself: for pictures another norm than batch norm.

    It is told conditions of pictures by a projection (Miyato and Koyama 2018, arXiv 1802.05637), of which it hears more
    than of constant maps beside the pixels.
    """
    return sized(data, width) | ({"norm": norm, "projection": True} if data.layout == "image" else {})
