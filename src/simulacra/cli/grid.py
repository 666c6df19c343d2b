"""Pictures of a run in a grid: a row for each class, and the nearest training picture beside each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulacra.batch import Batch
    from simulacra.surrogate import Surrogate

MOST = 100
"""Pictures in a grid."""


def write_grid(
    out: Path,
    surrogate: Surrogate,
    n: int,
    asked: Mapping[str, Any],
    *,
    seed: int = 0,
    extrapolate: bool = False,
    nearest: bool = False,
    about: Mapping[str, Any] | None = None,
) -> int:
    """Draws at most n pictures, a hundred at most, and says how many.

    Classes to which the run listens have a row each, unless one of them is asked for. To the right of each picture
    stands the nearest training picture where it is asked for, else its partner in the second domain of a coupled GAN.
    The file's comment says what the pictures are `about`.
    """
    import numpy as np
    import torch

    from simulacra import figures
    from simulacra.cli.files import write_bytes
    from simulacra.evaluation.memorisation import nearest as neighbours
    from simulacra.gan import Coupled

    coupled = isinstance(surrogate.experiment.model, Coupled)
    spec, names, columns = surrogate.spec, [], 6 if nearest or coupled else 10
    n = min(n, MOST)
    classes = [k for k, f in spec.given.items() if f.kind == "class" and f.size == 1 and 1 < f.levels <= 20]
    rows = next((k for k in classes if k not in asked), None)
    if rows is not None and n >= spec.given[rows].levels and rows in surrogate.listens_to():
        field = spec.given[rows]
        columns = min(columns, n // field.levels)
        n = columns * field.levels
        told = torch.arange(field.levels).repeat_interleave(columns).view(-1, *field.shape)
        asked, names = {**asked, rows: told}, list(field.names) or [f"{rows} {k}" for k in range(field.levels)]
    made = surrogate.sample(n, asked, seed=seed, extrapolate=extrapolate)
    beside, note = None, ""
    if coupled and not nearest:
        raw = surrogate.sample(n, asked, seed=seed, extrapolate=extrapolate, raw=True)
        codec: Any = surrogate.experiment.codec
        beside, note = codec.decode(raw.with_x(raw.given["partner"])).x, "right of each: its partner, second domain"
    if nearest:
        train, held = _real(surrogate)
        at, distance = neighbours(made.x, train.x)
        usual, near = float(np.median(neighbours(held.x, train.x)[1])), float(np.median(distance))
        beside = train.x[torch.from_numpy(at)]
        note = f"right of each: the nearest of {len(train):,} training pictures; median distance over that of "
        note += f"{len(held):,} held-out pictures: {f'{near / usual:.2f}' if usual else f'{near:.3g} over 0'}"
    grid = figures.image_grid(made.x, columns, 7.5 if beside is not None else 6.0, names, beside, note)
    write_bytes(out, figures.png(grid, about=about))
    return n


def _real(surrogate: Surrogate) -> tuple[Batch, Batch]:
    """The training pictures of a run, and up to 1,000 held-out ones."""
    from simulacra.domains.dataset import parts_of
    from simulacra.evaluation.rows import some_of

    parts = parts_of(surrogate.data)
    return surrogate.data[parts["train"]], some_of(surrogate.data, 1000, parts["test"])
