"""Naive Bayes."""

from __future__ import annotations

from simulacra.batch import DataSpec
from simulacra.errors import UserError
from simulacra.recipes._classical import mixture
from simulacra.training.game import Experiment

FAMILY = "classical"
DOMAIN = ("vector", "image")
PAPER = "Maron 1961, J. ACM 8, 404; Ng and Jordan 2002"


def naive_bayes(
    data: DataSpec,
    *,
    likelihood: str = "gaussian",
    smoothing: float = 1.0,
    binarise: str = "threshold",
    bins: int = 10,
    events: int = 65_536,
) -> Experiment:
    """Numbers that are independent of each other once the class is known, classified by Bayes' rule.

    They are Gaussian, or with `likelihood` bernoulli black and white pixels, made so by `binarise` (`threshold` or
    `stochastic`) and counted with Laplace's `smoothing`. Naive, for numbers of one class do hang together, but solved
    in one round from few events. Sampled, it shows what it does not know: pixels without neighbours.

    Raises:
        UserError: the likelihood is neither, or what belongs to black and white pixels is said of Gaussians.
    """
    if likelihood not in ("gaussian", "bernoulli"):
        raise UserError(f"expected likelihood gaussian or bernoulli, came {likelihood!r}; choose one of them")
    if likelihood == "gaussian" and (binarise, smoothing) != ("threshold", 1.0):
        raise UserError("expected --binarise and --smoothing with --likelihood bernoulli, came gaussian; say that")
    kind, rule = ("diagonal", None) if likelihood == "gaussian" else ("bits", binarise)
    return mixture(data, "naive_bayes", 1, kind, bins=bins, events=events, smoothing=smoothing, binarise=rule)
