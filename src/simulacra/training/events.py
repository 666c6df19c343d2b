"""What TensorBoard shows of a run: a view of the losses that may differ between equal runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simulacra.training.loop import Step

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class EventLog:
    """Scalars under `events/`, about 500 points over the run; `tensorboard --logdir RUN` draws them."""

    points = 500

    def __init__(self, folder: Path, start: int, *, active: bool = True) -> None:
        self.writer: SummaryWriter | None = None
        if active:
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(folder / "events"), purge_step=start + 1 if start else None)

    def add(self, step: Step) -> None:
        every = max(1, step.clock.rounds // self.points)
        if self.writer is not None and step.clock.round % every == 0:
            for name, value in step.losses.items():
                self.writer.add_scalar(name, float(value), step.clock.round)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
