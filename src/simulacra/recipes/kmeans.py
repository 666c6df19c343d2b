"""k-means clustering."""

from __future__ import annotations

from simulacra.batch import DataSpec
from simulacra.recipes._classical import mixture
from simulacra.training.game import Experiment

FAMILY = "classical"
DOMAIN = ("vector", "image")
PAPER = "Lloyd 1982; Arthur and Vassilvitskii 2007"


def kmeans(data: DataSpec, *, clusters: int = 16, bins: int = 10, events: int = 65_536, rounds: int = 50) -> Experiment:
    """Clusters of events, each event in the one whose centre is nearest, each centre the mean of its events.

    A round is one step of Lloyd's, from centres far from each other (k-means++); the squared distance never grows. Read
    as a mixture of equal spheres in which every event has one maker, it has a density and can be sampled. There are
    `clusters` for each class; codes are the clusters.
    """
    return mixture(data, "kmeans", clusters, "spherical", bins=bins, events=events, rounds=rounds, hard=True)
