"""Mixtures, one for each class: the models of Gaussian mixtures, discriminant analysis, naive Bayes and k-means."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from sklearn.cluster import kmeans_plusplus
from torch import Tensor, nn
from torch.distributions import Categorical

from simulacra.batch import Batch, DataSpec, Given, Noise
from simulacra.classical.bins import Bins
from simulacra.classical.components import REAL, Bits, Gaussians
from simulacra.training.game import Loss

IMPOSSIBLE = 1e-300
SEEDS = 10_000
"""Events among which first centres are looked for."""


class Mixture(nn.Module):
    """`p(x | y) = sum_k w_yk p_yk(x)`: a mixture model of K components for every class y, by expectation maximisation.

    One round is one step of EM: `collect` shares every event out among the components of its class,
    `r_k = w_k p_k(x) / sum_j w_j p_j(x)`, and `solve` gives every component the moments of its share, which never
    lowers the likelihood. With one component for each class a single step is the maximum likelihood: quadratic
    discriminant analysis with a full covariance, linear discriminant analysis with a shared one, naive Bayes with
    independent numbers. With `hard` every event goes to one component alone, which for equal spheres is Lloyd's step
    of k-means. Classes are those of the data, times quantile bins of a real condition; without conditions there is one.

    Args:
        spec: encoded.
        components: K.
        covariance: of Gaussian components, see `Gaussians`; `bits` for independent bits.
        bins: of a real condition.
        hard: whether an event belongs to its most probable component alone.
        smoothing: of bits.

    Attributes:
        share: w [classes * K], sums to 1 in each class; prior: p(y) [classes].

    Source: Dempster, Laird and Rubin (1977); hard: Celeux and Govaert (1992).

    Example:
        >>> from simulacra.batch import Field
        >>> model = Mixture(DataSpec("line", "vector", Field((1,)), {"label": Field((), "class", 2)}), 1)
        >>> told = {"label": torch.tensor([0, 0, 1, 1])}
        >>> _ = model.solve(model.collect(Batch(torch.tensor([[0.0], [2.0], [10.0], [14.0]]), told)))
        >>> model.components.mean.flatten().tolist(), model.prior.tolist()
        ([1.0, 12.0], [0.5, 0.5])
    """

    share: Tensor
    prior: Tensor

    def __init__(
        self,
        spec: DataSpec,
        components: int = 1,
        covariance: str = "full",
        *,
        bins: int = 10,
        hard: bool = False,
        smoothing: float = 1.0,
    ) -> None:
        super().__init__()
        self.shape, self.bins, self.hard, self.each = spec.x.shape, Bins(spec.given, bins), hard, components
        count = components * self.bins.size
        self.components: Gaussians | Bits = (
            Bits(count, spec.x.size, smoothing) if covariance == "bits" else Gaussians(count, spec.x.size, covariance)
        )
        self.register_buffer("share", torch.full((count,), 1 / components, dtype=REAL))
        self.register_buffer("prior", torch.full((self.bins.size,), 1 / self.bins.size, dtype=REAL))

    def begin(self, batch: Batch) -> None:
        """Fits the bins, and puts the centres of each class far from each other (k-means++, by scikit-learn)."""
        self.bins.fit(batch.given)
        if self.each == 1:
            return
        x, kind = batch.x.flatten(1).to(REAL), self.bins(len(batch), batch.given)
        share = torch.zeros(len(x), len(self.share), dtype=REAL, device=x.device)
        for y in kind.unique().tolist():
            rows = (kind == y).nonzero()[:, 0]
            rows = rows[torch.randperm(len(rows), device=rows.device)[:SEEDS]]
            mine, seed = x[rows].cpu().numpy(), int(torch.randint(2**31, ()))
            centres, _ = kmeans_plusplus(mine, min(self.each, len(mine)), random_state=seed)
            near = torch.cdist(x[rows], torch.from_numpy(centres).to(x)).argmin(1)
            share[rows, y * self.each + near] = 1.0
        self.solve({**self.components.sums(x, share), "log_prob": x.new_zeros(())})

    def _ours(self, y: int) -> slice:
        return slice(y * self.each, (y + 1) * self.each)

    def _joint(self, x: Tensor, y: int) -> Tensor:
        """`log w_k + log p_k(x)` of the components of class y; x [B, D] -> [B, K]."""
        return self.components.log_prob(x, self._ours(y)) + self.share[self._ours(y)].clamp(min=IMPOSSIBLE).log()

    def _belongs(self, joint: Tensor, y: int) -> Tensor:
        """`p(k | x, y)` [B, K]; with `hard`, 1 for the component that would be likeliest if all were as frequent."""
        if not self.hard:
            return joint.softmax(1)
        even = joint - self.share[self._ours(y)].clamp(min=IMPOSSIBLE).log()
        return nn.functional.one_hot(even.argmax(1), self.each).to(REAL)

    def collect(self, batch: Batch) -> dict[str, Tensor]:
        """The sums of one step of EM: the moments of each component's share of the events."""
        x, kind = batch.x.flatten(1).to(REAL), self.bins(len(batch), batch.given)
        weight = torch.ones(len(x), dtype=REAL, device=x.device) if batch.weight is None else batch.weight.to(REAL)
        share = torch.zeros(len(x), len(self.share), dtype=REAL, device=x.device)
        total = x.new_zeros(())
        for y in kind.unique().tolist():
            rows = (kind == y).nonzero()[:, 0]
            logs = self._joint(x[rows], y)
            share[rows, self._ours(y)] = self._belongs(logs, y) * weight[rows, None]
            total = total + (weight[rows] * logs.logsumexp(1)).sum()
        return {**self.components.sums(x, share), "log_prob": total}

    def solve(self, sums: Mapping[str, Tensor]) -> Loss:
        """The step's solution; its loss is `-mean log p(x | y)` before the step."""
        self.components.solve(sums)
        events = sums["events"].view(-1, self.each)
        seen = events.sum(1, keepdim=True)
        even = torch.full_like(events, 1 / self.each)
        self.share.copy_(torch.where(seen > 0, events / seen.clamp(min=IMPOSSIBLE), even).flatten())
        self.prior.copy_(seen[:, 0] / seen.sum())
        return Loss({"nll": -sums["log_prob"] / seen.sum()}, {"empty": (sums["events"] <= 0).sum()})

    def log_prob(self, batch: Batch) -> Tensor:
        """`log p(x | given)` in nats, [B]; of bits a probability, else a density."""
        x, kind = batch.x.flatten(1), self.bins(len(batch), batch.given)
        out = torch.zeros(len(x), dtype=REAL, device=x.device)
        for y in kind.unique().tolist():
            rows = (kind == y).nonzero()[:, 0]
            out[rows] = self._joint(x[rows], y).logsumexp(1)
        return out

    def log_joint(self, batch: Batch) -> Tensor:
        """`log p(x, y)` for every class y, what Bayes' rule needs; [B, classes]. `given` is not looked at."""
        x = batch.x.flatten(1)
        each = [self._joint(x, y).logsumexp(1) for y in range(self.bins.size)]
        return torch.stack(each, 1) + self.prior.clamp(min=IMPOSSIBLE).log()

    def encode(self, batch: Batch) -> Categorical:
        """`p(k | x, given)`: to which component (cluster) of its class an event belongs."""
        x, kind = batch.x.flatten(1), self.bins(len(batch), batch.given)
        chances = torch.zeros(len(x), self.each, dtype=REAL, device=x.device)
        for y in kind.unique().tolist():
            rows = (kind == y).nonzero()[:, 0]
            chances[rows] = self._belongs(self._joint(x[rows], y), y)
        return Categorical(probs=chances, validate_args=False)

    def noise(self, n: int) -> Noise:
        """`z` [n, D] of a component's own noise, and `component` [n] uniform."""
        return {"z": self.components.noise(n), "component": torch.rand(n, dtype=REAL, device=self.share.device)}

    def push(self, noise: Noise, given: Given = {}) -> Batch:
        """The events that noise becomes."""
        n = len(noise["z"])
        kind = self.bins(n, given)
        edges = self.share.view(-1, self.each).cumsum(1)
        k = (noise["component"][:, None] >= edges[kind]).sum(1).clamp(max=self.each - 1) + kind * self.each
        x = torch.zeros_like(noise["z"])
        for one in k.unique().tolist():
            rows = (k == one).nonzero()[:, 0]
            x = x.index_copy(0, rows, self.components.push(noise["z"][rows], one).to(x))
        return Batch(x.view(n, *self.shape), given)

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """n events; `given` is encoded and has n rows."""
        return self.push(self.noise(n), given)
