"""Networks that share layers."""

from __future__ import annotations

from torch import nn

from simulacra.errors import UserError

MAPS = nn.Linear | nn.Conv2d | nn.ConvTranspose2d


def tied(first: nn.Sequential, second: nn.Sequential, maps: int) -> nn.Sequential:
    """`second` with layers of `first` in the place of its own: the weights are tied.

    The layers are the same objects, so that one step moves both networks; files hold their weights once.

    Args:
        first: layers in their order, some of which have weights (dense or convolutional).
        second: as many layers; it is not changed.
        maps: how many of the first layers with weights are shared, each with the norm and nonlinearity after it; of the
            last ones where negative.

    Raises:
        UserError: there are not so many.

    Example:
        >>> one, two = (nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)) for _ in range(2))
        >>> [a is b for a, b in zip(one, tied(one, two, 1))], [a is b for a, b in zip(one, tied(one, two, -1))]
        ([True, True, False], [False, False, True])

    Source: Liu and Tuzel (2016), arXiv 1606.07536.
    """
    one, two = list(first), list(second)
    at = [k for k, layer in enumerate(one) if any(isinstance(part, MAPS) for part in layer.modules())]
    if abs(maps) > len(at) or len(one) != len(two):
        raise UserError(f"expected at most {len(at)} tied layers, came {abs(maps)}; tie fewer")
    if maps < 0:
        return nn.Sequential(*two[: at[maps]], *one[at[maps] :])
    cut = [*at, len(one)][maps] if maps else 0
    return nn.Sequential(*one[:cut], *two[cut:])
