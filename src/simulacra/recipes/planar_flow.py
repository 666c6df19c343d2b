"""Planar and radial flows, from data or from an energy."""

from __future__ import annotations

from simulacra.batch import DataSpec
from simulacra.domains.standard import Standardize
from simulacra.flows import Chain, Flow, Invert, Planar, Radial
from simulacra.recipes._flows import by_energy, by_likelihood
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "flow"
DOMAIN = ("vector",)
PAPER = "Rezende 2015 arXiv:1505.05770"


def planar_flow(
    data: DataSpec,
    *,
    energy: bool = False,
    radial: bool = False,
    layers: int = 32,
    lr: float = 5e-3,
    decay: float = 0.998,
    batch_size: int = 512,
    rounds: int = 3000,
) -> Experiment:
    """The first normalising flow: many pushes of space, each along a plane, or with `radial` about a point.

    From events it learns by maximum likelihood, data to latent being the closed form; planes are undone by bisection
    when it is sampled. With `energy` it never sees an event: turned round, it samples in closed form and makes the
    reverse KL to a toy's known energy small, annealed as in the paper. It is conditional on whatever the data give.

    Raises:
        UserError: the events are not plain vectors, or `energy` is asked of data that are no toy.
    """
    need_layout(data, "planar_flow", *DOMAIN)
    codec = Standardize(data)
    spec = codec.spec(data)
    chain = Chain([(Radial if radial else Planar)(spec.x.size, spec.given) for _ in range(layers)])
    flow = Flow(Invert(chain) if energy else chain, spec.x.shape)
    if energy:
        return by_energy(flow, data, codec, lr=lr, decay=decay, batch_size=batch_size, rounds=rounds)
    return by_likelihood(flow, codec, lr=lr, decay=decay, batch_size=batch_size, rounds=rounds)
