"""`simulacra explain`: a recipe, then the source of every part that it composes."""

from __future__ import annotations

from typing import Annotated

import typer


def explain(recipe: Annotated[str, typer.Argument(help="A recipe's name, or file.py:function.")]) -> None:
    """Prints the recipe, then the source of every part that it composes."""
    import inspect

    from rich.console import Console
    from rich.syntax import Syntax

    from simulacra import recipes

    found = recipes.find(recipe)
    console = Console()
    console.rule(f"{found.name} · {found.family or 'a recipe of your own'} · {found.paper}")
    console.print(Syntax(inspect.getsource(found.function), "python", background_color="default"))
    for part in recipes.parts_of(found):
        console.rule(f"{part.__module__}.{part.__qualname__}")
        console.print(Syntax(inspect.getsource(part), "python", background_color="default"))
