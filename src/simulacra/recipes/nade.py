"""NADE: pixel by pixel with one shared hidden layer."""

from __future__ import annotations

from simulacra.autoregressive.binary import Binary
from simulacra.autoregressive.nade import NADE
from simulacra.batch import DataSpec
from simulacra.networks import Conditions
from simulacra.recipes._discrete import binary_codec, by_likelihood
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "autoregressive"
DOMAIN = ("image",)
PAPER = "Uria et al. 2016 arXiv:1605.02226; Larochelle and Murray 2011"


def nade(
    data: DataSpec,
    *,
    hidden: int = 100,
    binarise: str = "threshold",
    lr: float = 5e-3,
    batch: int = 64,
    rounds: int = 2000,
) -> Experiment:
    """Black and white pictures in raster order, each pixel by a hidden layer that the next pixel only updates.

    The hidden layers of all pixels share their weights, as the mean field of a restricted Boltzmann machine would, so
    that D pixels and H units cost O(DH); the probability of a picture is exact. Pictures become binary by `binarise`:
    `threshold` at one half, or `stochastic` with the grey level as the probability of white. It is conditional on
    whatever the data give.
    """
    need_layout(data, "nade", *DOMAIN)
    codec = binary_codec(data, binarise)
    spec = codec.spec(data)
    net = NADE(spec.x.size, hidden, Conditions(spec.given).size)
    return by_likelihood(Binary(net, spec.x.shape, spec.given), codec, lr=lr, batch=batch, rounds=rounds)
