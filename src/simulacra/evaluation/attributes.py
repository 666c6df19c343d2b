"""Arithmetic on latents by attribute: directions, means of exemplars, and what becomes of the sum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from simulacra.errors import UserError
from simulacra.evaluation.arrays import numbers
from simulacra.evaluation.latent import Label
from simulacra.evaluation.measurement import Measurement
from simulacra.random import seed_of


def analogy(plus: Tensor, minus: Tensor, to: Tensor) -> Tensor:
    """mean(plus) - mean(minus) + mean(to): smiling woman - woman + man; each [k, D] -> [D].

    Radford, Metz and Chintala, DCGAN (2016, arXiv:1511.06434), section 6.3.2.
    """
    return plus.mean(0) - minus.mean(0) + to.mean(0)


def attribute(latents: Tensor, values: Any, share: float = 0.1) -> Tensor:
    """The attribute vector of a number read off the events: mean latent of the `share` with most of it, minus least.

    Added to any latent it should raise the attribute, as glasses are put on a face.

    Args:
        latents: [n, D]; values: of the events made of them [n].

    Example:
        >>> attribute(torch.tensor([[0.0, 1.0], [1.0, 1.0], [4.0, 1.0]]), [5.0, 6.0, 9.0], share=0.34)
        tensor([4., 0.])

    Radford, Metz and Chintala, DCGAN (2016, arXiv:1511.06434); Larsen et al. (2016, arXiv:1512.09300).
    """
    held = numbers(values, "the attribute")
    if held.shape != (len(latents),) or not 0 < share <= 0.5:
        raise UserError(f"expected one number per latent and a share up to 0.5, came {held.shape} and {share}")
    order, count = torch.from_numpy(held).argsort(), max(1, int(share * len(held)))
    return latents[order[-count:]].mean(0) - latents[order[:count]].mean(0)


def arithmetic(
    label: Label,
    plus: Tensor,
    minus: Tensor,
    to: Tensor,
    wanted: int,
    chance: Tensor,
    *,
    exemplars: Sequence[int] = (1, 3, 10),
    trials: int = 200,
    seed: int = 0,
) -> dict[str, Measurement]:
    """Latent arithmetic: how often `plus - minus + to`, each the mean of k exemplars, decodes into the wanted class.

    Args:
        label: decodes latents and classifies the events.
        plus: latents of exemplars of one attribute [N, D]; minus and to likewise.
        wanted: the class that the analogy asks for.
        chance: latents drawn at random [M, D], whose share in the wanted class is the floor.

    Returns:
        `arithmetic/k`: the share of `trials` draws of k exemplars each, its error binomial.

    Raises:
        UserError: there are fewer latents than exemplars asked for.
    """
    fewest, most = min(len(plus), len(minus), len(to)), max(exemplars)
    if fewest < most:
        raise UserError(f"expected {most} latents of each attribute, came {fewest}; ask for fewer exemplars")
    floor, floor_error = _share(label(chance), wanted)
    generator, out = torch.Generator().manual_seed(seed_of(seed, "arithmetic")), {}
    for k in exemplars:
        made = [
            analogy(*(pool[torch.randperm(len(pool), generator=generator)[:k]] for pool in (plus, minus, to)))
            for _ in range(trials)
        ]
        out[f"arithmetic/{k}"] = Measurement(*_share(label(torch.stack(made)), wanted), floor, floor_error, trials)
    return out


def _share(labels: Any, wanted: int) -> tuple[float, float]:
    hits = numbers(labels, "the labels") == wanted
    share = float(hits.mean())
    return share, math.sqrt(share * (1 - share) / len(hits))
