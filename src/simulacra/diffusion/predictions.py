"""What a network may predict of an event seen through noise, and how one prediction becomes another."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from simulacra.diffusion.paths import Place


class Denoised(NamedTuple):
    """The event and the noise that make up x: `x = alpha data + sigma noise`; each [B, ...]."""

    data: Tensor
    noise: Tensor


KINDS = ("noise", "data", "velocity", "score", "preconditioned")
"""What a network may predict."""


def denoised(kind: str, value: Tensor, x: Tensor, place: Place) -> Denoised:
    """Event and noise from a prediction of one `kind` at x.

    - `noise`: e, as DDPM's network; its score is `-e / sigma`.
    - `data`: x_0.
    - `velocity`: `alpha' x_0 + sigma' e`, the derivative of the path.
    - `score`: the gradient of log p_t(x).
    - `preconditioned`: F in `x_0 = x^ / (1 + s^2) + s / sqrt(1 + s^2) F`, `s = sigma / alpha`, `x^ = x / alpha`, of
      events of unit variance (Karras et al. 2022, arXiv:2206.00364): the target has unit variance at every noise.

    Args:
        value: the prediction [B, ...], x [B, ...] the noisy event, place one row per event.

    Raises:
        ValueError: there is no such kind.

    Example:
        >>> from simulacra.diffusion.paths import Straight
        >>> place = Straight().at(torch.tensor([0.5]))
        >>> denoised("noise", torch.tensor([[1.0]]), torch.tensor([[2.0]]), place).data
        tensor([[3.]])
    """
    a, s, a_rate, s_rate = place.beside(x)
    if kind == "noise":
        return Denoised((x - s * value) / a, value)
    if kind == "data":
        return Denoised(value, (x - a * value) / s)
    if kind == "velocity":
        volume = a * s_rate - a_rate * s
        return Denoised((s_rate * x - s * value) / volume, (a * value - a_rate * x) / volume)
    if kind == "score":
        return Denoised((x + s.square() * value) / a, -s * value)
    if kind == "preconditioned":
        size = (a.square() + s.square()).sqrt()
        return Denoised((a * x / size + s * value) / size, (s * x / size - a * value) / size)
    raise ValueError(f"expected a prediction among {', '.join(KINDS)}, came {kind!r}")


def prediction(kind: str, data: Tensor, noise: Tensor, place: Place) -> Tensor:
    """The target of one `kind`, from the event and its noise: the inverse of `denoised`.

    Example:
        >>> from simulacra.diffusion.paths import Straight
        >>> prediction("velocity", torch.tensor([[3.0]]), torch.tensor([[1.0]]), Straight().at(torch.tensor([0.5])))
        tensor([[-2.]])
    """
    a, s, a_rate, s_rate = place.beside(data)
    if kind == "noise":
        return noise
    if kind == "data":
        return data
    if kind == "velocity":
        return a_rate * data + s_rate * noise
    if kind == "score":
        return -noise / s
    if kind == "preconditioned":
        return (s * data - a * noise) / (a.square() + s.square()).sqrt()
    raise ValueError(f"expected a prediction among {', '.join(KINDS)}, came {kind!r}")


def convert(value: Tensor, x: Tensor, place: Place, kind: str, into: str) -> Tensor:
    """A prediction of one kind as one of another kind, at the noisy event x."""
    return prediction(into, *denoised(kind, value, x, place), place)


def slope(kind: str, place: Place) -> Tensor:
    """How much a prediction changes, in size, when the predicted event does: `|d prediction / d data|` at x, [B]."""
    a, s, a_rate, s_rate = place
    sizes: dict[str, Callable[[], Tensor]] = {
        "noise": lambda: a / s,
        "data": lambda: torch.ones_like(a),
        "velocity": lambda: (a_rate - s_rate * a / s).abs(),
        "score": lambda: a / s.square(),
        "preconditioned": lambda: (a.square() + s.square()).sqrt() / s,
    }
    return sizes[kind]()
