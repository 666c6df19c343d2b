"""Gaussian mixture, by expectation maximisation."""

from __future__ import annotations

from simulacra.batch import DataSpec
from simulacra.recipes._classical import mixture
from simulacra.training.game import Experiment

FAMILY = "classical"
DOMAIN = ("vector", "image")
PAPER = "Dempster, Laird and Rubin 1977, J. R. Stat. Soc. B 39, 1"


def gmm(
    data: DataSpec,
    *,
    components: int = 16,
    covariance: str | None = None,
    bins: int = 10,
    events: int = 65_536,
    rounds: int = 100,
) -> Experiment:
    """A sum of `components` Gaussians for each class, found by expectation maximisation.

    Each round shares every event out among the Gaussians that may have made it, and gives each Gaussian the moments of
    its share: the likelihood never falls. Covariances are `full`, for pictures `diagonal`, or as `covariance` says. The
    density is exact, also of events of any class, so that Bayes' rule classifies; codes are the components.
    """
    chosen = covariance or ("diagonal" if data.layout == "image" else "full")
    return mixture(data, "gmm", components, chosen, bins=bins, events=events, rounds=rounds)
