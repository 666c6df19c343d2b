"""How the weights of networks lie in memory."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


def channels_last(network: M) -> M:
    """Lays the weights of 2-D convolutions out with the channels last, and with them the maps; returns `network`.

    The numbers are the same up to rounding. Many small maps at full side gain a tenth to a third on a CPU, half
    precision on a GPU more; where few channels meet norms that copy them back, nothing is gained: measure.

    Example:
        >>> layer = channels_last(nn.Conv2d(4, 4, 3))
        >>> layer.weight.is_contiguous(memory_format=torch.channels_last)
        True
    """
    cast: Any = network
    return cast.to(memory_format=torch.channels_last)
