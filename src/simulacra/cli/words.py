"""Words that are safe to print."""

from __future__ import annotations

import os
from pathlib import Path


def plain(text: str | Path) -> str:
    """`text` on one line, with what no terminal should see written out.

    >>> plain("a name\\nwith \\x1b[31m colour")
    'a name with \\\\x1b[31m colour'
    """
    line = " ".join(str(text).split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def debugging() -> bool:
    """Whether SIMULACRA_DEBUG asks for tracebacks instead of one line."""
    return bool(os.environ.get("SIMULACRA_DEBUG"))
