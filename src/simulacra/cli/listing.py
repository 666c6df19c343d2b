"""`simulacra list`: the recipes as a table of contents."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def list_recipes(
    family: Annotated[str | None, typer.Option(help="Only this family, such as gan or flows.")] = None,
    domain: Annotated[str | None, typer.Option(help="Only recipes for this layout, such as image or layers.")] = None,
    concept: Annotated[str | None, typer.Option(help="Only recipes whose summary or paper has this word.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Lists the recipes: what can be trained, and from which paper."""
    from simulacra import recipes
    from simulacra.errors import UserError, nearest

    rows = recipes.table()
    for name, point in recipes.installed().items():
        rows.setdefault(name, {"family": "installed", "domain": (), "paper": "", "summary": str(point.value)})
    families = {row.get("family", "") for row in rows.values()}
    domains = {d for row in rows.values() for d in row.get("domain", ())}
    for flag, word, known in (("--family", family, families), ("--domain", domain, domains)):
        if word is not None and word not in known:
            raise UserError(f"expected a known {flag}, came {word!r}; {nearest(word, known)}")
    chosen = {
        name: row
        for name, row in rows.items()
        if (family is None or row.get("family") == family)
        and (domain is None or domain in row.get("domain", ()))
        and (concept is None or concept.lower() in f"{name} {row.get('summary')} {row.get('paper')}".lower())
    }
    if as_json:
        print(json.dumps(chosen, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for head in ("recipe", "family", "data", "what", "paper"):
        table.add_column(head, overflow="fold", no_wrap=head == "recipe")
    for name, row in sorted(chosen.items(), key=lambda item: (item[1].get("family", ""), item[0])):
        table.add_row(
            name, row.get("family", ""), " ".join(row.get("domain", ())), row.get("summary", ""), row.get("paper", "")
        )
    Console().print(table if chosen else "no recipe fits; leave a filter out")
