"""`simulacra claims`: what lectures assert, and what experiments say of it."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from simulacra.claims.claim import Interval, Outcome


def claims(
    name: Annotated[str | None, typer.Argument(help="One claim to run, by its name in the list.")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Run those that take seconds.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Run all; what is stored is not run again.")] = False,
    out: Annotated[Path, typer.Option(help="Where results are stored.")] = Path("runs/claims"),
    page: Annotated[
        list[Path] | None,
        typer.Option(help="Write the table (.md; of one claim its row) or a page with figures (.html); repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The outcomes as JSON, and nothing else.")] = False,
) -> None:
    """Runs what the lectures claim, each claim with its control, and says which are true; else shows what is stored."""
    from simulacra.claims import page as pages
    from simulacra.claims import store, table
    from simulacra.errors import UserError, nearest

    known = table()
    if name is not None and name not in known:
        raise UserError(f"expected a known claim, came {name!r}; {nearest(name, known)}")
    if (name is not None) + fast + every > 1:
        raise UserError("expected one of a name, --fast and --all, came several; choose one")
    for path in page or []:
        pages.check(path)

    results = {}
    for key, claim in known.items():
        if name in (None, key):
            wanted = every or key == name or (fast and claim.fast)
            results[key] = claim, (store.run(out, claim, _say) if wanted else store.stored(out, claim))
    for path in page or []:
        pages.write(path, results, others=name is not None)
    found = pages.outcomes(results)
    if as_json:
        print(json.dumps({key: to_json(value) for key, value in found.items()}))
        return
    for key, says in found.items():
        print(f"{says.verdict:<9}  {key}: {known[key].statement}")
        if name is not None or fast or every:
            for finding in says.findings:
                control = f"; control {pages.control(finding)}" if finding.control else ""
                print(f"{'':11}{pages.sentence(finding)}{control}")
    print(pages.counted(found))
    for path in page or []:
        print(f"page: {path}")


def _say(name: str, seed: int, seconds: float) -> None:
    print(f"{name}: seed {seed} took {seconds:.1f} s", file=sys.stderr)


def to_json(says: Outcome) -> Mapping[str, Any]:
    """A plain mapping; numbers that JSON cannot hold become words (`inf`, `nan`)."""

    def held(x: float) -> float | str:
        return x if math.isfinite(x) else str(x)

    def words(value: Interval | None) -> dict[str, Any] | None:
        return None if value is None else {"mean": held(value.mean), "half": held(value.half)}

    quantities = {
        f.quantity: {
            "value": words(f.value),
            "bound": list(map(held, f.bound)),
            "says": f.says,
            "control": words(f.control),
        }
        for f in says.findings
    }
    return {"verdict": says.verdict, "quantities": quantities}
