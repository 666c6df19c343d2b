"""Defects planted in real events: a judge's silence is worth what it was shown to see."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor

from simulacra.batch import Batch, DataSpec
from simulacra.evaluation import views
from simulacra.evaluation.arrays import Array, numbers, standardised
from simulacra.evaluation.battery import battery
from simulacra.evaluation.memorisation import copying, memorisation
from simulacra.protocols import Observable
from simulacra.random import seed_of

SHARE = 0.05
"""Events that are copies, in the defects about copying."""
MOST = 2000
"""Events on each side when defects are planted in a user's data."""


@dataclass(frozen=True)
class Defect:
    """Something that a model may get wrong, as a change of real events.

    Attributes:
        name: in words, with its size.
        plant: real events, training events and a random generator -> events with the defect.
    """

    name: str
    plant: Callable[[Batch, Batch, np.random.Generator], Batch]


class Seen(NamedTuple):
    """How clearly a planted defect shows: the test that sees it best, and its significance in standard deviations."""

    test: str
    z: float


def defects(spec: DataSpec) -> list[Defect]:
    """The defects that can be planted in events of this description.

    Showers: energies, soft hits, a layer of another shower, a dead strip, a mirrored layer, the response at high
    energy, its resolution, noise; images: brightness, position, noise; vectors: mean, spread, correlation, tails. For
    all: identical rows, and jittered copies of training events.

    >>> from simulacra.batch import Field
    >>> [d.name for d in defects(DataSpec("toy", "vector", Field((2,))))][:2]
    ['first number 0.1 sd high', 'first number 5 % wider']
    """
    out = {"layers": _of_showers, "image": _of_images}.get(spec.layout, _of_vectors)(spec)
    copying = [Defect("5 % identical rows", _identical), Defect("5 % jittered copies of training events", _copies)]
    return out + copying


def significances(
    reference: Batch, generated: Batch, train: Batch, spec: DataSpec, observables: Sequence[Observable], seed: int = 0
) -> dict[str, float]:
    """Significance in standard deviations of every gate: the battery's groups and the four counts of copies."""
    found = battery(reference, generated, spec, observables, seed=seed)
    out = {name: group.z for name, group in found.groups.items()}
    tables = [views.cells(views.folded(numbers(b.x, "x"), spec), spec) for b in (generated, reference, train)]
    held = memorisation(*tables, draws=2, seed=seed)
    return out | {name: float(norm.isf(value)) if value < 1 else -np.inf for name, value in copying(held).items()}


def sensitivity(
    reference: Batch, train: Batch, spec: DataSpec, observables: Sequence[Observable] = (), seed: int = 0
) -> dict[str, Seen]:
    """Plants every defect in real events and judges them: what would have been seen, and how clearly.

    Half of the training events take the place of generated ones, the other half stays the training set.

    Args:
        reference, train: real events; at most 2,000 are used on a side.

    Example:
        >>> from simulacra.batch import Field
        >>> draw, spec = torch.Generator().manual_seed(0), DataSpec("toy", "vector", Field((2,)))
        >>> real, train = (Batch(torch.randn(n, 2, generator=draw)) for n in (1000, 2000))
        >>> sensitivity(real, train, spec)["first number 0.1 sd high"].test
        'obs'
    """
    n = min(len(reference), len(train) // 2, MOST)
    out = {}
    for defect in defects(spec):
        made = defect.plant(train[:n], train[n : 2 * n], np.random.default_rng(seed_of(seed, defect.name)))
        z = significances(reference[:n], made, train[n : 2 * n], spec, observables, seed)
        best = max(z, key=lambda name: z[name])
        out[defect.name] = Seen(best, z[best])
    return out


def _changed(change: Callable[[Tensor, Batch, np.random.Generator], Tensor]) -> Callable[..., Batch]:
    """A defect that leaves conditions as they are."""
    return lambda batch, train, draw: batch.with_x(change(batch.x, batch, draw))


def _identical(batch: Batch, train: Batch, draw: np.random.Generator) -> Batch:
    rows = np.arange(len(batch))
    put = draw.permutation(len(batch))[: 2 * max(1, int(SHARE * len(batch)))].reshape(2, -1)
    rows[put[0]] = put[1]
    return batch[torch.from_numpy(rows)]


def _copies(batch: Batch, train: Batch, draw: np.random.Generator) -> Batch:
    count = max(1, int(SHARE * len(batch)))
    put, taken = (torch.from_numpy(draw.permutation(len(b))[:count].copy()) for b in (batch, train))
    x, given = batch.x.clone(), {name: value.clone() for name, value in batch.given.items()}
    size = 0.1 * train.x[taken] if (train.x >= 0).all() else 0.01 * train.x.std(0)
    x[put] = train.x[taken] + size * _normal(train.x[taken], draw)
    for name in given:
        given[name][put] = train.given[name][taken]
    return replace(batch, x=x, given=given)


def _normal(like: Tensor, draw: np.random.Generator) -> Tensor:
    return torch.from_numpy(draw.normal(size=tuple(like.shape))).to(like)


def _coin(like: Tensor, share: float, draw: np.random.Generator) -> Tensor:
    return torch.from_numpy(draw.random(tuple(like.shape)) < share)


def _of_showers(spec: DataSpec) -> list[Defect]:
    layers = list(spec.slices().items())
    middle = len(layers) // 2
    polar = [layer.get("kind") == "polar" for layer in (spec.geometry or {}).get("layers", [])]

    def soft(x: Tensor, batch: Batch, draw: np.random.Generator) -> Tensor:
        return torch.where((x < x[x > 0].median()) & _coin(x, 0.05, draw), 0.0, x)

    def dead(x: Tensor, batch: Batch, draw: np.random.Generator) -> Tensor:
        name, at = layers[0]
        grid = x[:, at].reshape(len(x), *spec.parts[name]).clone()
        strip = grid.sum((0, 1)).argsort(descending=True)[min(4, grid.shape[2] - 1)]
        grid[torch.from_numpy(draw.random(len(x)) < 0.5), :, strip] = 0
        return torch.cat([grid.flatten(1) if k == name else x[:, part] for k, part in layers], 1)

    def mirrored(x: Tensor, batch: Batch, draw: np.random.Generator) -> Tensor:
        name, at = layers[middle]
        grid = x[:, at].reshape(len(x), *spec.parts[name])
        turn = polar[middle] if polar else False
        grid = grid.roll(grid.shape[1] // 2, 1) if turn else grid.flip(2)
        return torch.cat([grid.flatten(1) if k == name else x[:, part] for k, part in layers], 1)

    out = [
        Defect("energies 0.5 % high", _changed(lambda x, batch, draw: 1.005 * x)),
        Defect("5 % of soft hits dropped", _changed(soft)),
        Defect("first strips: the fifth strongest dead in half of the events", _changed(dead)),
        Defect(f"{layers[middle][0]} mirrored", _changed(mirrored)),
        Defect("5 % noise on every cell", _changed(lambda x, b, draw: x * (1 + 0.05 * _normal(x, draw)).clamp(min=0))),
    ]
    if "energy" not in spec.given:
        return out

    def neighbour(x: Tensor, batch: Batch, draw: np.random.Generator) -> Tensor:
        order = batch.given["energy"].reshape(-1).argsort()
        x, at = x.clone(), layers[-1 if len(layers) < 4 else middle][1]
        x[order[:-1], at] = x[order[1:], at]
        return x

    def low(x: Tensor, batch: Batch, draw: np.random.Generator) -> Tensor:
        energy = batch.given["energy"].reshape(-1, 1)
        return torch.where(energy > energy.quantile(0.8), 0.99 * x, x)

    def wide(x: Tensor, batch: Batch, draw: np.random.Generator) -> Tensor:
        energy, total = numbers(batch.given["energy"]).reshape(-1), numbers(x.flatten(1).sum(1))
        _, mean, _ = standardised(total / energy, energy)
        factor = 1 + 0.15 * (1 - mean * energy / np.maximum(total, 1e-9))
        return x * torch.from_numpy(factor).to(x).clamp(min=0)[:, None]

    which = layers[-1 if len(layers) < 4 else middle][0]
    return out + [
        Defect(f"{which} of the shower next in energy", _changed(neighbour)),
        Defect("response 1 % low in the highest fifth of the energies", _changed(low)),
        Defect("resolution 15 % wide", _changed(wide)),
    ]


def _of_images(spec: DataSpec) -> list[Defect]:
    def moved(x: Tensor, batch: Batch, draw: np.random.Generator) -> Tensor:
        turn = torch.from_numpy(draw.random(len(x)) < 0.25)[:, None, None, None]
        return torch.where(turn, x.roll(1, -1), x)

    def noisy(x: Tensor, batch: Batch, draw: np.random.Generator) -> Tensor:
        return (x + 0.05 * (x.max() - x.min()) * _normal(x, draw)).clamp(float(x.min()), float(x.max()))

    return [
        Defect("2 % brighter", _changed(lambda x, batch, draw: (1.02 * x).clamp(max=float(x.max())))),
        Defect("a quarter moved by one pixel", _changed(moved)),
        Defect("5 % noise on every pixel", _changed(noisy)),
    ]


def _of_vectors(spec: DataSpec) -> list[Defect]:
    def first(change: Callable[[Array, np.random.Generator], Array]) -> Callable[..., Batch]:
        def apply(x: Tensor, batch: Batch, draw: np.random.Generator) -> Tensor:
            flat = x.flatten(1).clone()
            flat[:, 0] = torch.from_numpy(change(flat[:, 0].double().numpy(), draw)).to(x)
            return flat.reshape(x.shape)

        return _changed(apply)

    return [
        Defect("first number 0.1 sd high", first(lambda v, draw: v + 0.1 * v.std())),
        Defect("first number 5 % wider", first(lambda v, draw: v.mean() + 1.05 * (v - v.mean()))),
        Defect("first number shuffled among events", first(lambda v, draw: draw.permutation(v))),
        Defect("first number cut at 2 sd", first(lambda v, d: np.clip(v, *(v.mean() + k * v.std() for k in (-2, 2))))),
    ]


def weakest(found: Mapping[str, Seen]) -> str:
    """The planted defect that showed least.

    >>> weakest({"a": Seen("obs", 9.0), "b": Seen("cells", 4.5)})
    'b'
    """
    return min(found, key=lambda name: found[name].z)
