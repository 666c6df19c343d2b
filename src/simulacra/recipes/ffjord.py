"""FFJORD: a continuous flow with an unbiased trace."""

from __future__ import annotations

from simulacra.batch import DataSpec
from simulacra.flows import Flow
from simulacra.flows.continuous import Continuous
from simulacra.recipes._flows import by_likelihood, density_codec
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "flow"
DOMAIN = ("vector",)
PAPER = "Grathwohl 2018 arXiv:1810.01367"


def ffjord(
    data: DataSpec,
    *,
    exact: bool = False,
    hidden: tuple[int, ...] = (64, 64, 64),
    tolerance: float = 1e-4,
    lr: float = 3e-3,
    decay: float = 0.99,
    batch_size: int = 256,
    rounds: int = 800,
) -> Experiment:
    """A differential equation, whose right side is a free network, carries the data into a Gaussian.

    The density changes by the integral of the trace of the network's Jacobian, estimated without bias from one random
    vector (Hutchinson), with `exact` and when judged from all numbers; no layer needs to be inverted. Density and
    sampling both solve the equation and are slow. It is conditional on whatever the data give.

    Raises:
        UserError: the events are not plain vectors.
    """
    need_layout(data, "ffjord", *DOMAIN)
    codec = density_codec(data)
    spec = codec.spec(data)
    flow = Flow(Continuous(spec.x.size, spec.given, hidden, exact, tolerance), spec.x.shape)
    return by_likelihood(flow, codec, lr=lr, decay=decay, batch_size=batch_size, rounds=rounds)
