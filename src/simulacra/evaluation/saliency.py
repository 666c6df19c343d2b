"""What a critic looks at: the gradient of its score with respect to the event, and what raises the score."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from simulacra.errors import UserError
from simulacra.random import draws, seed_of

Score = Callable[[Tensor], Tensor]
"""x [B, *event] -> score [B], differentiable."""


def saliency(score: Score, x: Tensor) -> Tensor:
    """Saliency: d score / d x of each event, [B, *event]: where a change would move the critic, and which way.

    >>> saliency(lambda x: (3 * x).sum(1), torch.zeros(1, 2))
    tensor([[3., 3.]])

    Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks" (2014, arXiv:1312.6034).
    """
    with torch.enable_grad():
        at = x.detach().clone().requires_grad_()
        return torch.autograd.grad(score(at).sum(), at)[0]


def smoothgrad(score: Score, x: Tensor, *, noise: float = 0.15, count: int = 25, seed: int = 0) -> Tensor:
    """SmoothGrad: the mean saliency over `count` copies with Gaussian noise, `noise` times the range of each event.

    For a critic that is linear in x the noise does nothing.

    Smilkov et al. (2017, arXiv:1706.03825).
    """
    if count < 1 or noise < 0:
        raise UserError(f"expected at least one copy and noise of 0 or more, came {count} and {noise}; give such")
    flat = x.flatten(1)
    width = noise * (flat.amax(1) - flat.amin(1)).view(-1, *[1] * (x.dim() - 1))
    total = torch.zeros_like(x)
    with draws(seed_of(seed, "smoothgrad")):
        for _ in range(count):
            total += saliency(score, x + width * torch.randn_like(x))
    return total / count


def ascend(
    score: Score,
    x: Tensor,
    *,
    steps: int = 30,
    length: float = 0.02,
    limits: tuple[float, float] | None = None,
) -> tuple[Tensor, Tensor]:
    """The way on which the score rises: x <- x + length sqrt(D) grad / |grad|, cut to `limits`.

    Args:
        length: of a step, root mean square over the D numbers of an event.

    Returns:
        The events on the way [steps + 1, B, *event], the first being x, and their scores [steps + 1, B].

    Example:
        >>> way, scores = ascend(lambda x: -(x - 1).square().sum(1), torch.zeros(1, 1), steps=2, length=0.5)
        >>> way.flatten().tolist(), scores.flatten().tolist()
        ([0.0, 0.5, 1.0], [-1.0, -0.25, -0.0])

    Erhan, Bengio, Courville and Vincent, "Visualizing higher-layer features of a deep network" (2009).
    """
    if steps < 1:
        raise UserError(f"expected at least one step, came {steps}; give 1 or more")
    way, scores, root = [x.detach()], [], x[0].numel() ** 0.5
    for step in range(steps + 1):
        with torch.enable_grad():
            at = way[-1].clone().requires_grad_()
            here = score(at)
            (slope,) = torch.autograd.grad(here.sum(), at)
        scores.append(here.detach())
        if step < steps:
            size = slope.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, *[1] * (x.dim() - 1))
            new = way[-1] + length * root * slope / size
            way.append(new if limits is None else new.clamp(*limits))
    return torch.stack(way), torch.stack(scores)
