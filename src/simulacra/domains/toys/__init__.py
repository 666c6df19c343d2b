"""Distributions that are known exactly: `TOYS["ring8"].sample(1000, seed=1)`, `open_toy("ring8")`."""

from __future__ import annotations

import math
from typing import Any

from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains.dataset import ArrayDataset, in_memory
from simulacra.domains.toys.observables import observables
from simulacra.domains.toys.shapes import Curves, Mixture, Toy, arc, segment, spiral
from simulacra.errors import UserError, nearest

__all__ = ["TOYS", "Curves", "Mixture", "Toy", "observables", "open_toy"]

_EIGHTH = math.pi / 4
_KNOWN: tuple[Toy, ...] = (
    # Gulrajani et al., "Improved training of Wasserstein GANs" (2017, arXiv:1704.00028). The authors divide ring8 by
    # 1.414 and grid25 by 2.828, their standard deviations; here the points are as stated and a codec standardises.
    Mixture("ring8", tuple((2 * math.cos(k * _EIGHTH), 2 * math.sin(k * _EIGHTH)) for k in range(8)), 0.02),
    Mixture("grid25", tuple((2.0 * i, 2.0 * j) for i in range(-2, 3) for j in range(-2, 3)), 0.05),
    # scikit-learn's roll with noise 0.25, seen from the side, divided by 7.5 as by Gulrajani et al.
    Curves("swissroll", (spiral((1.5, 4.5), 7.5),), 0.25 / 7.5, nodes=1024),
    # scikit-learn's two half circles.
    Curves("moons", (arc((0, 0), (1, 1), 0, math.pi), arc((1, 0.5), (1, 1), math.pi, 2 * math.pi)), 0.1),
    # The four shapes in the unit square of Kahng et al., "GAN Lab" (2018, arXiv:1809.01587).
    Curves("line", (segment((0.8, 0.6), (0.05, 0.9)),), 0.01, nodes=256),
    Mixture("gaussians", ((0.3, 0.7), (0.7, 0.4)), ((0.1, 0.1), (0.05, 0.2))),
    Curves("ring", (arc((0.5, 0.45), (0.3, 0.25), 0, 2 * math.pi),), 0.025),
    Mixture("disjoint", ((0.35, 0.75), (0.75, 0.6), (0.45, 0.35)), 0.025),
    Mixture("gaussian", ((0.0, 0.0),), 1.0),
    Mixture("gaussian1d", ((5.0,),), 1.0),
    Mixture("mixture1d", ((-3.0,), (0.0,), (2.5,)), 0.5, (0.4, 0.2, 0.4)),
)
TOYS: dict[str, Toy] = {toy.name: toy for toy in _KNOWN}


def open_toy(name: str, *, rows: int = 100_000, seed: int = 0, labels: bool = False) -> ArrayDataset:
    """A toy as a data set: `rows` points drawn once with `seed`.

    Its `spec.geometry` is `{"kind": "toy", "name": ..., "modes": [[...], ...], "sigma": ...}`, the last two where it
    has modes of one width, so that a judge can count them and ask `TOYS[name].log_prob`.

    Args:
        labels: whether each point is told which Gaussian or curve it is from, as `given["label"]`.

    Raises:
        UserError: no toy has this name, or `rows` is not positive.

    Example:
        >>> data = open_toy("mixture1d", rows=100, labels=True)
        >>> data.spec.x.shape, data.spec.given["label"].levels
        ((1,), 3)
    """
    if name not in TOYS:
        raise UserError(f"expected the name of a toy, came {name!r}; {nearest(name, TOYS)}")
    if rows < 1:
        raise UserError(f"expected at least one row, came {rows}; leave it out for 100000")
    toy = TOYS[name]
    x, kind = toy.draw(rows, seed)
    geometry: dict[str, Any] = {"kind": "toy", "name": name}
    if toy.modes is not None:
        geometry |= {"modes": toy.modes[0].tolist(), "sigma": toy.modes[1]}
    told = {"label": Field((), "class", toy.kinds)} if labels else {}
    spec = DataSpec(f"toys:{name}", "vector", Field((toy.size,)), told, geometry=geometry)
    return in_memory(spec, Batch(x, {"label": kind} if labels else {}))
