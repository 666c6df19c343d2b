"""`simulacra sample`: new events from a trained run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from simulacra.cli.words import plain


def sample(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    out: Annotated[Path, typer.Option(help="Where to write: .h5, .npz, .png or .txt.")],
    n: Annotated[int, typer.Option("-n", max=2**40, help="How many events.")] = 1000,
    given: Annotated[list[str] | None, typer.Option(help="A condition, such as energy=50GeV; may be repeated.")] = None,
    like: Annotated[Path | None, typer.Option(help="Take the conditions of the events in this file.")] = None,
    code: Annotated[
        list[str] | None, typer.Option(help="A latent code, such as category=3 or continuous=0.5,any; may be repeated.")
    ] = None,
    truncation: Annotated[
        float | None, typer.Option(min=0.0, help="Styles (psi) or normal latents nearer to the middle, such as 0.7.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of the events.")] = 0,
    raw: Annotated[bool, typer.Option("--raw", help="As the model makes them, before decoding (.npz only).")] = False,
    extrapolate: Annotated[
        bool, typer.Option("--extrapolate", help="Allow conditions never seen in training.")
    ] = False,
    nearest: Annotated[
        bool, typer.Option("--nearest", help="Beside each picture the training picture nearest to it (.png).")
    ] = False,
    recipe: Annotated[str | None, typer.Option(help="The file.py:function of a run with a recipe of your own.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Writes new events in physical units, at the conditions asked for.

    What a recipe does in sampling alone may be another than in training, such as --steps 25 of a diffusion model.
    The file says what made it: as attributes of .h5, in the comment of .npz and .png.
    """
    import json

    from simulacra.cli.files import check_layout, check_target, write_events
    from simulacra.cli.steering import choose, truncate
    from simulacra.cli.train import recipe_arguments
    from simulacra.domains import open_data
    from simulacra.domains.matching import matched
    from simulacra.errors import UserError
    from simulacra.surrogate import Surrogate

    asked: dict[str, Any] = {}
    for word in given or []:
        name, equals, value = word.partition("=")
        if not equals or not value:
            raise UserError(f"expected --given name=value, came {word!r}; such as --given energy=50GeV")
        if name in asked:
            raise UserError(f"expected --given {name}=... once, came twice; ask for one value a call")
        asked[name] = value
    if n < 1:
        raise UserError(f"expected -n of at least 1, came {n}; ask for 1 or more")
    check_target(out, raw=raw)
    surrogate = Surrogate.load(run, recipe, device, recipe_arguments(context.args))
    choose(surrogate, code or [], extrapolate=extrapolate)
    if truncation is not None:
        truncate(surrogate, truncation)
    check_layout(out, surrogate.spec, raw=raw)
    calls = f"; {surrogate.evaluations:,} calls of the network for each" if surrogate.evaluations else ""
    drawn = out.suffix == ".png" and surrogate.spec.layout == "image"
    if nearest and not drawn:
        raise UserError(f"expected pictures and a .png for --nearest, came {out.name!r}; leave --nearest out")
    if like is not None:
        rows = matched(open_data(like), surrogate.spec)[slice(0, n)]
        if len(rows) < n:
            raise UserError(f"expected {n} events in {like} to take conditions from, it has {len(rows)}; lower -n")
        told = {k: v for k, v in rows.given.items() if k in surrogate.spec.given}
        if not told:
            wants, has = (", ".join(names) or "none" for names in (surrogate.spec.given, rows.given))
            raise UserError(f"expected conditions of the run in {like} ({wants}), it has {has}; leave --like out")
        asked = {**told, **asked}
    about = {"run": plain(run), "recipe": plain(surrogate.config.recipe), "seed": seed}
    if code:
        about["code"] = plain(" ".join(code))
    if truncation is not None:
        about["truncation"] = truncation
    if surrogate.sampling:
        about["sampling"] = json.dumps(surrogate.sampling)
    if drawn:
        from simulacra.cli.grid import MOST, write_grid

        shown = write_grid(out, surrogate, n, asked, seed=seed, extrapolate=extrapolate, nearest=nearest, about=about)
        left = "" if shown == n else f"; of {n:,}, since a grid has full rows and at most {MOST} pictures"
        print(f"wrote {shown:,} events to {plain(out)}{left}{calls}")
        return
    made = surrogate.sample(n, asked, seed=seed, raw=raw, extrapolate=extrapolate)
    write_events(out, made, surrogate.spec, about, raw=raw)
    print(f"wrote {n:,} events to {plain(out)}{calls}")
