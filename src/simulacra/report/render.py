"""Templates of pages, filled in."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, *, package: str = "simulacra.report", **values: Any) -> str:
    """The page that a template of a package makes of `values`; text is escaped, and a name that is missing an error.

    >>> "<h1>a &amp; b</h1>" in render("comparison.html", title="a & b", version="1", rows=2, seed=0, machine="",
    ...     lines=[], axis="", ideal="", front="", tables=[])
    True
    """
    environment = Environment(
        loader=PackageLoader(package, "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template(template).render(**values)
