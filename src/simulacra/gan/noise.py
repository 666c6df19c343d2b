"""Noise on what the critic sees, so that data and fakes overlap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from simulacra.batch import Given
from simulacra.training.game import Clock, Experiment


class InstanceNoise(nn.Module):
    """Instance noise: a critic's view with `sigma` times N(0, 1) on each number, of real and fake events alike.

    The critic then compares p and q both convolved with the noise, which overlap where p and q do not: no critic is
    sure, and the generator's gradient does not vanish. p = q remains the fixed point. In evaluation mode there is none.

    Args:
        sigma: in encoded units; a buffer, which `Annealing` moves.
        view: what is blurred: (x, given) -> [B, *]; x itself where `None`.

    Source: Arjovsky and Bottou (2017), arXiv 1701.04862; Sønderby et al. (2017), arXiv 1610.04490.

    Example:
        >>> view = InstanceNoise(0.5)
        >>> bool((view(torch.zeros(4, 2)) == 0).any()), bool(view.eval()(torch.zeros(4, 2)).any())
        (False, False)
    """

    sigma: Tensor

    def __init__(self, sigma: float = 1.0, view: nn.Module | None = None) -> None:
        super().__init__()
        self.view = view
        self.register_buffer("sigma", torch.tensor(float(sigma)))

    def forward(self, x: Tensor, given: Given = {}) -> Tensor:
        seen = x if self.view is None else self.view(x, given)
        return seen + self.sigma.to(seen.dtype) * torch.randn_like(seen) if self.training else seen


class Annealing:
    """Lets an instance noise fall linearly from `start` to 0, which it reaches at the share `until` of the run.

    Source: Sønderby et al. (2017), arXiv 1610.04490.
    """

    def __init__(self, noise: InstanceNoise, start: float, until: float = 1.0) -> None:
        self.noise, self.largest, self.until = noise, start, until

    def start(self, experiment: Experiment) -> None:
        pass

    @torch.no_grad()
    def before(self, clock: Clock) -> None:
        left = max(0.0, 1 - clock.progress / self.until) if self.until else 0.0
        self.noise.sigma.fill_(self.largest * left)

    def after(self, clock: Clock) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass
