"""Kernel density estimation."""

from __future__ import annotations

from simulacra.batch import DataSpec
from simulacra.classical.kde import KDE
from simulacra.recipes._flows import density_codec
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment, Solver, modules

FAMILY = "classical"
DOMAIN = ("vector", "image")
PAPER = "Rosenblatt 1956; Parzen 1962, Ann. Math. Stat. 33, 1065"


def kde(data: DataSpec, *, bandwidth: float = 0.0, bins: int = 10, events: int = 10_000) -> Experiment:
    """A small Gaussian on every training event of the class, of one width for all.

    The width is `bandwidth`, in units of the data's spread, or the one under which each event is most probable given
    all others (leave-one-out cross-validation). With more events it finds any density, of few numbers; of many it is a
    blurred memory of the training events, all or `events` of which are kept in the run folder.
    """
    need_layout(data, "kde", *DOMAIN)
    codec = density_codec(data)
    size = min(events, data.rows or events)
    model = KDE(codec.spec(data), size, bandwidth, bins)
    solver = Solver("kde", model, model.collect, model.solve)
    return Experiment(model, [solver], codec, 1, size, modules(model=model), begin=model.begin)
