"""A Gaussian on principal components."""

from __future__ import annotations

from simulacra.batch import DataSpec
from simulacra.classical.gaussian import PCAGaussian
from simulacra.recipes._parts import codec_for, need_layout
from simulacra.training.game import Experiment, Solver, modules

FAMILY = "classical"
DOMAIN = ("vector", "image", "layers")
PAPER = "Tipping and Bishop 1999, J. R. Stat. Soc. B 61, 611"


def pca_gaussian(data: DataSpec, *, components: int = 64, degree: int = 2, events: int = 65_536) -> Experiment:
    """The Gaussian with the data's mean, given the conditions, and their covariance.

    Principal components carry the correlations and independent noise what they leave of each number's variance; the
    mean is a polynomial of `degree` in the conditions, by least squares. Everything beyond second moments is lost.
    Solved in one round, on all training events or `events` of them.
    """
    need_layout(data, "pca_gaussian", *DOMAIN)
    codec = codec_for(data)
    model = PCAGaussian(codec.spec(data), components, degree)
    solver = Solver("gaussian", model, model.collect, model.solve, accumulate=16)
    size = min(events, data.rows or events)
    return Experiment(model, [solver], codec, 1, size, modules(model=model), begin=model.begin)
