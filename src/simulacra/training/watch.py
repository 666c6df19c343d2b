"""What the loop itself watches: numbers that are not finite."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from simulacra.errors import SimulacraError


class NonFinite(SimulacraError):
    """A loss or a gradient became infinite or not a number; nothing of it was saved."""


class Watch:
    """One flag per turn: read at once on a CPU, one turn later on an accelerator, and before anything is saved."""

    def __init__(self) -> None:
        self.pending: tuple[str, int, list[str], Tensor] | None = None

    def see(self, player: str, round_: int, parts: Mapping[str, Tensor], gradient: Tensor) -> None:
        """Notes the parts of a loss and the norm of its gradient; raises NonFinite for what was noted before."""
        names = [*parts, "gradient"]
        flags = torch.stack([torch.isfinite(value.detach()) for value in (*parts.values(), gradient)])
        self.check()
        self.pending = (player, round_, names, flags)
        if flags.device.type == "cpu":
            self.check()

    def check(self) -> None:
        """Raises NonFinite if the last noted turn was not finite."""
        if self.pending is None:
            return
        player, round_, names, flags = self.pending
        self.pending = None
        if not bool(flags.all()):
            bad = ", ".join(name for name, fine in zip(names, flags.tolist(), strict=True) if not fine)
            raise NonFinite(
                f"player {player!r} met a non-finite value in round {round_}: {bad}; nothing of it was saved. "
                "Lower the learning rate, or look at the data of this round"
            )
