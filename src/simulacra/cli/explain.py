"""`simulacra explain`: a recipe, then the source of every part that it composes."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def explain(recipe: Annotated[str, typer.Argument(help="A recipe's name, or file.py:function.")]) -> None:
    """Prints the recipe, then the source of every part that it composes."""
    import inspect
    from pathlib import Path

    from rich.console import Console
    from rich.syntax import Syntax

    from simulacra import recipes

    found = recipes.find(recipe)
    console = Console()

    def show(title: str, thing: Any) -> None:
        console.rule(title)
        source = inspect.getsource(thing)
        if console.is_terminal:
            console.print(Syntax(source, "python", background_color="default", word_wrap=True))
        else:
            print(source)

    words = (found.name, found.family or "a recipe of your own", found.paper)
    show(" · ".join(word for word in words if word), found.function)
    for part in recipes.parts_of(found):
        own = not part.__module__.startswith("simulacra.")
        home = Path(inspect.getfile(part)).name if own else part.__module__
        show(f"{home}: {part.__qualname__}", part)
