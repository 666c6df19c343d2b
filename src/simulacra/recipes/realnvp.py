"""RealNVP: an exact density from affine couplings."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from simulacra.batch import DataSpec, Field
from simulacra.flows import AffineCoupling, Chain, Flow, Permute
from simulacra.flows.coupling import alternating
from simulacra.flows.glow import realnvp_scale
from simulacra.flows.pictures import MultiScale, scale_shapes
from simulacra.recipes._flows import by_likelihood, density_codec
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "flow"
DOMAIN = ("vector", "image")
PAPER = "Dinh 2017 arXiv:1605.08803"


def realnvp(
    data: DataSpec,
    *,
    layers: int = 8,
    hidden: tuple[int, ...] = (128, 128),
    bound: float = 3.0,
    scales: int = 2,
    width: int = 32,
    lr: float = 1e-3,
    weight_decay: float = 5e-5,
    decay: float = 0.998,
    batch_size: int | None = None,
    rounds: int = 5000,
) -> Experiment:
    """A stack of affine couplings, each moving every other number as the rest decide, trained by maximum likelihood.

    The Jacobian of a coupling is triangular, so the density is exact, and inverting it costs what applying it does.
    Above two numbers, fixed permutations mix them between couplings. Pictures go through CNNs, on checkerboards and
    on channels, at several scales, their grey levels blurred. It is conditional on whatever the data give.

    Args:
        data: of vectors or pictures.
        layers: couplings of a vector, of the widths `hidden` and with log scales up to `bound`.
        scales: of a picture, six couplings each, by CNNs of `width`.
        batch_size: 512 of vectors, 32 of pictures, where not told.

    Raises:
        UserError: the events are neither vectors nor pictures, or a picture has an odd side.
    """
    need_layout(data, "realnvp", *DOMAIN)
    codec = density_codec(data)
    spec = codec.spec(data)
    if spec.layout == "image":
        channels, height, breadth = spec.x.shape
        shape = channels, height, breadth
        parts = [realnvp_scale(inner, spec.given, width) for inner in scale_shapes(shape, scales)]
        flow = Flow(MultiScale(shape, parts), shape)
    else:
        flow = Flow(_of_vectors(spec.x.size, spec.given, layers, hidden, bound), spec.x.shape)
    batch_size = batch_size or (32 if spec.layout == "image" else 512)
    return by_likelihood(
        flow, codec, lr=lr, weight_decay=weight_decay, decay=decay, batch_size=batch_size, rounds=rounds
    )


def _of_vectors(size: int, given: Mapping[str, Field], layers: int, hidden: tuple[int, ...], bound: float) -> Chain:
    mixing = torch.Generator().manual_seed(0)
    steps: list[nn.Module] = []
    for k in range(layers):
        steps.append(AffineCoupling(alternating(size, k), given, hidden, bound))
        if size > 2 and k % 2:
            steps.append(Permute(torch.randperm(size, generator=mixing)))
    return Chain(steps)
