"""Linear discriminant analysis."""

from __future__ import annotations

from simulacra.batch import DataSpec
from simulacra.recipes._classical import mixture
from simulacra.training.game import Experiment

FAMILY = "classical"
DOMAIN = ("vector", "image")
PAPER = "Fisher 1936, Ann. Eugen. 7, 179"


def lda(data: DataSpec, *, bins: int = 10, events: int = 65_536) -> Experiment:
    """One Gaussian for each class, with a mean of its own and the covariance of all: linear discriminant analysis.

    The boundaries of Bayes' rule are planes, and p(y | x) is that of a logistic regression whose weights are found by
    modelling p(x | y) instead. Solved in one round by moments. Grey levels of pictures are blurred.
    """
    return mixture(data, "lda", 1, "shared", bins=bins, events=events)
