"""Glow: a flow of pictures that mixes channels by learnt matrices."""

from __future__ import annotations

from simulacra.batch import DataSpec
from simulacra.flows import Flow
from simulacra.flows.glow import glow_scale
from simulacra.flows.pictures import MultiScale, scale_shapes
from simulacra.recipes._flows import by_likelihood, density_codec
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "flow"
DOMAIN = ("image",)
PAPER = "Kingma 2018 arXiv:1807.03039"


def glow(
    data: DataSpec,
    *,
    scales: int = 2,
    steps: int = 8,
    width: int = 32,
    lr: float = 1e-3,
    decay: float = 0.995,
    batch_size: int = 32,
    rounds: int = 1500,
) -> Experiment:
    """A flow of pictures in several scales, each a squeeze and steps of ActNorm, 1x1 convolution and coupling.

    ActNorm begins from the first batch, the invertible 1x1 convolution replaces fixed permutations of channels, and
    half of the channels leave after each scale. Grey levels are blurred, so that the density is one. Density and
    sampling both cost one pass. It is conditional on whatever the data give.

    Raises:
        UserError: the events are not pictures, or a side is odd.
    """
    need_layout(data, "glow", *DOMAIN)
    codec = density_codec(data)
    spec = codec.spec(data)
    channels, height, breadth = spec.x.shape
    shape = channels, height, breadth
    parts = [glow_scale(inner, steps, spec.given, width) for inner in scale_shapes(shape, scales)]
    flow = Flow(MultiScale(shape, parts), shape)
    return by_likelihood(flow, codec, lr=lr, decay=decay, batch_size=batch_size, rounds=rounds)
