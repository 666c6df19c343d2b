"""Energy shared out box by box by one small network: zeros and sums are exact, the density explicit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from simulacra.batch import Batch, Given
from simulacra.errors import UserError
from simulacra.networks.conditioning import Conditions
from simulacra.networks.split import SplitNetwork
from simulacra.training.game import Loss

FLOOR = 1e-3
"""The network is told of energies no smaller than this, MeV."""
CHUNK = 1 << 17
"""Splits whose density is computed at once."""
BLOCK = 1 << 13
"""Splits that are sampled at once: so few that the network's numbers stay in the processor's cache."""


class Step(Protocol):
    """Splits `first` to `last` of one layer, made at the same time."""

    @property
    def layer(self) -> int: ...

    @property
    def first(self) -> int: ...

    @property
    def last(self) -> int: ...


class Tree(Protocol):
    """Binary trees over the cells of every layer, as in `domains.calorimeter.tree.BoxTree`."""

    @property
    def cells(self) -> int: ...

    @property
    def layer(self) -> Tensor: ...

    @property
    def near(self) -> Tensor: ...

    @property
    def far(self) -> Tensor: ...

    @property
    def roots(self) -> Tensor: ...

    @property
    def neighbours(self) -> Tensor: ...

    @property
    def static(self) -> Tensor: ...

    @property
    def previous(self) -> tuple[Tensor, Tensor, Tensor]: ...

    @property
    def levels(self) -> Sequence[tuple[int, int]]: ...

    @property
    def steps(self) -> Sequence[Step]: ...


class Boxes(NamedTuple):
    """Events, one per column: energies of all boxes, their logarithms, and those of the layer before in the same area.

    Each is [K + 1, B], the last row for the box that is always empty.
    """

    energy: Tensor
    log: Tensor
    before: Tensor


class SplittingTree(nn.Module):
    """Shares of every cell in the energy of its layer, by splitting each layer in two again and again.

    A box of energy e gives u e to its near half and (1 - u) e to its far half. One network says for every split of
    every layer how likely both halves, only the near, or only the far one get something, and the density of logit(u).
    It sees where the split is, what the event is told, and the energies of the box, its layer, its neighbours at the
    same level and of the layer before in the same area. So an empty box stays empty, and children sum to their parent.

    The density is over the shares of the positive cells but one in each layer, times the probability of which they are:

        log p = sum over splits of non-empty boxes of  ln P(kind) + [both] (ln f(logit u) - ln u(1 - u) - ln s),

    with s the share of the box in its layer. It does not depend on which positive cell is left out.

    Args:
        tree: boxes, children and neighbours.
        energies: a module that reads the layer energies [B, L] in MeV off `given`.
        told: joins what is given into one row; clipped at +-5.
        hidden: width of the network.
        depth: its residual blocks.
        mixture: logistics for one share.
        pairs: splits, drawn from a batch at random among those of non-empty boxes, that one training step looks at.

    Raises:
        UserError: no layer has two cells.

    Example:
        >>> from simulacra.batch import Field
        >>> from simulacra.domains.calorimeter.geometry import LAR3
        >>> from simulacra.domains.calorimeter.tree import BoxTree
        >>> class Thirds(nn.Module):
        ...     def forward(self, given):
        ...         return given["energy"].expand(-1, 3) / 3
        >>> model = SplittingTree(BoxTree.of(LAR3), Thirds(), Conditions({"energy": Field((1,))}))
        >>> batch = model.sample(5, {"energy": torch.full((5, 1), 90.0)})
        >>> torch.allclose(batch.x[:, :288].sum(1), torch.ones(5)), model.log_prob(batch).shape
        (True, torch.Size([5]))

    Source: after the k-d trees of Lalonde and others and the coarse-to-fine cascades of shower models, e.g. SuperCalo,
        Pang et al. (2023), arXiv:2308.11700; mixtures of logistics from Salimans et al. (2017), arXiv:1701.05517.
    """

    near: Tensor
    far: Tensor
    roots: Tensor
    seats: Tensor
    layer_of: Tensor
    target: Tensor
    source: Tensor
    share: Tensor

    def __init__(
        self,
        tree: Tree,
        energies: nn.Module,
        told: Conditions,
        *,
        hidden: int = 96,
        depth: int = 2,
        mixture: int = 4,
        pairs: int = 4096,
    ) -> None:
        super().__init__()
        if len(tree.layer) == 0:
            raise UserError("expected a layer of two or more cells to split, came none; model the layer energies alone")
        self.cells, self.pairs = tree.cells, pairs
        self.levels, self.steps = tree.levels, tree.steps
        self.energies, self.told = energies, told
        own = tree.cells + torch.arange(len(tree.layer))
        seats = torch.cat([own[:, None], tree.roots[tree.layer][:, None], tree.neighbours], 1)
        seats = torch.cat([seats, own[:, None], tree.near[:, None], tree.far[:, None]], 1)
        layer_of = torch.zeros(tree.cells + len(own), dtype=torch.long)
        layer_of[tree.roots] = torch.arange(len(tree.roots))
        layer_of[tree.near] = layer_of[tree.far] = tree.layer
        layer_of = layer_of[: tree.cells]
        target, source, share = tree.previous
        for name, value in (
            ("near", tree.near),
            ("far", tree.far),
            ("roots", tree.roots),
            ("seats", seats),
            ("layer_of", layer_of),
            ("target", target),
            ("source", source),
            ("share", share),
        ):
            self.register_buffer(name, value, persistent=False)
        self.network = SplitNetwork(tree.static, told.size, seats.shape[1], hidden, depth, mixture)

    @property
    def splits(self) -> int:
        return len(self.near)

    def loss(self, batch: Batch) -> Loss:
        """Minus the mean log density of splits, of random ones among the non-empty boxes of the batch."""
        boxes, n = self._boxes(batch), len(batch)
        weight = (boxes.energy[self.cells : -1] > 0).to(batch.x.dtype)
        if batch.weight is not None:
            weight = weight * batch.weight
        until = weight.view(-1).cumsum(0, dtype=torch.float64)
        at = torch.rand(self.pairs, dtype=torch.float64, device=until.device) * until[-1]
        picked = torch.searchsorted(until, at, right=True).clamp_max(len(until) - 1)
        split, event = picked // n, picked % n
        before = self.network.places()[split] + self.network.tell(self._told(batch.given))[event]
        out = self.network(before, self._local(boxes, split, event))
        near, far = self._halves(boxes, split, event)
        return Loss({"split": -self.network.log_prob(out, near, far).mean()})

    def log_prob(self, batch: Batch) -> Tensor:
        """log p(shares | given) in nats, [B]; -inf where a layer has energy but no shares, or the reverse."""
        boxes = self._boxes(batch)
        total = self._totals(batch.given)
        places, told = self.network.places(), self.network.tell(self._told(batch.given))
        active = (boxes.energy[self.cells : -1] > 0).nonzero()
        result = batch.x.new_zeros(len(batch))
        for split, event in (part.unbind(1) for part in active.split(CHUNK)):
            near, far = self._halves(boxes, split, event)
            out = self.network(places[split] + told[event], self._local(boxes, split, event))
            both = (near > 0) & (far > 0)
            whole = boxes.energy[self.cells + split, event]
            layer = boxes.energy[self.seats[split, 1], event]
            # ln f is per logit(u); du/dlogit(u) = u(1 - u), and a child's share is u s
            change = (torch.where(both, near * far / (whole * layer), 1.0)).log()
            result = result.index_add(0, event, self.network.log_prob(out, near, far) - change)
        shares = torch.zeros_like(total).index_add(0, self.layer_of, batch.x.T)
        odd = ((shares > 0) != (total > 0)).any(0)
        return torch.where(odd, -math.inf, result)

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """Splits every layer, level by level; x [n, V] shares."""
        total = self._totals(given)
        energy = total.new_zeros(len(self.seats) + self.cells + 1, n)
        energy[self.roots] = total
        log, empty = _log(energy), math.log(FLOOR) / 3
        boxes = Boxes(energy, log, torch.full_like(log, empty))
        places, told, layer = self.network.places(), self.network.tell(self._told(given)), 0
        flat, flat_log = energy.view(-1), log.view(-1)
        for step in self.steps:
            if step.layer != layer:
                layer = step.layer
                boxes = boxes._replace(before=_log(self._sums(self._seen(energy[: self.cells]))))
            active = (energy[self.cells + step.first : self.cells + step.last] > 0).nonzero()
            # one draw for every box, also for the empty, so that no event depends on the others beside it
            dice = torch.rand(3, step.last - step.first, n, dtype=energy.dtype, device=energy.device)
            for at, event in (part.unbind(1) for part in active.split(BLOCK)):
                split, u = at + step.first, dice[:, at, event]
                before = places.index_select(0, split).add_(told.index_select(0, event))
                out = self.network(before, self._local(boxes, split, event))
                whole = flat.take((self.cells + split) * n + event)
                for child, value in zip((self.near, self.far), self.network.draw(out, whole, u), strict=True):
                    place = child[split] * n + event
                    flat[place] = value
                    flat_log[place] = _log(value)
        shares = energy[: self.cells] / total.clamp_min(torch.finfo(total.dtype).tiny)[self.layer_of]
        return Batch(shares.T.contiguous(), given)

    def _told(self, given: Given) -> Tensor:
        return self.told(given).to(self.share.dtype).clamp(-5, 5)

    def _totals(self, given: Given) -> Tensor:
        """Layer energies, [L, B]."""
        return self.energies(given).T.contiguous()

    @torch.no_grad()
    def _boxes(self, batch: Batch) -> Boxes:
        cells = batch.x.T * self._totals(batch.given)[self.layer_of]
        energy = self._sums(cells)
        return Boxes(energy, _log(energy), _log(self._sums(self._seen(cells))))

    def _sums(self, cells: Tensor) -> Tensor:
        """Energies of all boxes: [V, B] -> [K + 1, B]."""
        out = cells.new_zeros(len(self.seats) + self.cells + 1, cells.shape[1])
        out[: self.cells] = cells
        for first, last in self.levels:
            out[self.cells + first : self.cells + last] = out[self.near[first:last]] + out[self.far[first:last]]
        return out

    def _seen(self, cells: Tensor) -> Tensor:
        """Energy of the layer before in the area of each cell, [V, B]."""
        return torch.zeros_like(cells).index_add_(0, self.target, cells[self.source] * self.share[:, None])

    def _local(self, boxes: Boxes, split: Tensor, event: Tensor) -> Tensor:
        """What a box sees: itself, its layer, four neighbours; before it the whole, near and far area: [N, 9]."""
        n = boxes.log.shape[1]
        seats = self.seats[split].T * n + event
        here = boxes.log.view(-1).take(seats[:6])
        return torch.cat([here, boxes.before.view(-1).take(seats[6:])]).T

    def _halves(self, boxes: Boxes, split: Tensor, event: Tensor) -> tuple[Tensor, Tensor]:
        return boxes.energy[self.near[split], event], boxes.energy[self.far[split], event]


def _log(energy: Tensor) -> Tensor:
    return energy.clamp_min(FLOOR).log_().div_(3)
