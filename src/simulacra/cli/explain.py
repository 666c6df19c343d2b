"""`simulacra explain`: a recipe, then the source of every part that it composes."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def explain(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, file.py:function, or a concept of docs/concepts.md.")],
) -> None:
    """Prints the recipe, then the source of every part that it composes; of a concept, where it lives."""
    import inspect
    from pathlib import Path

    from rich.console import Console
    from rich.syntax import Syntax

    from simulacra import concepts, recipes

    word = {row.word.lower(): row for row in concepts.concepts()}.get(recipe.lower())
    console = Console()

    def show(title: str, thing: Any) -> None:
        console.rule(title)
        source = inspect.getsource(thing)
        if console.is_terminal:
            console.print(Syntax(source, "python", background_color="default", word_wrap=True))
        else:
            print(source)

    if word is not None and recipe not in recipes.builtin():
        show(f"{word.word}: {word.symbol}", word.load())
        for label, text in (("recipes", ", ".join(word.recipes)), ("source", word.paper)):
            if text:
                print(f"{label}: {text}")
        return
    found = recipes.find(recipe)
    words = (found.name, found.family or "a recipe of your own", found.paper)
    show(" · ".join(word for word in words if word), found.function)
    for part in recipes.parts_of(found):
        own = not part.__module__.startswith("simulacra.")
        home = Path(inspect.getfile(part)).name if own else part.__module__
        show(f"{home}: {part.__qualname__}", part)
