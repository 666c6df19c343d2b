"""A sentence that a lecture asserts, the experiment that could refute it, and what came out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import t

LECTURES = {
    "A": "Generative Models: Part I",
    "B": "Generative Models: Part II, Advanced GAN Techniques & Application in Particle Physics",
    "C": "Introduction to Machine Learning: Lecture 5, Deep Generative Models",
    "D": "Deep Learning: Autoencoders & Generative Adversarial Networks",
}
"""The lectures by the letter under which claims cite them, `letter:line` of their text."""

VERDICTS = ("TRUE", "HALF TRUE", "FALSE", "UNDECIDED", "VOID")
"""What can come out: all quantities hold, some hold and some fail, all fail, too noisy, or no failing control."""


class Result(NamedTuple):
    """What one seed gave.

    Attributes:
        values: the claim's quantities, one number each.
        control: the same quantities in the negative control, those that are expected to leave their bounds there.
        arrays: what the figure needs; small.
    """

    values: Mapping[str, float]
    control: Mapping[str, float]
    arrays: Mapping[str, np.ndarray] = {}


@dataclass(frozen=True, eq=False)
class Claim:
    """A sentence and its experiment, with the bounds fixed before it is run.

    Attributes:
        name: in kebab-case, unique.
        statement: one sentence, as the lecture asserts it.
        lecture: letters and lines, such as `A:374, B:171` (see `LECTURES`).
        paper: author, year, arXiv.
        experiment: seed -> Result, of the claim's own module; the same seed gives the same numbers.
        bounds: quantity -> (low, high), where the statement holds. An end that no value can pass is infinite, so that
            an interval that reaches beyond it decides: a share of at least 0.9 is `(0.9, math.inf)`.
        control: what the negative control is, one sentence.
        budget: what one seed costs, such as `2,000 critic steps per seed`.
        figure: the results of all seeds -> a picture.
        seeds: how many, from 0.
        fast: seconds, not minutes; run by `simulacra claims --fast`.
        note: what it means where the statement holds in part only; misprints corrected.
    """

    name: str
    statement: str
    lecture: str
    paper: str
    experiment: Callable[[int], Result]
    bounds: Mapping[str, tuple[float, float]]
    control: str
    budget: str
    figure: Callable[[Sequence[Result]], Figure]
    seeds: int = 3
    fast: bool = False
    note: str = ""


class Interval(NamedTuple):
    """A mean over seeds with the half width of its 95 % t-interval."""

    mean: float
    half: float

    def against(self, bound: tuple[float, float]) -> str:
        """`holds` where the whole interval lies in the bound, `fails` where none of it does, else `undecided`.

        >>> [Interval(0.0, half).against((-1.0, 1.0)) for half in (0.5, 2.0)], Interval(3.0, 0.5).against((-1.0, 1.0))
        (['holds', 'undecided'], 'fails')
        """
        low, high = self.mean - self.half, self.mean + self.half
        if bound[0] <= low and high <= bound[1]:
            return "holds"
        return "fails" if high < bound[0] or low > bound[1] else "undecided"


def interval(values: Sequence[float]) -> Interval:
    """The mean m with t_{0.975, n-1} s / sqrt(n); zero wide where all values are the same, infinite ones included.

    A single value, or one that is not finite among others, has an interval that decides nothing.

    >>> interval([1.0, 2.0, 3.0])
    Interval(mean=2.0, half=2.484...)
    >>> interval([math.inf, math.inf])
    Interval(mean=inf, half=0.0)
    """
    held, n = np.asarray(values, dtype=float), len(values)
    if n > 1 and (held == held[0]).all():
        return Interval(float(held[0]), 0.0)
    if n < 2 or not np.isfinite(held).all():
        return Interval(float(held.mean()) if n else math.nan, math.inf)
    return Interval(float(held.mean()), float(t.ppf(0.975, n - 1) * held.std(ddof=1) / math.sqrt(n)))


class Finding(NamedTuple):
    """One quantity of a claim: its interval, its bound, and what they say; the control's likewise, if it has one."""

    quantity: str
    value: Interval
    bound: tuple[float, float]
    says: str
    control: Interval | None
    control_says: str


class Outcome(NamedTuple):
    """A verdict among `VERDICTS`, and the findings that led to it."""

    verdict: str
    findings: Sequence[Finding]


def outcome(claim: Claim, results: Sequence[Result]) -> Outcome:
    """The verdict on a claim from its seeds.

    TRUE where all quantities hold, HALF TRUE where some hold and some fail, FALSE where all fail, else UNDECIDED.
    VOID where the control holds as well (or there is none), since then the experiment could not have refuted the claim;
    UNDECIDED where it is not clear that the control fails.

    Raises:
        ValueError: a seed's quantities are not those of the bounds.
    """
    findings = []
    for result in results:
        if set(result.values) != set(claim.bounds) or not set(result.control) <= set(claim.bounds):
            came = sorted({*result.values, *result.control})
            raise ValueError(
                f"expected the quantities {sorted(claim.bounds)} of {claim.name}, came {came}; name them so"
            )
    for quantity, bound in claim.bounds.items():
        value = interval([r.values[quantity] for r in results])
        controlled = [r.control[quantity] for r in results if quantity in r.control]
        control = interval(controlled) if controlled else None
        says = control.against(bound) if control else ""
        findings.append(Finding(quantity, value, bound, value.against(bound), control, says))
    return Outcome(_verdict({f.says for f in findings}, {f.control_says for f in findings} - {""}), findings)


def _verdict(says: set[str], control: set[str]) -> str:
    if not control or "holds" in control:
        return "VOID"
    if "undecided" in control:
        return "UNDECIDED"
    if {"holds", "fails"} <= says:
        return "HALF TRUE"
    return {frozenset({"holds"}): "TRUE", frozenset({"fails"}): "FALSE"}.get(frozenset(says), "UNDECIDED")
