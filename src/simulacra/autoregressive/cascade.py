"""A model of several stages, each of which is given the earlier ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from simulacra.batch import Batch, DataSpec, Given
from simulacra.training.game import Loss


class Cascade(nn.Module):
    """p(x | given) = prod_k p_k(x_k | x_1 ... x_{k-1}, given): from data in training, from samples in generation.

    A stage covers some neighbouring parts of the event and is given the earlier stages by their names, beside what the
    event is given.

    Args:
        data: description of the event; its parts in their order make up the stages.
        stages: the models by name, each with `loss`, `sample` and `log_prob`.
        parts: for each stage the names of its parts; by default the stage's own name.

    Example:
        >>> from simulacra.batch import Field
        >>> from simulacra.diffusion.flow_matching import FlowMatching
        >>> from simulacra.networks.conditioning import Conditions
        >>> data = DataSpec("pair", "vector", Field((3,)), parts={"a": (1,), "b": (2,)})
        >>> after = Conditions({"a": Field((1,))})
        >>> model = Cascade(data, {"a": FlowMatching(1), "b": FlowMatching(2, after)})
        >>> model.sample(4).x.shape, sorted(model.losses())
        (torch.Size([4, 3]), ['a', 'b'])

    Source: stages of shower models as in Krause and Shih (2021), arXiv:2106.05285.
    """

    def __init__(
        self, data: DataSpec, stages: Mapping[str, nn.Module], parts: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        super().__init__()
        self.stages = nn.ModuleDict(stages)
        where, self.slices = data.slices(), {}
        for name in stages:
            names = list((parts or {}).get(name, [name]))
            self.slices[name] = slice(where[names[0]].start, where[names[-1]].stop)
        ends = [0, *(piece.stop for piece in self.slices.values())]
        if [piece.start for piece in self.slices.values()] != ends[:-1] or ends[-1] != data.x.size:
            raise ValueError(f"expected stages that cover {data.x.size} numbers in order, came {self.slices}")

    def stage_batch(self, name: str, batch: Batch) -> Batch:
        """What the stage `name` sees of a batch: its own numbers, given the earlier stages."""
        given: dict[str, Tensor] = dict(batch.given)
        for earlier, piece in self.slices.items():
            if earlier == name:
                break
            given[earlier] = batch.x[:, piece]
        return replace(batch, x=batch.x[:, self.slices[name]], given=given)

    def losses(self) -> dict[str, Callable[[Batch], Loss]]:
        """The loss of each stage, as a function of a batch of whole events: one player each."""

        def loss_of(name: str) -> Callable[[Batch], Loss]:
            return lambda batch: self.stages[name].loss(self.stage_batch(name, batch))  # type: ignore[operator]

        return {name: loss_of(name) for name in self.stages}

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """Draws the stages one after the other."""
        told = dict(given)
        for name, stage in self.stages.items():
            told[name] = stage.sample(n, told).x  # type: ignore[operator]
        return Batch(torch.cat([told[name] for name in self.stages], 1), given)

    def log_prob(self, batch: Batch) -> Tensor:
        """The sum of the stages' log densities, [B]."""
        densities = [stage.log_prob(self.stage_batch(name, batch)) for name, stage in self.stages.items()]  # type: ignore[operator]
        return torch.stack(densities).sum(0)
