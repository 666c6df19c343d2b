"""Judging generated events: every number with its error, and with what real events give in its place."""

from simulacra.evaluation.judge import Evaluation, evaluate
from simulacra.evaluation.measurement import Measurement
from simulacra.evaluation.verdict import verdict

__all__ = ["Evaluation", "Measurement", "evaluate", "verdict"]
