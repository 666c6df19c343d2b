"""Principal component analysis."""

from __future__ import annotations

from simulacra.batch import DataSpec
from simulacra.classical.pca import PCA
from simulacra.recipes._flows import density_codec
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment, Solver, modules

FAMILY = "classical"
DOMAIN = ("vector", "image")
PAPER = "Pearson 1901; Tipping and Bishop 1999, J. R. Stat. Soc. B 61, 611"


def pca(data: DataSpec, *, components: int = 64, events: int = 65_536) -> Experiment:
    """The plane of `components` directions in which the data vary most, and equal noise in all others.

    It encodes by projection, decodes linearly, and as a linear model with Gaussian codes it has an exact density and
    can be sampled: what a linear autoencoder finds, and a linear VAE. Solved in one round from the covariance of all
    training events or `events` of them. Grey levels are blurred, so that the density is one; conditions are left aside.
    """
    need_layout(data, "pca", *DOMAIN)
    codec = density_codec(data)
    model = PCA(codec.spec(data), components)
    solver = Solver("pca", model, model.collect, model.solve, accumulate=16)
    return Experiment(model, [solver], codec, 1, min(events, data.rows or events), modules(model=model))
