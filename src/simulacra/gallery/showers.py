"""Showers in a calorimeter, real beside generated: by a run of the user's, or by one trained for a minute.

Without a run, `calorimeter_tree` plays 1,500 rounds on the bundled Geant4 electrons, a sixth of its budget: the
pictures show what to look for, not how good it becomes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from simulacra import figures
from simulacra.batch import Batch, DataSpec
from simulacra.domains import observables, simulator_ms
from simulacra.domains.dataset import parts_of
from simulacra.errors import UserError
from simulacra.figures.curves import Curves, curves
from simulacra.gallery._play import play
from simulacra.random import draws
from simulacra.surrogate import generate
from simulacra.units import convert

EVENTS, ROUNDS = 4000, 1500
Run = str | Path | None


@dataclass(frozen=True, eq=False)
class _Shown:
    """A model with its codec, and the data that it was trained on."""

    model: Any
    codec: Any
    spec: DataSpec
    data: Any

    def pair(self, seed: int) -> tuple[Batch, Batch, DataSpec]:
        """Real test events, generated ones at their conditions, and what both are."""
        real = self.data[parts_of(self.data)["test"][:EVENTS]]
        made = [b.x for b in generate(self.model, self.codec, len(real), real.given, seed)]
        return real, real.with_x(torch.cat(made)), self.spec


@lru_cache(maxsize=2)
def _trained(seed: int) -> _Shown:
    game = play("calorimeter_tree", "electrons", seed, ROUNDS)
    return _Shown(game.experiment.model, game.experiment.codec, game.data.spec, game.data)


@lru_cache(maxsize=2)
def _trained_pair(seed: int) -> tuple[Batch, Batch, DataSpec]:
    return _trained(seed).pair(seed)


def _loaded(run: str | Path) -> _Shown:
    """What a run folder holds now."""
    from simulacra.surrogate import Surrogate

    surrogate = Surrogate.load(run)
    if surrogate.spec.layout != "layers":
        raise UserError(f"expected a run on showers, {run} has {surrogate.spec.layout} data; name another")
    return _Shown(surrogate.experiment.model, surrogate.experiment.codec, surrogate.spec, surrogate.data)


def _events(seed: int, run: Run) -> tuple[Batch, Batch, DataSpec]:
    """Real events, generated ones, and what both are."""
    return _trained_pair(seed) if run is None else _loaded(run).pair(seed)


def _read(seed: int, run: Run, name: str) -> tuple[np.ndarray, np.ndarray, Any]:
    """An observable of real and of generated showers, and itself."""
    real, made, spec = _events(seed, run)
    found = next(o for o in observables(spec) if o.name == name)
    return found(real).numpy(), found(made).numpy(), found


def _by_energy(seed: int, run: Run) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Response and incident energy in GeV, of real and of generated showers."""
    real, made, spec = _events(seed, run)
    read = next(o for o in observables(spec) if o.name == "response")
    energy = real.given["energy"].reshape(-1).numpy() * convert(1, spec.given["energy"].unit, "GeV")
    return (read(real).numpy(), energy), (read(made).numpy(), energy)


def showers(seed: int = 0, run: Run = None) -> Figure:
    """Single showers at three energies, real beside generated, layer by layer.

    Lectures: B:352-358
    """
    real, made, spec = _events(seed, run)
    return figures.showcase(real, made, spec)


def mean_showers(seed: int = 0, run: Run = None) -> Figure:
    """The mean shower in each layer, real and generated, and their difference in standard errors.

    Lectures: B:352-358
    """
    real, made, spec = _events(seed, run)
    return figures.mean_showers(real.x, made.x, spec.parts, spec.x.unit, spec.geometry)


def cell_spectrum(seed: int = 0, run: Run = None) -> Figure:
    """How many cells hold how much energy: the spectrum of single cells over seven decades.

    Lectures: B:371-379
    """
    real, made, found = _read(seed, run, "spectrum")
    last = int(np.flatnonzero(real.sum(0) + made.sum(0))[-1]) + 1
    label, edges = "cells per shower and bin", found.edges[: last + 1]
    return figures.profile(real[:, :last], made[:, :last], label, True, edges, "energy of a cell / MeV")


def number_of_hits(seed: int = 0, run: Run = None) -> Figure:
    """How many cells of a shower are hit, above 0.1 MeV.

    Lectures: B:371-381
    """
    real, made, _ = _events(seed, run)
    return figures.histogram((real.x > 0.1).sum(1), (made.x > 0.1).sum(1), "cells above 0.1 MeV")


def longitudinal_profile(seed: int = 0, run: Run = None) -> Figure:
    """The mean energy in each layer, along the shower.

    Lectures: B:352-358
    """
    real, made, _ = _read(seed, run, "longitudinal")
    edges = np.arange(real.shape[1] + 1) - 0.5
    return figures.profile(real, made, "mean energy / MeV", edges=edges.tolist(), across="layer")


def radial_profile(seed: int = 0, run: Run = None) -> Figure:
    """The mean energy in rings around the axis, across the shower.

    Lectures: B:352-358
    """
    real, made, found = _read(seed, run, "radial")
    return figures.profile(real, made, "mean energy / MeV", True, found.edges, "distance from the axis / mm")


def response(seed: int = 0, run: Run = None) -> Figure:
    """The share of the incident energy that is seen, against that energy.

    Lectures: B:340-356
    """
    return figures.response(*_by_energy(seed, run))


def resolution(seed: int = 0, run: Run = None) -> Figure:
    """The relative spread of the energy that is seen, against the incident energy.

    Lectures: B:340-356
    """
    return figures.resolution(*_by_energy(seed, run))


def _single(seed: int, run: Run) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Twelve observables of single showers at most: energies, centres and widths."""
    real, made, spec = _events(seed, run)
    kinds = ("E_", "x_", "wx_", "wy_", "depth")
    chosen = [o for o in observables(spec) if o.name.startswith(kinds) and o(real[:2]).dim() == 1][:16]
    a, b = (np.stack([o(batch).numpy() for o in chosen], 1) for batch in (real, made))
    return a, b, [o.name for o in chosen]


def correlations(seed: int = 0, run: Run = None) -> Figure:
    """Correlations of a shower's observables: real below the diagonal, generated above.

    Lectures: B:352-358
    """
    return figures.correlations(*_single(seed, run))


def correlation_difference(seed: int = 0, run: Run = None) -> Figure:
    """Where the correlations of generated showers differ from the real ones, in standard errors.

    Lectures: B:352-358
    """
    return figures.correlation_difference(*_single(seed, run))


def speed(seed: int = 0, run: Run = None) -> Figure:
    """Milliseconds per shower against the batch size, with the simulator's own time, on one core.

    Lectures: B:335-339

    Measured here and now, the best of three; it is the one picture that the seed does not decide.
    """
    shown = _trained(seed) if run is None else _loaded(run)
    events = shown.data[parts_of(shown.data)["test"][:1000]]
    sizes = [size for size in (1, 3, 10, 30, 100, 300, 1000) if size <= len(events)]
    times = []
    codec, threads = shown.codec, torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for size in sizes:
            given = events[:size].given
            seen = []
            for _ in range(4):
                start = time.perf_counter()
                with torch.no_grad(), draws(seed):
                    codec.decode(Batch(shown.model.sample(size, codec.encode_given(given)).x, given))
                seen.append((time.perf_counter() - start) * 1e3 / size)
            times.append(min(seen[1:]))
    finally:
        torch.set_num_threads(threads)
    simulator = simulator_ms(shown.spec, events)
    known = {} if simulator is None else {f"Geant4, {simulator:.0f} ms": simulator}
    factor = "" if simulator is None else f": {simulator / times[-1]:,.0f} times faster at {sizes[-1]:,}"
    return curves(
        [
            Curves(
                f"one core{factor}", "showers at once", "time per shower / ms",
                {"this model": (sizes, times)}, {"this model": (sizes, times)}, log="xy", at=known,
            )
        ],
        width=4.0,
    )  # fmt: skip
