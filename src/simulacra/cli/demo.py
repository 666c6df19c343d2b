"""`simulacra demo`: from real Geant4 showers to a judged surrogate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulacra.cli.words import plain


def demo(
    out: Annotated[Path, typer.Option(help="The run folder.")] = Path("runs/demo"),
    rounds: Annotated[int | None, typer.Option(help="Rounds to play; by default the recipe's own.")] = None,
    n: Annotated[int, typer.Option("-n", help="New showers to write.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of everything random.")] = 0,
) -> None:
    """Trains the bundled calorimeter surrogate, judges it against Geant4, and writes new showers."""
    from simulacra import workflow
    from simulacra.cli.evaluate import judge_run, print_table
    from simulacra.cli.files import write_events
    from simulacra.cli.train import play
    from simulacra.errors import UserError

    if n < 1:
        raise UserError(f"expected -n of at least 1, came {n}; ask for 1 or more")
    print("1 of 3: training calorimeter_tree on Geant4 electrons in a lead and liquid-argon calorimeter")
    play(workflow.begin(out, "calorimeter_tree", "electrons", rounds=rounds, seed=seed))
    print("2 of 3: writing new showers")
    training = workflow.proceed(out)
    surrogate = training.surrogate()
    write_events(
        out / "samples" / "showers.h5",
        surrogate.sample(n, seed=seed),
        surrogate.spec,
        {"run": plain(out), "recipe": surrogate.config.recipe, "seed": seed},
    )
    print("3 of 3: judging them against Geant4 showers never used in training")
    evaluation, speed, lines = judge_run(surrogate, None, seed=seed)
    print_table(evaluation, speed, lines)
    print(f"new showers: {out / 'samples' / 'showers.h5'}")
    print(f"report: {out / 'report.html'}")
