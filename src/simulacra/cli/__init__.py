"""The command line, one module per verb. What is heavy is imported inside the verbs."""

from __future__ import annotations

import io
import sys

import typer

from simulacra.cli import (
    challenge,
    claims,
    classify,
    compare,
    data,
    demo,
    evaluate,
    explain,
    figure,
    invert,
    listing,
    look,
    sample,
    train,
)
from simulacra.cli.words import debugging, plain
from simulacra.errors import SimulacraError, nearest

app = typer.Typer(
    name="simulacra",
    help="Trains generative models of data and of simulators, proves how faithful they are, and puts them to work.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
VERBS = {
    "demo": demo.demo,
    "list": listing.list_recipes,
    "explain": explain.explain,
    "data": data.data,
    "train": train.train,
    "sample": sample.sample,
    "evaluate": evaluate.evaluate,
    "compare": compare.compare,
    "challenge": challenge.challenge,
    "look": look.look,
    "invert": invert.invert,
    "classify": classify.classify,
    "figure": figure.figure,
    "claims": claims.claims,
}
for _name, _verb in VERBS.items():
    _loose = (
        {"allow_extra_args": True, "ignore_unknown_options": True} if _name in ("train", "sample", "evaluate") else {}
    )
    app.command(_name, context_settings=_loose)(_verb)


def run(arguments: list[str]) -> int:
    """Runs one command line and gives its exit code; every failure is one line on the error stream."""
    verb = next((word for word in arguments if not word.startswith("-")), None)
    if verb is not None and verb not in VERBS:
        return _complain(f"expected a verb, came {verb!r}; {nearest(verb, VERBS)}", 2)
    try:
        code = app(arguments, prog_name="simulacra", standalone_mode=False)
        return int(code or 0)
    except SimulacraError as error:
        if debugging():
            raise
        return _complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 141
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort:
        return 130
    except Exception as error:
        words = getattr(error, "format_message", None)
        if words is not None:
            return _complain(f"{str(words()).rstrip('.')}; see simulacra {verb or ''} --help", 2)
        what = _of_the_machine(error)
        if what is None or debugging():
            raise
        return _complain(what, 2)


def _of_the_machine(error: Exception) -> str | None:
    """One line for what the disk or the memory refused; None for everything else."""
    if isinstance(error, OSError) and error.strerror:
        return f"expected a place to read and write, {error.filename or 'it'} gives {error.strerror}; choose another"
    text = str(error).lower()
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "memory" in text and "allocat" in text):
        return "expected to fit the memory, it is too small for this; ask for fewer events or a smaller batch"
    return None


def _complain(message: str, code: int) -> int:
    print("simulacra: " + plain(message), file=sys.stderr)
    return code


def main() -> None:
    """The entry point of the `simulacra` command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be UTF-8
    sys.exit(run(sys.argv[1:]))
