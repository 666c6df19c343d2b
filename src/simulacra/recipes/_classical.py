"""What the classical recipes share: a mixture for each class, solved on all events at once."""

from __future__ import annotations

from simulacra.batch import DataSpec
from simulacra.classical.mixture import Mixture
from simulacra.recipes._discrete import binary_codec
from simulacra.recipes._flows import density_codec
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment, Solver, modules


def mixture(
    data: DataSpec,
    recipe: str,
    components: int,
    covariance: str,
    *,
    bins: int,
    events: int,
    rounds: int = 1,
    hard: bool = False,
    smoothing: float = 1.0,
    binarise: str | None = None,
) -> Experiment:
    """One solver for a mixture of `components` in each class, one step of EM in each of its rounds.

    Args:
        covariance: of Gaussians, or `bits` for pictures that `binarise` makes black and white.
        events: of a round; all training events where there are no more.
    """
    need_layout(data, recipe, *(("vector", "image") if binarise is None else ("image",)))
    codec = density_codec(data) if binarise is None else binary_codec(data, binarise)
    model = Mixture(codec.spec(data), components, covariance, bins=bins, hard=hard, smoothing=smoothing)
    solver = Solver(recipe, model, model.collect, model.solve, accumulate=16)
    size = min(events, data.rows or events)
    return Experiment(model, [solver], codec, rounds, size, modules(model=model), begin=model.begin)
