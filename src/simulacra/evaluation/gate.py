"""Pass or fail: every test that counts, in families, with one honest probability of a false alarm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import chi2

from simulacra.evaluation.measurement import Measurement
from simulacra.evaluation.memorisation import copying
from simulacra.evaluation.multiple import holm

if TYPE_CHECKING:
    from simulacra.evaluation.judge import Evaluation

BINS = 20


def shapes(metrics: Mapping[str, Measurement]) -> dict[str, float]:
    """Probability of each observable's separation for equal distributions: chi-square of 20 bins, told by its spread.

    >>> shapes({"separation/width": Measurement(0.0, 0.002, 0.0, 0.002, 1000)})["width"] > 0.3
    True
    """
    found = {k.removeprefix("separation/"): m for k, m in metrics.items() if k.startswith("separation/")}
    return {
        name: float(chi2.sf(BINS - 1 + m.value / m.floor_error * np.sqrt(2 * (BINS - 1)), BINS - 1))
        if m.floor_error
        else float(m.value <= 1e-12)  # one value on both sides, whose weights add up but for rounding
        for name, m in found.items()
    }


def probabilities(evaluation: Evaluation) -> dict[str, float]:
    """How likely a perfect model is to show at least this, for each family of tests.

    The groups of the moment battery; `shapes` (the smallest of all separations' probabilities times their number);
    `copies` of training events (the exact sign test), and rows that are identical to training events, repeats of each
    other, or pairs far nearer to each other than to all others.
    """
    out = {} if evaluation.battery is None else {name: g.p for name, g in evaluation.battery.groups.items()}
    found = shapes(evaluation.metrics)
    if found:
        out["shapes"] = min(1.0, len(found) * min(found.values()))
    return out | copying(evaluation.metrics)


def failing(evaluation: Evaluation) -> list[str]:
    """The families that fail, the clearest first; for a perfect model there is one with a probability of 1 % at most.

    >>> from simulacra.evaluation.judge import Evaluation
    >>> failing(Evaluation({"separation/width": Measurement(0.2, 0.01, 0.0, 0.001, 1000)}))
    ['shapes']
    """
    return holm(probabilities(evaluation))
