"""Batches without end, in an order that (seed, epoch) decides, from a position that can be saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
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

    Events with weights w are dealt by them, `R w_i / sum w` times per epoch of R events, that number rounded up or
    down as (seed, epoch) decides, and carry none any more: whatever a loss does with a batch sees the weighted law.
    (Weights inside a loss, divided by their sum over a batch, pull small batches towards the law without weights.)
    Events of weight 0 are left out from the start.

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
        self.dataset, self.codec, self.seed, self.block = dataset, codec, seed, block
        self.engine = engine or Engine()
        self.epoch = self.at = 0
        self._order: dict[bool, tuple[int, Tensor]] = {}
        self._group: tuple[tuple[int, int, bool], Batch] | None = None
        self.rows, self._until = (rows, None) if dataset[rows[:1]].weight is None else _cumulated(dataset, rows)
        self._whole = dataset[self.rows].to(self.engine.device) if not block else None

    def _permuted(self, n: int, *words: int | str) -> Tensor:
        generator = torch.Generator().manual_seed(seed_of(self.seed, "order", self.epoch, *words))
        return torch.randperm(n, generator=generator)

    def _rows(self, dealt: bool) -> Tensor:
        """[R], which of this stream's rows make up this epoch, in their own order."""
        n = len(self.rows)
        if self._until is None or not dealt:
            return torch.arange(n)
        generator = torch.Generator().manual_seed(seed_of(self.seed, "deal", self.epoch))
        at = (torch.arange(n) + torch.rand(1, generator=generator, dtype=torch.float64)) / n
        return torch.searchsorted(self._until, at, right=True).clamp(max=n - 1)

    def _take(self, start: int, stop: int, dealt: bool) -> Batch:
        """Physical events `start` to `stop` of this epoch's order."""
        if self._whole is not None:
            return self._whole[self._ordered(dealt)[start:stop]]
        span, pieces = self.block * self.together, []
        while start < stop:
            group = start // span
            end = min(stop, (group + 1) * span)
            pieces.append(self._load(group, dealt)[start - group * span : end - group * span])
            start = end
        return join(pieces)

    def _ordered(self, dealt: bool) -> Tensor:
        """[R], where this epoch's events lie in memory, permuted; on disk, in the order of the file."""
        if dealt not in self._order or self._order[dealt][0] != self.epoch:
            order = self._rows(dealt)
            if self._whole is not None:
                order = order[self._permuted(len(order))].to(self.engine.device)
            self._order[dealt] = self.epoch, order
        return self._order[dealt][1]

    def _load(self, group: int, dealt: bool) -> Batch:
        if self._group is None or self._group[0] != (self.epoch, group, dealt):
            rows = self.rows[self._ordered(dealt)]
            blocks = -(-len(rows) // self.block)
            order = self._permuted(blocks)
            if len(rows) % self.block:
                # a last, short block stays last so that positions in rows mean the same in every epoch
                order = torch.cat([order[order != blocks - 1], torch.tensor([blocks - 1])])
            chosen = order[group * self.together : (group + 1) * self.together].tolist()
            parts = [self.dataset[rows[b * self.block : (b + 1) * self.block]] for b in chosen]
            events = join(parts)
            self._group = ((self.epoch, group, dealt), events[self._permuted(len(events), "group", group)])
        return self._group[1]

    def next(self, n: int, *, dealt: bool = True) -> Batch:
        """The next n events over all processes; this process's share of them, encoded.

        Args:
            n: how many.
            dealt: by their weights; else each once per epoch, with its weight.

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
            pieces.append(self._take(self.at, stop, dealt))
            need -= stop - self.at
            self.at = stop
            if stop == len(self.rows):
                self.epoch, self.at = self.epoch + 1, 0
        batch = join(pieces) if len(pieces) > 1 else pieces[0]
        if self.engine.world > 1:
            batch = batch[self.engine.rank :: self.engine.world]
        if dealt:
            batch = replace(batch, weight=None)
        return self.codec.encode(batch.to(self.engine.device))

    def peek(self, n: int, *, dealt: bool = True) -> Batch:
        """What `next` would give, without moving."""
        here = self.state_dict()
        batch = self.next(n, dealt=dealt)
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


def _cumulated(dataset: Dataset, rows: Tensor, size: int = 1024) -> tuple[Tensor, Tensor]:
    """The rows [R] whose weight is not 0, and the share of all weight that lies in them up to each, [R], doubles.

    Raises:
        UserError: no weight is above 0.
    """
    each = (dataset[piece].weight for piece in rows.split(size))
    weights = torch.cat([weight.double().cpu() for weight in each if weight is not None])
    if not bool((weights > 0).any()):
        raise UserError("expected a weight above 0 among the training events, all are 0; use other weights")
    heavy = weights > 0
    return rows[heavy], weights[heavy].cumsum(0) / weights.sum()


class Weighed:
    """A stream at the same place whose events carry their weights, each once per epoch: for solvers, who count."""

    def __init__(self, stream: DataStream) -> None:
        self.stream = stream
        self.state_dict, self.load_state_dict = stream.state_dict, stream.load_state_dict

    def next(self, n: int) -> Batch:
        return self.stream.next(n, dealt=False)

    def peek(self, n: int) -> Batch:
        return self.stream.peek(n, dealt=False)


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
