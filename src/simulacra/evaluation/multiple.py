"""Many tests at once: which of them may be believed together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scipy.stats import ks_2samp

from simulacra.errors import UserError
from simulacra.evaluation.arrays import pair

FAMILY = 0.01
"""Probability that any of many tests fails for a perfect model."""


def holm(probabilities: Mapping[str, float], level: float = FAMILY) -> list[str]:
    """Names of the tests that fail, with a family-wise error of at most `level` under whatever dependence (Holm 1979).

    >>> holm({"a": 0.001, "b": 0.2, "c": 0.004})
    ['a', 'c']
    """
    out: list[str] = []
    for k, (name, p) in enumerate(sorted(probabilities.items(), key=lambda item: item[1])):
        if p > level / (len(probabilities) - k):
            break
        out.append(name)
    return out


def adjusted(probabilities: Mapping[str, float]) -> dict[str, float]:
    """Each p-value as it stands among all of them, p'_(k) = max_(j <= k) min(1, (K - j + 1) p_(j)) (Holm 1979).

    A test fails at a family-wise level exactly where its adjusted p-value does not exceed it.

    >>> adjusted({"a": 0.001, "b": 0.2, "c": 0.004})
    {'a': 0.003, 'b': 0.2, 'c': 0.008}
    """
    order = sorted(probabilities, key=lambda name: probabilities[name])
    highest, found = 0.0, {}
    for k, name in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - k) * probabilities[name]))
        found[name] = highest
    return {name: found[name] for name in probabilities}


def ks_many(reference: Mapping[str, Any], generated: Mapping[str, Any]) -> dict[str, float]:
    """Kolmogorov-Smirnov p-value of every observable, corrected for their number (Holm).

    Kolmogorov's law is conservative for numbers that repeat; `kolmogorov_smirnov` relabels instead.

    Args:
        reference: name -> [n]; generated: the same names -> [m].

    Raises:
        UserError: the names differ, or a number is not finite.

    Example:
        >>> import numpy as np
        >>> x = np.linspace(0.0, 1.0, 200)
        >>> found = ks_many({"energy": x, "width": x}, {"energy": x, "width": x + 0.5})
        >>> found["energy"], found["width"] < 1e-10
        (1.0, True)

    Kolmogorov (1933), Smirnov (1948); Holm (1979).
    """
    if reference.keys() != generated.keys():
        odd = ", ".join(sorted(reference.keys() ^ generated.keys()))
        raise UserError(f"expected the same observables of both samples, came {odd} in one only; leave it out")
    found = {}
    for name in reference:
        a, b = pair(reference[name], generated[name])
        found[name] = float(ks_2samp(a, b, method="asymp").pvalue)  # pyright: ignore[reportAttributeAccessIssue]
    return adjusted(found)
