"""Generative models of data and of simulators: trained, judged, put to work.

The first hour: `simulacra.fit`, `simulacra.Surrogate`, `simulacra.open_data`, `simulacra.Batch`, `simulacra.train`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulacra.batch import Batch, DataSpec, Field
    from simulacra.domains import open_data
    from simulacra.surrogate import Surrogate
    from simulacra.training.game import Experiment, Loss, Player
    from simulacra.training.loop import train
    from simulacra.workflow import fit

__version__ = "0.1.0"

_WHERE = {
    "Batch": "batch",
    "DataSpec": "batch",
    "Experiment": "training.game",
    "Field": "batch",
    "Loss": "training.game",
    "Player": "training.game",
    "Surrogate": "surrogate",
    "fit": "workflow",
    "open_data": "domains",
    "train": "training.loop",
}

__all__ = [
    "Batch",
    "DataSpec",
    "Experiment",
    "Field",
    "Loss",
    "Player",
    "Surrogate",
    "fit",
    "open_data",
    "train",
]


def __getattr__(name: str) -> Any:
    """Imports what is asked for when it is asked for, so that `simulacra --help` need not wait for torch."""
    if name not in _WHERE:
        raise AttributeError(f"module 'simulacra' has no attribute {name!r}")
    return getattr(importlib.import_module(f"simulacra.{_WHERE[name]}"), name)
