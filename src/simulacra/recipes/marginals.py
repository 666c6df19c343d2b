"""Independent marginals."""

from __future__ import annotations

from simulacra.batch import DataSpec
from simulacra.classical.marginals import Marginals
from simulacra.recipes._parts import codec_for, need_layout
from simulacra.training.game import Experiment, Solver, modules

FAMILY = "classical"
DOMAIN = ("vector", "image", "layers")
PAPER = "the product of the marginals"


def marginals(data: DataSpec, *, quantiles: int = 257, bins: int = 10, events: int = 65_536) -> Experiment:
    """Every number of the event drawn from its own quantiles, as if the others did not exist.

    All one-dimensional histograms are right and all correlations are lost: a model that a test cannot tell from this
    one has learnt nothing of how numbers hang together. Each class has quantiles of its own, and so has each of `bins`
    equally filled bins of the first real condition. Solved in one round, on all training events or `events` of them.
    """
    need_layout(data, "marginals", *DOMAIN)
    codec = codec_for(data)
    model = Marginals(codec.spec(data), quantiles, bins)
    solver = Solver("marginals", model, model.collect, model.solve)
    size = min(events, data.rows or events)
    return Experiment(model, [solver], codec, 1, size, modules(model=model), begin=model.begin)
