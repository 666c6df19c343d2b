"""Batches without end, in an order that (seed, epoch) decides, from a position that can be saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from simulacra.batch import Batch, join
from simulacra.errors import UserError
from simulacra.protocols import Codec, Dataset
from simulacra.random import seed_of
from simulacra.training.engine import Engine
from simulacra.training.game import Experiment, Stream


class DataStream:
    """Encoded batches of a dataset's rows, each row once per epoch.

    Data in memory are permuted whole. Data on disk (`block` rows at a time) are read in a random order of blocks,
    four together, permuted inside. The position is (epoch, row), so that it holds for any batch size. Ranks take
    rows `rank::world` of the global batch.

    Args:
        dataset: physical events.
        rows: [R], which of them belong to this stream.
        codec: encodes each batch.
        seed: of the order.
        block: rows read at once from disk; 0 where the data live in memory.
    """

    together = 4

    def __init__(
        self,
        dataset: Dataset,
        rows: Tensor,
        codec: Codec,
        *,
        seed: int = 0,
        engine: Engine | None = None,
        block: int = 0,
    ) -> None:
        if len(rows) == 0:
            raise UserError("expected at least one row to train on, came none; use more data or another split")
        self.dataset, self.rows, self.codec, self.seed, self.block = dataset, rows, codec, seed, block
        self.engine = engine or Engine()
        self.epoch = self.at = 0
        self._order: tuple[int, Tensor] | None = None
        self._group: tuple[tuple[int, int], Batch] | None = None
        self._whole = dataset[rows].to(self.engine.device) if not block else None

    def _permuted(self, n: int, *words: int | str) -> Tensor:
        generator = torch.Generator().manual_seed(seed_of(self.seed, "order", self.epoch, *words))
        return torch.randperm(n, generator=generator)

    def _take(self, start: int, stop: int) -> Batch:
        """Physical events `start` to `stop` of this epoch's order."""
        if self._whole is not None:
            if self._order is None or self._order[0] != self.epoch:
                self._order = (self.epoch, self._permuted(len(self.rows)).to(self.engine.device))
            return self._whole[self._order[1][start:stop]]
        span, pieces = self.block * self.together, []
        while start < stop:
            group = start // span
            end = min(stop, (group + 1) * span)
            pieces.append(self._load(group)[start - group * span : end - group * span])
            start = end
        return join(pieces)

    def _load(self, group: int) -> Batch:
        if self._group is None or self._group[0] != (self.epoch, group):
            blocks = -(-len(self.rows) // self.block)
            order = self._permuted(blocks)
            if len(self.rows) % self.block:
                # a last, short block stays last so that positions in rows mean the same in every epoch
                order = torch.cat([order[order != blocks - 1], torch.tensor([blocks - 1])])
            chosen = order[group * self.together : (group + 1) * self.together].tolist()
            parts = [self.dataset[self.rows[b * self.block : (b + 1) * self.block]] for b in chosen]
            events = join(parts)
            self._group = ((self.epoch, group), events[self._permuted(len(events), "group", group)])
        return self._group[1]

    def next(self, n: int) -> Batch:
        """The next n events over all processes; this process's share of them, encoded.

        Raises:
            UserError: n is smaller than the number of processes.
        """
        if n < self.engine.world:
            raise UserError(
                f"expected a batch of at least one event for each of {self.engine.world} processes, came {n}; "
                "use a larger --batch-size"
            )
        pieces, need = [], n
        while need:
            stop = min(len(self.rows), self.at + need)
            pieces.append(self._take(self.at, stop))
            need -= stop - self.at
            self.at = stop
            if stop == len(self.rows):
                self.epoch, self.at = self.epoch + 1, 0
        batch = join(pieces) if len(pieces) > 1 else pieces[0]
        if self.engine.world > 1:
            batch = batch[self.engine.rank :: self.engine.world]
        return self.codec.encode(batch.to(self.engine.device))

    def peek(self, n: int) -> Batch:
        """What `next` would give, without moving."""
        here = self.state_dict()
        batch = self.next(n)
        self.load_state_dict(here)
        return batch

    def physical(self, size: int = 1024) -> Iterator[Batch]:
        """Every event once, in the order of the rows, as the codec's fit wants it."""
        for start in range(0, len(self.rows), size):
            if self._whole is not None:
                yield self._whole[start : start + size]
            else:
                yield self.dataset[self.rows[start : start + size]]

    def few(self, name: str, each: int) -> DataStream:
        """A stream of `each` rows of every class of `given[name]`, chosen by the seed and held in memory.

        Raises:
            UserError: a class has fewer rows.
        """
        labels = torch.cat([batch.given[name].cpu() for batch in self.physical()])
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed_of(self.seed, "few", name)))
        rows = [order[labels[order] == kind][:each] for kind in labels.unique()]
        least = min(map(len, rows))
        if least < each:
            raise UserError(
                f"expected {each} rows of every {name}, the rarest has {least}; ask for fewer or use more data"
            )
        chosen = self.rows[torch.cat(rows).sort().values]
        return DataStream(self.dataset, chosen, self.codec, seed=self.seed, engine=self.engine)

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "at": self.at, "rows": len(self.rows)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if state["rows"] != len(self.rows):
            raise UserError(
                f"expected the {state['rows']} training events of the checkpoint, came {len(self.rows)}; "
                "resume with the same data"
            )
        self.epoch, self.at = state["epoch"], state["at"]


def streams_of(experiment: Experiment, data: DataStream) -> dict[str, DataStream]:
    """All streams of a game: `data`, and those that its recipe makes of it."""
    return {"data": data, **{name: make(data) for name, make in experiment.streams.items()}}


class Beside:
    """x from one stream and `given["source"]` from another, for games that need two batches in one turn."""

    def __init__(self, x: Stream, source: Stream) -> None:
        self.x, self.source = x, source

    def next(self, n: int) -> Batch:
        batch, other = self.x.next(n), self.source.next(n)
        return Batch(batch.x, {**batch.given, "source": other.x}, batch.mask, batch.weight)

    def peek(self, n: int) -> Batch:
        here = self.state_dict()
        batch = self.next(n)
        self.load_state_dict(here)
        return batch

    def state_dict(self) -> dict[str, Any]:
        return {"x": self.x.state_dict(), "source": self.source.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.x.load_state_dict(state["x"])
        self.source.load_state_dict(state["source"])
