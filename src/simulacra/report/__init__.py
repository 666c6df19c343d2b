"""One self-contained page per evaluation."""

from simulacra.report.page import write_report

__all__ = ["write_report"]
