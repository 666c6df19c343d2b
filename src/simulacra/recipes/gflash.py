"""Parametrised calorimeter showers."""

from __future__ import annotations

from simulacra.batch import DataSpec
from simulacra.classical.gflash import GFlash
from simulacra.classical.physical import Physical
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment, Solver, modules

FAMILY = "classical"
DOMAIN = ("layers",)
PAPER = "Grindhammer and Peters 1993 arXiv hep-ex/0001020"


def gflash(data: DataSpec, *, cut: float = 1e-3, events: int = 65_536) -> Experiment:
    """What simulation used before networks: a formula for the mean shower, and a few numbers that fluctuate.

    A gamma profile in depth whose maximum and shape fluctuate together and follow ln E, a core and a tail across, and
    energy in spots, fitted to the showers of this detector by moments and least squares. It holds for electrons and
    photons; pions it makes look like them. Deposits below `cut` MeV are dropped. Solved in one round, on all training
    showers or `events` of them.
    """
    need_layout(data, "gflash", *DOMAIN)
    model = GFlash(data, cut)
    solver = Solver("gflash", model, model.collect, model.solve, accumulate=16)
    return Experiment(model, [solver], Physical(), 1, min(events, data.rows or events), modules(model=model))
