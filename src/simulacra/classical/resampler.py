"""The training events again: what a test of memorisation must find."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from simulacra.batch import Batch, DataSpec, Given
from simulacra.classical.keeping import gather, keep
from simulacra.networks.conditioning import Conditions
from simulacra.training.game import Loss

APART = 1e3  # between two classes, in units of the other conditions
_CHUNK = 64


class Resampler(nn.Module):
    """Gives one of the k training events nearest in their conditions; events at equal distance have equal chances.

    Distances are Euclidean in the encoded conditions, and events of another class are further away than any other.
    Encoded showers are responses and shares, so that decoding scales them to the energy that is asked for.

    Args:
        spec: encoded.
        events: how many are kept.
        neighbours: k.

    Example:
        >>> from simulacra.batch import Field
        >>> model = Resampler(DataSpec("line", "vector", Field((1,)), {"energy": Field((1,))}), 3, neighbours=1)
        >>> x = torch.tensor([[1.0], [2.0], [3.0]])
        >>> _ = model.solve(model.collect(Batch(x, {"energy": 10 * x})))
        >>> model.sample(2, {"energy": torch.tensor([[29.0], [11.0]])}).x.flatten().tolist()
        [3.0, 1.0]
    """

    scale: Tensor
    x: Tensor
    told: Tensor
    weight: Tensor

    def __init__(self, spec: DataSpec, events: int, neighbours: int = 8) -> None:
        super().__init__()
        self.conditions, self.neighbours = Conditions(spec.given), neighbours
        far = [APART if f.kind in ("class", "token") else 1.0 for f in spec.given.values()]
        scale = torch.repeat_interleave(torch.tensor(far), torch.tensor([*self.conditions.sizes.values()]).long())
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("x", torch.zeros(events, *spec.x.shape))
        self.register_buffer("told", torch.zeros(events, self.conditions.size))
        self.register_buffer("weight", torch.zeros(events))

    def _told(self, n: int, given: Given) -> Tensor:
        return self.conditions.beside(torch.zeros(n, 0, device=self.x.device), given) * self.scale

    def collect(self, batch: Batch) -> dict[str, Tensor]:
        """The events themselves: one batch must hold them all."""
        batch = batch[: len(self.x)]
        return gather(self, batch, {"x": batch.x, "told": self._told(len(batch), batch.given)})

    def solve(self, sums: Mapping[str, Tensor]) -> Loss:
        """Keeps them.

        Raises:
            UserError: they came from several processes.
        """
        keep(self, sums)
        return Loss({}, {"events": (self.weight > 0).sum()})

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """n training events; weighted ones in proportion to their weights."""
        kept = self.weight > 0
        pool, weight = self.told[kept], self.weight[kept]
        k = min(self.neighbours, len(pool))
        rows = []
        for asked in self._told(n, given).split(_CHUNK):
            far = torch.cdist(asked, pool, compute_mode="donot_use_mm_for_euclid_dist")
            near = far <= far.kthvalue(k, 1, keepdim=True).values
            wait = torch.empty_like(far).exponential_() / weight  # who comes first is one in proportion to the weights
            rows.append(torch.where(near, wait, torch.inf).argmin(1))
        return Batch(self.x[kept][torch.cat(rows)], given)
