"""Kernel density estimation: a small Gaussian on every training event."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from simulacra.batch import Batch, DataSpec, Given, Noise
from simulacra.classical.bins import Bins
from simulacra.classical.keeping import gather, keep
from simulacra.errors import UserError
from simulacra.training.game import Loss

BANDWIDTHS = torch.logspace(-3, 0.5, 36).tolist()
"""Among which cross-validation chooses, in encoded units, ten for each power of ten."""
HELD = 1000
"""Events that cross-validation asks for."""
_CHUNK = 1 << 24


class KDE(nn.Module):
    """`p(x | y) = sum_i w_i N(x; x_i, h^2) / sum_i w_i` over the events i of class y: kernel density estimation.

    The bandwidth h, one for all numbers (which are standardised), is the one of the largest leave-one-out likelihood:
    every event under the kernels of all others of its class. As many numbers as pictures have make it a blurred
    memory: samples are training events with noise.

    Args:
        spec: encoded.
        events: how many are kept, at most.
        bandwidth: h in encoded units; 0 for cross-validation.
        bins: of a real condition; each is a class.

    Raises:
        UserError: the bandwidth is negative.

    Source: Rosenblatt (1956); Parzen (1962); cross-validation: Habbema et al. (1974), Duin (1976).

    Example:
        >>> from simulacra.batch import Field
        >>> model = KDE(DataSpec("line", "vector", Field((1,))), 2, bandwidth=1.0)
        >>> _ = model.solve(model.collect(Batch(torch.tensor([[-1.0], [1.0]]))))
        >>> round(model.log_prob(Batch(torch.zeros(1, 1))).item(), 4)  # -1/2 - log(2 pi) / 2
        -1.4189
    """

    x: Tensor
    kind: Tensor
    weight: Tensor
    bandwidth: Tensor

    def __init__(self, spec: DataSpec, events: int, bandwidth: float = 0.0, bins: int = 10) -> None:
        super().__init__()
        if bandwidth < 0:
            raise UserError(f"expected a bandwidth above 0, came {bandwidth}; 0 is for cross-validation")
        self.shape, self.bins, self.fixed = spec.x.shape, Bins(spec.given, bins), bandwidth
        self.register_buffer("x", torch.zeros(events, spec.x.size))
        self.register_buffer("kind", torch.zeros(events, dtype=torch.long))
        self.register_buffer("weight", torch.zeros(events))
        self.register_buffer("bandwidth", torch.tensor(bandwidth or 1.0))

    def begin(self, batch: Batch) -> None:
        """Fits the bins."""
        self.bins.fit(batch.given)

    def collect(self, batch: Batch) -> dict[str, Tensor]:
        """The events themselves: one batch must hold them all."""
        batch = batch[: len(self.x)]
        return gather(self, batch, {"x": batch.x.flatten(1), "kind": self.bins(len(batch), batch.given)})

    def solve(self, sums: Mapping[str, Tensor]) -> Loss:
        """Keeps them and chooses the bandwidth.

        Raises:
            UserError: they came from several processes.
        """
        keep(self, sums)
        scores = None
        if not self.fixed:
            scores = self.cross_validation()
            self.bandwidth.fill_(BANDWIDTHS[int(scores.argmax())])
        best = {} if scores is None else {"nll": -scores.max()}
        return Loss(best, {"bandwidth": self.bandwidth.clone(), "events": (self.weight > 0).sum()})

    def cross_validation(self, bandwidths: list[float] = BANDWIDTHS) -> Tensor:
        """The weighted mean leave-one-out `log p(x_i | y_i)` of up to 1,000 events for each bandwidth, [bandwidths].

        Events that are alone in their class have no say.
        """
        held = (self.weight > 0).nonzero()[:HELD, 0]
        total, count = torch.zeros(len(bandwidths), device=self.x.device), 0.0
        for y in self.kind[held].unique().tolist():
            ours = held[self.kind[held] == y]
            others = ((self.kind == y) & (self.weight > 0)).nonzero()[:, 0]
            if len(others) < 2:
                continue
            for rows in ours.split(max(1, _CHUNK // len(others))):
                far = self._squares(self.x[rows], self.x[others])
                far[rows[:, None] == others] = torch.inf
                share = self.weight[others].log() - (self.weight[others].sum() - self.weight[rows])[:, None].log()
                for k, h in enumerate(bandwidths):
                    total[k] += self.weight[rows] @ self._log_kernels(far, h, share)
            count += float(self.weight[ours].sum())
        return total / (count or 1.0)

    @staticmethod
    def _squares(x: Tensor, y: Tensor) -> Tensor:
        return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square()

    def _log_kernels(self, squares: Tensor, h: float | Tensor, share: Tensor) -> Tensor:
        scale = self.x.shape[1] * (math.log(float(h)) + 0.5 * math.log(2 * math.pi))
        return (share - squares / (2 * h**2)).logsumexp(1) - scale

    def _log_prob(self, x: Tensor, y: int) -> Tensor:
        """`log p(x | y)`, [B]; of a class without events, as of a point infinitely far away."""
        ours = ((self.kind == y) & (self.weight > 0)).nonzero()[:, 0]
        if not len(ours):
            return x.new_full((len(x),), torch.finfo(x.dtype).min)
        share = self.weight[ours].log() - self.weight[ours].sum().log()
        pieces = x.split(max(1, _CHUNK // len(ours)))
        return torch.cat([self._log_kernels(self._squares(p, self.x[ours]), self.bandwidth, share) for p in pieces])

    def log_prob(self, batch: Batch) -> Tensor:
        """`log p(x | given)` in nats, [B]."""
        x, kind = batch.x.flatten(1), self.bins(len(batch), batch.given)
        out = torch.zeros_like(x[:, 0])
        for y in kind.unique().tolist():
            rows = (kind == y).nonzero()[:, 0]
            out = out.index_copy(0, rows, self._log_prob(x[rows], y))
        return out

    def log_joint(self, batch: Batch) -> Tensor:
        """`log p(x, y)` for every class y, [B, classes]. `given` is not looked at."""
        x = batch.x.flatten(1)
        prior = torch.zeros(self.bins.size, device=x.device).index_add_(0, self.kind, self.weight) / self.weight.sum()
        each = [self._log_prob(x, y) for y in range(self.bins.size)]
        return torch.stack(each, 1) + prior.clamp(min=1e-30).log()

    def noise(self, n: int) -> Noise:
        """`z` [n, D] standard normal, and `event` [n] uniform, which chooses the training event."""
        return {
            "z": torch.randn(n, self.x.shape[1], device=self.x.device),
            "event": torch.rand(n, device=self.x.device),
        }

    def push(self, noise: Noise, given: Given = {}) -> Batch:
        """A training event of the class plus `h z`; in a class without events, of any class."""
        n, kind = len(noise["z"]), None
        kind, chosen = self.bins(n, given), torch.zeros(n, dtype=torch.long, device=self.x.device)
        for y in kind.unique().tolist():
            rows = (kind == y).nonzero()[:, 0]
            ours = ((self.kind == y) & (self.weight > 0)).nonzero()[:, 0]
            ours = ours if len(ours) else (self.weight > 0).nonzero()[:, 0]
            edges = self.weight[ours].double().cumsum(0)
            at = torch.searchsorted(edges, noise["event"][rows] * edges[-1], right=True)
            chosen[rows] = ours[at.clamp(max=len(ours) - 1)]
        return Batch((self.x[chosen] + self.bandwidth * noise["z"]).view(n, *self.shape), given)

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """n events; `given` is encoded and has n rows."""
        return self.push(self.noise(n), given)
