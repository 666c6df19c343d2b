"""`simulacra look`: inside a run: its critic's view of events, and what its latents hold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulacra.cli.words import plain


def look(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    out: Annotated[Path | None, typer.Option(help="The page, .html; by default look.html in the run folder.")] = None,
    n: Annotated[int, typer.Option("-n", min=50, max=20_000, help="Events for means and histograms.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of everything random.")] = 0,
    recipe: Annotated[str | None, typer.Option(help="The file.py:function of a run with a recipe of your own.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Looks inside a run: what its critic scores, where it looks and what it wants; what its latents do.

    The page has a section for each thing that the model can: scores, saliency and ascent where it has a critic; a
    walk, truncation and attributes where it has latents; mixing where it has styles.
    """
    from simulacra.cli.files import write_bytes
    from simulacra.errors import UserError
    from simulacra.report.look import page
    from simulacra.surrogate import Surrogate

    target = out or run / "look.html"
    if target.suffix != ".html" or target.is_dir():
        raise UserError(f"expected --out ending in .html, came {target.name!r}; name a page")
    surrogate = Surrogate.load(run, recipe, device)
    from simulacra.cli.inside import inside

    pictures = list(inside(surrogate, n, seed))
    if not pictures:
        raise UserError(
            f"expected a run with a critic or with latents, {surrogate.config.recipe} has neither; choose a GAN"
        )
    title = f"Inside {surrogate.config.recipe} on {surrogate.spec.name}"
    write_bytes(target, page(title, pictures).encode())
    for picture in pictures:
        print(f"  {picture.name}")
    print(f"wrote {plain(target)}")
