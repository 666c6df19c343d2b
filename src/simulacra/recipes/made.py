"""MADE: an autoencoder masked into a distribution."""

from __future__ import annotations

import torch

from simulacra.autoregressive.binary import Binary, Masked
from simulacra.batch import DataSpec
from simulacra.networks import MADE, Conditions
from simulacra.recipes._discrete import binary_codec, by_likelihood
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "autoregressive"
DOMAIN = ("image",)
PAPER = "Germain et al. 2015 arXiv:1502.03509"


def made(
    data: DataSpec,
    *,
    hidden: tuple[int, ...] = (500,),
    shuffled: bool = False,
    binarise: str = "threshold",
    lr: float = 1e-3,
    batch: int = 100,
    rounds: int = 5000,
) -> Experiment:
    """A dense autoencoder of black and white pictures whose weights are masked, so that no pixel sees itself.

    Each output sees the pixels before it only, and gives the probability that its own is white; together they are an
    exact probability of the picture, in one pass. Drawing goes pixel by pixel. The order is that of the raster or,
    `shuffled`, a fixed random one (the paper's several orders at once are not used). Pictures become binary by
    `binarise`: `threshold` at one half, or `stochastic` with the grey level as the probability of white. It is
    conditional on whatever the data give.
    """
    need_layout(data, "made", *DOMAIN)
    codec = binary_codec(data, binarise)
    spec = codec.spec(data)
    order = torch.randperm(spec.x.size, generator=torch.Generator().manual_seed(0)) if shuffled else None
    net = MADE(spec.x.size, 1, hidden, Conditions(spec.given).size, order=order)
    return by_likelihood(Binary(Masked(net), spec.x.shape, spec.given), codec, lr=lr, batch=batch, rounds=rounds)
