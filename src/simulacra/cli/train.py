"""`simulacra train`: a recipe, data, a run folder."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulacra.errors import UserError

if TYPE_CHECKING:
    from simulacra.cli.film import Film
    from simulacra.training.game import Experiment
    from simulacra.training.loop import Step
    from simulacra.workflow import Training

REHEARSED = 20
"""Rounds of the short game whose time tells how long the whole one takes."""


def train(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="A recipe's name, or file.py:function.")],
    data: Annotated[str | None, typer.Option(help="A data set's name, such as shapes, or a path.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder; by default runs/RECIPE-DATA.")] = None,
    rounds: Annotated[int | None, typer.Option(help="Rounds to play; by default the recipe's own.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Events per turn over all processes.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of everything random.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:N or auto.")] = "auto",
    precision: Annotated[str, typer.Option(help="float32 or bf16.")] = "float32",
    threads: Annotated[int | None, typer.Option(help="CPU threads; measured where left out.")] = None,
    checkpoint_every: Annotated[int | None, typer.Option(help="Rounds between checkpoints.")] = None,
    detector: Annotated[str | None, typer.Option(help="Geometry of a shower file: a name or an XML file.")] = None,
    ignore: Annotated[str, typer.Option(help="Conditions not to be told, such as label; commas between them.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint in --out.")] = False,
    film: Annotated[
        Path | None, typer.Option(help="Film what fixed latents become: .gif or .mp4; say it again with --resume.")
    ] = None,
    film_every: Annotated[int | None, typer.Option(help="Rounds between frames; by default a hundredth.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and how long it takes.")] = False,
) -> None:
    """Trains a recipe on data. The recipe's own arguments are flags too: see `simulacra explain RECIPE`."""
    from simulacra import recipes, workflow
    from simulacra.cli.film import Film, check_film

    if film_every is not None and film is None:
        raise UserError("expected --film with --film-every, came none; name the film")
    if film is not None:
        check_film(film, film_every, recipes.find(recipe).domains)
    arguments = recipe_arguments(context.args)
    if checkpoint_every is not None and checkpoint_every < 1:
        raise UserError(f"expected --checkpoint-every of at least 1, came {checkpoint_every}; leave it out for a tenth")
    place = out or Path("runs") / f"{Path(recipe.split(':')[0]).stem}-{Path(str(data)).stem.replace(':', '-')}"
    if resume:
        if arguments or rounds is not None or batch_size is not None or ignore:
            raise UserError("expected --resume alone, for a run keeps its arguments and budget; start another run")
        training = workflow.proceed(place, recipe, device=device, data=data)
        for line in training.passed:
            print(f"passed over a damaged checkpoint: {line}", file=sys.stderr)
    else:
        if data is None:
            raise UserError("expected --data, came nothing; name a data set such as toys:ring8, or a path")
        options: dict[str, Any] = ({} if detector is None else {"detector": detector}) | (
            {"ignore": ignore} if ignore else {}
        )
        if dry_run:
            return _rehearse(recipe, data, arguments, rounds, batch_size, device, precision, options)
        training = workflow.begin(
            place,
            recipe,
            data,
            arguments,
            rounds=rounds,
            batch_size=batch_size,
            seed=seed,
            device=device,
            precision=precision,
            threads=threads,
            **options,
        )
    camera = None if film is None else Film(training, film, film_every)
    start = training.experiment.clock
    if training.engine.rank == 0:
        print(
            f"{training.config.recipe} on {training.config.spec.name}: round {start.round} of {start.rounds}, {place}"
        )
    play(training, checkpoint_every, camera)
    if training.engine.rank == 0:
        if camera is not None:
            print(f"film: {film}, {camera.assemble()} frames")
        print(f"trained: {place}; next: simulacra evaluate {place}")
    return None


def recipe_arguments(words: list[str]) -> dict[str, str]:
    """`--n-critic 5` and `--n-critic=5` as `{"n_critic": "5"}`.

    >>> recipe_arguments(["--n-critic", "5", "--gp=0.1"])
    {'n_critic': '5', 'gp': '0.1'}
    """
    out: dict[str, str] = {}
    rest = list(words)
    while rest:
        flag = rest.pop(0)
        if not flag.startswith("--"):
            raise UserError(f"expected a flag such as --lr 1e-4, came {flag!r}; write --name value")
        name, equals, value = flag[2:].partition("=")
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise UserError(f"expected a value after {flag}, came nothing; write {flag} VALUE")
            value = rest.pop(0)
        if name.replace("-", "_") in out:
            raise UserError(f"expected --{name} once, came twice; say it once")
        out[name.replace("-", "_")] = value
    return out


class Stopped(Exception):
    """SIGTERM or SIGINT came."""


@contextmanager
def graceful() -> Iterator[list[int]]:
    """Notes the first SIGTERM or Ctrl-C in a list; the second one ends the process at once."""
    came: list[int] = []

    def note(number: int, frame: Any) -> None:
        if came:
            os._exit(128 + number)
        came.append(number)
        print("stopping after this round; a second signal stops at once", file=sys.stderr)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def play(training: Training, checkpoint_every: int | None = None, camera: Film | None = None) -> None:
    """Plays a run to its end with a progress line; a signal leaves a checkpoint and exits with 128 + its number."""
    with graceful() as came, progress(training) as show:
        rounds = training.rounds(checkpoint_every)
        for step in rounds:
            show(step)
            if camera is not None:
                camera.look(step)
            if training.engine.any(bool(came)):
                rounds.close()
                break
    if came:
        print(f"stopped at round {training.experiment.clock.round}; go on with --resume", file=sys.stderr)
        raise typer.Exit(128 + came[0])


@contextmanager
def progress(training: Training) -> Iterator[Any]:
    """A bar with the remaining time on a terminal, a line every few seconds elsewhere."""
    first = training.engine.rank == 0
    if first and sys.stderr.isatty():
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        with Progress(*columns, transient=True) as bar:
            start = training.experiment.clock
            task = bar.add_task("", total=start.rounds, completed=start.round)

            def draw(step: Step) -> None:
                near = step.clock.round % 20 == 0
                bar.update(task, completed=step.clock.round, description=_words(step) if near else None)

            yield draw
        return
    began, first_round, last = time.monotonic(), training.experiment.clock.round, [time.monotonic()]

    def tell(step: Step) -> None:
        now = time.monotonic()
        if first and now - last[0] > 15:
            last[0] = now
            left = (now - began) / (step.clock.round - first_round) * (step.clock.rounds - step.clock.round)
            print(f"round {step.clock.round} of {step.clock.rounds}, {left:.0f} s left, {_words(step)}", flush=True)

    yield tell


def _words(step: Step) -> str:
    return " ".join(f"{name} {float(value):.4g}" for name, value in step.losses.items())


def _rehearse(
    recipe: str,
    data: str,
    arguments: dict[str, str],
    rounds: int | None,
    batch_size: int | None,
    device: str,
    precision: str,
    options: dict[str, Any],
) -> None:
    """Prints what a run would be: arguments, parameters, memory and time, measured on a short game."""
    import resource
    import tempfile

    from simulacra import workflow
    from simulacra.training.game import Clock, batch_size_at
    from simulacra.training.loop import train as loop

    def turns(experiment: Experiment, length: int) -> int:
        """Turns of all players in a game of so many rounds."""
        clocks = [Clock(k, length) for k in range(length)]
        return sum(
            player.repeats(clock) if callable(player.repeats) else player.repeats
            for player in experiment.players
            for clock in clocks
            if player.when(clock)
        )

    def play_short(place: Path, length: int) -> tuple[workflow.Training, float]:
        """A game of at most so many rounds, from its first stage to its last, and the seconds that it took."""
        training = workflow.begin(
            place,
            recipe,
            data,
            arguments,
            rounds=rounds,
            batch_size=batch_size,
            device=device,
            precision=precision,
            **options,
        )
        experiment, seed = training.experiment, training.config.seed
        experiment.clock = Clock(0, min(length, experiment.clock.rounds))
        start = time.perf_counter()
        for _ in loop(experiment, training.streams, seed=seed, engine=training.engine):
            pass
        return training, time.perf_counter() - start

    with tempfile.TemporaryDirectory() as place:
        play_short(Path(place) / "warm", 1)  # what is loaded and compiled once is not to count
        training, seconds = play_short(Path(place) / "short", REHEARSED)
    experiment, config = training.experiment, training.config
    seconds *= turns(experiment, config.rounds) / turns(experiment, experiment.clock.rounds)
    sizes = {batch_size_at(experiment.batch_size, Clock(k, config.rounds)) for k in range(config.rounds)}
    batch = " to ".join(str(size) for size in sorted({min(sizes), max(sizes)}))
    print(f"recipe: {config.recipe}")
    for name, value in config.arguments.items():
        print(f"  {name} = {value}")
    print(f"data: {config.spec.name}, {config.spec.rows:,} training events of {config.spec.x.shape}")
    for player in experiment.players:
        print(f"  player {player.name}: {sum(p.numel() for p in player.trains.parameters()):,} parameters")
    print(f"threads: {config.threads}, batch size: {batch}, rounds: {config.rounds:,}")
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB at most so far")
    print(f"estimated time: {seconds / 60:.1f} minutes at {1e3 * seconds / config.rounds:.1f} ms per round")
