"""Messages that a person can act on, each with the exit code that the command line returns."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SimulacraError(Exception):
    """Something failed through no fault of the user's words: exit code 1."""

    exit_code = 1


class UserError(SimulacraError, ValueError):
    """The user's input does not fit: exit code 2.

    The message is one line that says what was expected, what came, and what to do.
    """

    exit_code = 2


def nearest(word: str, words: Iterable[str]) -> str:
    """A hint naming the known word nearest to `word`, or the known words where none is near.

    >>> nearest("wgan_pg", ["wgan_gp", "dcgan"])
    "did you mean 'wgan_gp'?"
    >>> nearest("banana", ["wgan_gp", "dcgan"])
    'known: dcgan, wgan_gp'
    """
    known = sorted(set(words))
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else "known: " + ", ".join(known)
