"""A penalty that makes equal steps in the intermediate latent equal steps in pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from simulacra.batch import Batch, Given, Noise
from simulacra.gan.duel import Duel
from simulacra.training.game import Loss


def path_lengths(x: Tensor, w: Tensor) -> Tensor:
    """`|| J^T y ||`, J = dx/dw, y ~ N(0, 1) / sqrt(H W) with one number per number of x; differentiable, [B].

    Its mean square over y is that of J's singular values: `||J||_F^2 / (H W)`.

    Args:
        x: [B, C, H, W], made of w; of other events [B, D] the y are N(0, 1).
        w: [B, size], requires a gradient.

    Example:
        >>> w = torch.ones(1, 2, requires_grad=True)
        >>> (3 * path_lengths(w, w) - path_lengths(3 * w, w)).abs().item() < 9  # another y
        True
    """
    y = torch.randn_like(x) / math.sqrt(math.prod(x.shape[2:]))
    (slope,) = torch.autograd.grad((x * y).sum(), w, create_graph=True)
    return torch.linalg.vector_norm(slope.flatten(1), dim=1)


class PathLength(nn.Module):
    """Path-length regularisation: `(|| J_w^T y || - a)^2`, a the running mean of the lengths.

    Among all J of one norm it is smallest where J is orthogonal up to a factor: then a step in w is as far in
    pictures, whichever way it goes and, as a is one number, wherever it starts. A player of its own plays it
    lazily, in every k-th round with k times the weight; its `remember` is called `after`. The mean is a buffer: put
    this under `learners`.

    Args:
        to_w: (z, given) -> w [B, size].
        from_w: (w, noise) -> x [B, *event].
        weight: of the term.
        momentum: of the running mean, once it has seen enough; until then it is the plain mean.

    Source: Karras et al. (2020), section 3.2, arXiv 1912.04958.
    """

    mean: Tensor
    count: Tensor

    def __init__(
        self,
        to_w: Callable[[Tensor, Given], Tensor],
        from_w: Callable[[Tensor, Noise], Tensor],
        weight: float = 2.0,
        momentum: float = 0.99,
    ) -> None:
        super().__init__()
        self.halves = (to_w, from_w)  # a tuple registers nothing: the networks are somebody else's
        self.weight, self.momentum = weight, momentum
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("count", torch.tensor(0))

    def lengths(self, duel: Duel) -> Tensor:
        """The path length of each fake of `duel`, [B]; never in bf16."""
        to_w, from_w = self.halves
        with torch.autocast(duel.real.x.device.type, enabled=False):
            w = to_w(duel.noise["z"], duel.real.given)
            return path_lengths(from_w(w, duel.noise), w)

    def loss(self, duel: Duel, times: float = 1.0) -> Loss:
        """The penalty with `times` its weight, and the mean length to watch."""
        lengths = self.lengths(duel)
        length = duel.mean(lengths)
        target = torch.where(self.count > 0, self.mean, length.detach())
        penalty = duel.mean((lengths - target).square())
        return Loss({"path_penalty": times * self.weight * penalty}, {"path_length": length})

    @torch.no_grad()
    def remember(self, batch: Batch, seen: Mapping[str, Tensor]) -> None:
        """Takes the length that was seen into the running mean."""
        self.count += 1
        self.mean.lerp_(seen["path_length"].to(self.mean), max(1 - self.momentum, 1 / int(self.count)))
