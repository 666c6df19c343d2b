"""Quadratic discriminant analysis."""

from __future__ import annotations

from simulacra.batch import DataSpec
from simulacra.recipes._classical import mixture
from simulacra.training.game import Experiment

FAMILY = "classical"
DOMAIN = ("vector", "image")
PAPER = "Fisher 1936, Ann. Eugen. 7, 179; Hastie, Tibshirani and Friedman 2009, ch. 4"


def qda(data: DataSpec, *, bins: int = 10, events: int = 65_536) -> Experiment:
    """One Gaussian for each class, with a mean and a covariance of its own: Gaussian discriminant analysis.

    Sampled at a class it generates, and by Bayes' rule it classifies, with quadratic boundaries. Solved in one round
    by the classes' moments. Without classes it is the Gaussian of the data. Grey levels of pictures are blurred.
    """
    return mixture(data, "qda", 1, "full", bins=bins, events=events)
