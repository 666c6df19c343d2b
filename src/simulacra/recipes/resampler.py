"""Training events again."""

from __future__ import annotations

from simulacra.batch import DataSpec
from simulacra.classical.resampler import Resampler
from simulacra.recipes._parts import codec_for, need_layout
from simulacra.training.game import Experiment, Solver, modules

FAMILY = "classical"
DOMAIN = ("vector", "image", "layers")
PAPER = "Efron 1979, Ann. Statist. 7, 1"


def resampler(data: DataSpec, *, neighbours: int = 8, events: int = 65_536) -> Experiment:
    """Training events themselves: for each event one of the `neighbours` whose conditions are nearest.

    Showers are scaled to the energy that is asked for. Nothing is learnt and every metric of fidelity is content; what
    must find it is the test of memorisation. Keeps all training events, or `events` of them, in the run folder.
    """
    need_layout(data, "resampler", *DOMAIN)
    codec = codec_for(data)
    size = min(events, data.rows or events)
    model = Resampler(codec.spec(data), size, neighbours)
    solver = Solver("resampler", model, model.collect, model.solve)
    return Experiment(model, [solver], codec, 1, size, modules(model=model))
