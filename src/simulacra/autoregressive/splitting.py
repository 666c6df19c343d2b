"""Energy shared out box by box, coarse to fine, by one small network: zeros and sums are exact, the density explicit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import Batch, Given
from simulacra.networks.split import SplitNetwork
from simulacra.training.game import Loss

FLOOR = 1e-3
"""Energies are told to the network no smaller than this, MeV."""


class Pairs(NamedTuple):
    """Which split of which event: both [N]."""

    split: Tensor
    event: Tensor


class SplittingTree(nn.Module):
    def __init__(self, tree: Any, network: SplitNetwork, energies: Callable[[Tensor, Given], Tensor], codes: int,
                 emphasis: float = 0.0, pairs: int = 4096, summaries: bool = True) -> None:
        super().__init__()
        self.tree, self.network, self.energies = tree, network, energies
        self.codes, self.pairs, self.summaries = codes, pairs, summaries
        weight = torch.ones(tree.splits)
        step_of = torch.zeros(tree.splits, dtype=torch.long)
        for k, step in enumerate(tree.steps):
            weight[step.splits] = len(step.splits) ** -emphasis
            step_of[step.splits] = k
        self.register_buffer("weight", weight, persistent=False)
        self.step_of = step_of

    # features
    def _context(self, codes: Tensor, given: Given) -> Tensor:
        return torch.cat([given["energy"], codes.clamp(-5, 5)], 1)

    def _summary(self, k: int, boxes: Tensor, total: Tensor) -> Tensor:
        """Moments of layer as cut before step k: [B, 6]."""
        step = self.tree.steps[k]
        return self._moments(boxes[step.frontier], step.frontier, total[step.layer])

    def _moments(self, e, ids, total):
        w = e / total.clamp_min(FLOOR)
        m = self.tree.moments[ids].T @ w  # 4,B
        sx = (m[2] - m[0] ** 2).clamp_min(1.0).log() / 2 - 3
        sy = (m[3] - m[1] ** 2).clamp_min(1.0).log() / 2 - 3
        count = ((e > 0).sum(0) + 1.0).log() / 2
        top = (w.amax(0) + 1e-3).log()
        out = torch.stack([torch.asinh(m[0] / 10) / 2, torch.asinh(m[1] / 10) / 2, sx, sy, count, top], 1)
        return torch.where(total[:, None] > 0, out, torch.zeros(()))

    def _all_summaries(self, boxes, total):
        """[steps, B, 6*3]"""
        tree = self.tree
        zero = torch.zeros(boxes.shape[1], 6)
        final = []
        start = 0
        out = []
        for l in range(tree.layers):
            n = self.layer_cells[l]
            final.append(self._moments(boxes[start:start + n], torch.arange(start, start + n), total[l]))
            start += n
        for k, step in enumerate(tree.steps):
            l = step.layer
            out.append(torch.cat([self._summary(k, boxes, total), final[l - 1] if l > 0 else zero, final[l - 2] if l > 1 else zero], 1))
        return torch.stack(out)

    @property
    def layer_cells(self):
        t = self.tree
        if not hasattr(self, "_lc"):
            lab = torch.zeros(t.cells, dtype=torch.long)
            for s in range(t.splits):
                for c in (int(t.near[s]), int(t.far[s])):
                    if c < t.cells: lab[c] = t.layer[s]
            self._lc = torch.bincount(lab).tolist()
        return self._lc

    def _dynamic(self, pairs: Pairs, logs: Tensor, before: Tensor) -> Tensor:
        """[N, 9]"""
        tree, n = self.tree, logs.shape[1]
        s, b = pairs
        flat, flat0 = logs.view(-1), before.view(-1)
        col = [flat[(tree.cells + s) * n + b], flat[tree.roots[tree.layer[s]] * n + b]]
        nb = tree.neighbours[s]
        col += [flat[nb[:, k] * n + b] for k in range(4)]
        col += [flat0[(tree.cells + s) * n + b], flat0[tree.near[s] * n + b], flat0[tree.far[s] * n + b]]
        return torch.stack(col, 1)

    def loss(self, batch: Batch) -> Loss:
        tree = self.tree
        with torch.no_grad():
            codes, shares = batch.x[:, : self.codes], batch.x[:, self.codes :]
            total = self.energies(codes, batch.given).T  # L,B
            cells = shares.T.contiguous()
            lab = torch.repeat_interleave(torch.arange(tree.layers), torch.tensor(self.layer_cells))
            cells = cells * total[lab]
            boxes = tree.sums(cells)
            before = tree.sums(tree.seen(cells))
            logs, before = _logs(boxes), _logs(before)
            active = (boxes[tree.cells : -1] > 0) * self.weight[:, None]
            cum = active.view(-1).cumsum(0, dtype=torch.float64)
            pick = torch.searchsorted(cum, torch.rand(self.pairs, dtype=torch.float64) * cum[-1])
            n = boxes.shape[1]
            pairs = Pairs(pick // n, pick % n)
            ctx = self._context(codes, batch.given)[pairs.event]
            if self.summaries:
                ctx = torch.cat([ctx, self._all_summaries(boxes, total)[self.step_of[pairs.split], pairs.event]], 1)
            dyn = self._dynamic(pairs, logs, before)
            near = boxes.view(-1)[tree.near[pairs.split] * n + pairs.event]
            far = boxes.view(-1)[tree.far[pairs.split] * n + pairs.event]
        out = self.network(pairs.split, ctx, dyn)
        return Loss({"nll": -self.network.log_prob(out, near, far).mean()})

    @torch.no_grad()
    def sample_cells(self, codes: Tensor, given: Given) -> Tensor:
        tree, n = self.tree, len(codes)
        total = self.energies(codes, given).T.contiguous()
        boxes = torch.zeros(tree.boxes + 1, n)
        boxes[tree.roots] = total
        logs = torch.full_like(boxes, math.log(FLOOR) / 3)
        logs[tree.roots] = _logs(total)
        before = logs.new_full(logs.shape, math.log(FLOOR) / 3)
        cache = self.network.cache()
        base = self.network.context(self._context(codes, given), 0)
        layer, final, zero = 0, [], torch.zeros(n, 6)
        start = 0
        flatE, flatL = boxes.view(-1), logs.view(-1)
        seenbase = None
        for k, step in enumerate(tree.steps):
            if step.layer != layer:
                s0 = start; start += self.layer_cells[layer]
                final.append(self._moments(boxes[s0:start], torch.arange(s0, start), total[layer]))
                layer = step.layer
                before = _logs(tree.sums(tree.seen(boxes[: tree.cells])))
            E = boxes[step.splits + tree.cells]
            si, b = (E > 0).nonzero(as_tuple=True)
            if len(b) == 0: continue
            pairs = Pairs(step.splits[si], b)
            dyn = self._dynamic(pairs, logs, before)
            c = base
            if self.summaries:
                l = layer
                summ = torch.cat([self._summary(k, boxes, total), final[l - 1] if l > 0 else zero, final[l - 2] if l > 1 else zero], 1)
                c = base + self.network.context(summ, 1)
            out = self.network.fast(cache, pairs.split, c, b, dyn)
            near, far = self.network.draw(out, E[si, b])
            for child, value in ((tree.near, near), (tree.far, far)):
                at = child[pairs.split] * n + b
                flatE[at] = value
                flatL[at] = value.clamp_min(FLOOR).log_().div_(3)
        return boxes[: tree.cells].T / total.T[:, torch.repeat_interleave(torch.arange(tree.layers), torch.tensor(self.layer_cells))].clamp_min(1e-30)


def _logs(e: Tensor) -> Tensor:
    return e.clamp_min(FLOOR).log_().div_(3)
