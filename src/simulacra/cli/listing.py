"""`simulacra list`: the recipes as a table of contents."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Mapping
from typing import Annotated, Any

import typer

INDENT = 21
"""Columns of a recipe's name."""


def list_recipes(
    family: Annotated[str | None, typer.Option(help="Only this family, such as gan or flows.")] = None,
    domain: Annotated[str | None, typer.Option(help="Only recipes for this layout, such as image or layers.")] = None,
    concept: Annotated[
        str | None, typer.Option(help="Only recipes for a concept of docs/concepts.md, or with this word.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Lists the recipes: what can be trained, and from which paper."""
    from simulacra import recipes
    from simulacra.concepts import concepts
    from simulacra.errors import UserError, nearest

    rows = recipes.table()
    for name, point in recipes.installed().items():
        rows.setdefault(name, {"family": "installed", "domain": (), "paper": "", "summary": str(point.value)})
    families = {row.get("family", "") for row in rows.values()}
    domains = {d for row in rows.values() for d in row.get("domain", ())}
    for flag, word, known in (("--family", family, families), ("--domain", domain, domains)):
        if word is not None and word not in known:
            raise UserError(f"expected a known {flag}, came {word!r}; {nearest(word, known)}")
    named = {name for row in concepts() if concept and concept.lower() in row.word.lower() for name in row.recipes}
    chosen = {
        name: row
        for name, row in rows.items()
        if (family is None or row.get("family") == family)
        and (domain is None or domain in row.get("domain", ()))
        and (
            concept is None
            or name in named
            or concept.lower() in f"{name} {row.get('summary')} {row.get('paper')}".lower()
        )
    }
    if as_json:
        print(json.dumps(chosen, indent=1))
        return
    if not chosen:
        print("no recipe fits; leave a filter out")
    for name in sorted({row.get("family", "") for row in chosen.values()}):
        print(f"{name or 'others'}\n")
        for recipe, row in sorted(chosen.items()):
            if row.get("family", "") == name:
                print(_entry(recipe, row) + "\n")


def _entry(name: str, row: Mapping[str, Any]) -> str:
    """A recipe in a few lines: its name and summary, then what data it takes and where it is from."""
    source = "; ".join(word for word in (", ".join(row.get("domain", ())), row.get("paper", "")) if word)
    width = min(100, shutil.get_terminal_size((80, 24)).columns)
    margin = " " * (INDENT + 2)
    lines = textwrap.wrap(row.get("summary", ""), width - len(margin), break_on_hyphens=False) or [""]
    lines += textwrap.wrap(f"[{source}]", width - len(margin), break_on_hyphens=False) if source else []
    return "\n".join([f"  {name:<{INDENT}}{lines[0]}", *(margin + line for line in lines[1:])])
