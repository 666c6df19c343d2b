"""Claims and what came of them: a table in Markdown, and one page with every figure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simulacra.claims.claim import LECTURES, VERDICTS, Claim, Finding, Interval, Outcome, Result, outcome
from simulacra.claims.store import key
from simulacra.errors import UserError
from simulacra.figures.style import svg
from simulacra.io.publish import write_atomic
from simulacra.report.render import render

Results = Mapping[str, tuple[Claim, Sequence[Result] | None]]
"""By name: a claim, and the results of its seeds; `None` where it has not been run."""

NOT_RUN = "not run"
MEANING = {
    "TRUE": "every quantity lies in its bound",
    "HALF TRUE": "some quantities lie in their bounds, some outside",
    "FALSE": "every quantity lies outside its bound",
    "UNDECIDED": "an interval, of the experiment or of its control, crosses the end of its bound",
    "VOID": "the control holds too, so that nothing is shown",
    NOT_RUN: "no stored result of the present code",
}


def number(value: Interval) -> str:
    """Mean ± half width, with the decimals that the half width deserves.

    >>> number(Interval(1.23456, 0.0321)), number(Interval(0.6931471, 0.0)), number(Interval(math.inf, 0.0))
    ('1.23 ± 0.03', '0.6931', '∞')
    >>> number(Interval(31234.5, 12.0)), number(Interval(2.4e-9, 3e-10)), number(Interval(0.5, 1e-12))
    ('31,234 ± 12', '2.4e-09 ± 3e-10', '0.5')
    """
    mean, half = value
    if not math.isfinite(mean):
        return "not a number" if math.isnan(mean) else ("∞" if mean > 0 else "−∞")
    if math.isinf(half):
        return f"{_plain(mean)} ± ∞"
    if half < 1e-9 * max(abs(mean), 1e-3):
        return _plain(mean)
    size = max(abs(mean), half)
    first = math.floor(math.log10(half))
    decimals = -first + (1 if half / 10**first < 1.5 and first < 0 else 0)
    if not 1e-4 <= size < 1e7 or decimals > 6:
        return f"{mean:.2g} ± {half:.1g}"
    return f"{mean:,.{max(0, decimals)}f} ± {half:,.{max(0, decimals)}f}"


def _plain(x: float) -> str:
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    return f"{x:,.0f}" if abs(x) >= 1000 and x == round(x) else f"{x:.4g}"


def bound(ends: tuple[float, float]) -> str:
    """The interval in which the statement holds, in words.

    >>> bound((0.0, 0.5)), bound((-math.inf, 0.5)), bound((0.9, math.inf)), bound((math.inf, math.inf))
    ('0 to 0.5', 'at most 0.5', 'at least 0.9', 'infinite')
    >>> bound((0.999999, 1.000001))
    '1 ± 1e-06'
    """
    low, high = ends
    if low == high:
        return "infinite" if math.isinf(low) else f"exactly {_plain(low)}"
    if math.isinf(low):
        return f"at most {_plain(high)}"
    if math.isinf(high):
        return f"at least {_plain(low)}"
    middle, half = (low + high) / 2, (high - low) / 2
    return f"{_plain(middle)} ± {half:.1g}" if half < 1e-3 * abs(middle) else f"{_plain(low)} to {_plain(high)}"


def sentence(finding: Finding) -> str:
    """A finding in one line: `quantity 1.23 ± 0.03 (holds: at least 1)`."""
    return f"{finding.quantity}: {number(finding.value)} ({finding.says}: {bound(finding.bound)})"


def control(finding: Finding) -> str:
    """The control of a finding, `0.51 ± 0.02 (fails)`; empty where it has none."""
    return f"{number(finding.control)} ({finding.control_says})" if finding.control else ""


def outcomes(results: Results) -> dict[str, Outcome]:
    """The outcome of every claim; `not run` without findings where there are no results."""
    return {
        name: Outcome(NOT_RUN, ()) if held is None else outcome(claim, held) for name, (claim, held) in results.items()
    }


def counted(found: Mapping[str, Outcome]) -> str:
    """How many claims came out how.

    >>> counted({"a": Outcome("TRUE", ()), "b": Outcome("FALSE", ()), "c": Outcome("TRUE", ())})
    '3 claims: 2 TRUE, 1 FALSE'
    """
    said = [o.verdict for o in found.values()]
    parts = [f"{said.count(v)} {v}" for v in (*VERDICTS, NOT_RUN) if v in said]
    return f"{len(said)} claim{'s' if len(said) != 1 else ''}: " + ", ".join(parts)


def markdown(results: Results, before: str = "", others: bool = False) -> str:
    """The table `statement | lecture | verdict | figures with error | control | seeds | budget` of all claims.

    Every row ends with its claim's name and the key of its code, unseen. Of a claim that has no result here, the row
    of the table `before` is kept if its key is that of today's code: a table outlives the folder of results. With
    `others` the rows of claims that are not among `results` stay as and where they are.
    """
    found, former, kept = outcomes(results), _rows(before), {}
    for name, (claim, held) in results.items():
        if held is None and name in former and former[name][0] == key(claim.experiment):
            kept[name] = former[name][1]
    if others:
        kept |= {name: row for name, (_, row) in former.items() if name not in results}
    found |= {name: Outcome(re.findall(r"\| \*\*([A-Z ]+)\*\* \|", row)[0], ()) for name, row in kept.items()}
    lines = [
        "# Claims",
        "",
        "What four lectures on generative models assert, and what an experiment says of it. Every figure"
        " is a mean over seeds with its 95 % t-interval, beside the bound in which the statement holds; every control"
        " is an experiment in which it must fail. For the pictures: `simulacra claims --page claims.html`.",
        "",
        *(f"- {letter}: *{title}*" for letter, title in LECTURES.items()),
        "",
        "; ".join(f"{verdict}: {MEANING[verdict]}" for verdict in _present(found)) + ".",
        "",
        f"{counted(found)}.",
        "",
        "| statement | lecture | verdict | figures with error | control | seeds | budget |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys([*former, *results] if others else results):
        if name in kept:
            lines.append(kept[name])
            continue
        (claim, _), says = results[name], found[name]
        cells = (
            _safe(claim.statement) + (f" *{_safe(claim.note)}*" if claim.note else ""),
            _safe("; ".join(filter(None, (claim.lecture, claim.paper)))),
            f"**{says.verdict}**",
            "<br>".join(_safe(sentence(f)) for f in says.findings),
            "<br>".join(
                [_safe(claim.control[:1].upper() + claim.control[1:])]
                + [_safe(f"{f.quantity}: {control(f)}") for f in says.findings if f.control]
            ),
            str(claim.seeds),
            f"{_safe(claim.budget)} <!-- {name} {key(claim.experiment)} -->",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _rows(page: str) -> dict[str, tuple[str, str]]:
    """The keys and rows of a table, by the names of claims."""
    found = ((re.search(r"<!-- (\S+) (\S+) --> \|$", line), line) for line in page.splitlines())
    return {mark[1]: (mark[2], line) for mark, line in found if mark and f"**{NOT_RUN}**" not in line}


def _safe(text: str) -> str:
    """Words as they are, where Markdown would read some of them as markup."""
    return re.sub(r"([\\|*_`])", r"\\\1", text).replace("<", "&lt;")


def _present(found: Mapping[str, Outcome]) -> list[str]:
    said = {o.verdict for o in found.values()}
    return [v for v in (*VERDICTS, NOT_RUN) if v in said]


def html(results: Results) -> str:
    """One page that opens offline: every claim with its verdict, its figures and its picture, as SVG."""
    found = outcomes(results)
    rows = [_row(claim, found[name], held) for name, (claim, held) in results.items()]
    return render(
        "template.html",
        package="simulacra.claims",
        count=counted(found),
        lectures=LECTURES,
        meaning={v: MEANING[v] for v in _present(found)},
        claims=rows,
    )


def _row(claim: Claim, says: Outcome, held: Sequence[Result] | None) -> dict[str, Any]:
    return {
        "claim": claim,
        "verdict": says.verdict,
        "kind": says.verdict.lower().replace(" ", "-"),
        "findings": [(f.quantity, number(f.value), bound(f.bound), f.says, control(f)) for f in says.findings],
        "picture": svg(claim.figure(held), claim.statement) if held else "",
    }


SUFFIXES = (".md", ".html")


def check(path: Path) -> None:
    """Raises a UserError where `write` could not write."""
    if path.suffix not in SUFFIXES or path.is_dir():
        raise UserError(f"expected --page ending in .html or .md, came {path}; name a file")


def write(path: Path, results: Results, others: bool = False) -> None:
    """Writes the table (`.md`, in which rows of a former one may stay) or the page (`.html`) in one step.

    Args:
        others: rows of claims that are not among `results` stay in a table.

    Raises:
        UserError: the name ends otherwise, or names a folder.
    """
    check(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text(encoding="utf-8") if path.suffix == ".md" and path.exists() else ""
    write_atomic(path, (markdown(results, before, others) if path.suffix == ".md" else html(results)).encode())
