"""Layers that let a critic compare the events of a batch, and so see that fakes are too much alike.

Each puts numbers of the whole batch beside the features of each event, in front of the head (`BatchHead`). The batch is
what one process sees in one piece: per rank, and per piece where a player accumulates. Real and fake events must meet
the critic in separate batches, as they do in a `Duel`. Event weights are not known here. A gradient penalty per event
does not go with them, as the score of one event has a slope at all others.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from simulacra.batch import Given


class MinibatchDiscrimination(nn.Module):
    """Minibatch discrimination: how close an event is to all others, in `kernels` learnt projections.

    `M_i = phi_i T` [kernels, width] and `o_ib = sum_{j != i} exp(-|| M_ib - M_jb ||_1)`; the tensor T is learnt.
    Each o is between 0 and B - 1, which it is where all events are equal. (The paper adds j = i, a constant 1.)

    Shapes: [B, F] -> [B, F + kernels].

    Source: Salimans et al. (2016), section 3.2, arXiv 1606.03498.

    Example:
        >>> layer = MinibatchDiscrimination(4, kernels=3)
        >>> layer(torch.ones(5, 4))[0, 4:].tolist()  # four others, all the same
        [4.0, 4.0, 4.0]
    """

    def __init__(self, features: int, kernels: int = 32, width: int = 5) -> None:
        super().__init__()
        self.outputs, self.shape = features + kernels, (kernels, width)
        self.T = nn.Parameter(torch.randn(features, kernels * width) / math.sqrt(features))

    def forward(self, features: Tensor) -> Tensor:
        m = (features @ self.T).unflatten(1, self.shape)
        close = (-(m[:, None] - m[None]).abs().sum(3)).exp()  # [B, B, kernels]
        return torch.cat([features, close.sum(1) - 1], 1)  # an event's closeness to itself is 1


class PairwiseDistances(nn.Module):
    """Pairwise distances: the mean and the smallest `|| phi_i - phi_j ||_2` from an event to the others.

    The lectures' minibatch GAN; learns nothing. Both are 0 where all events are equal, and for a batch of one.

    Shapes: [B, F] -> [B, F + 2].

    Example:
        >>> PairwiseDistances(1)(torch.tensor([[0.0], [3.0], [5.0]]))
        tensor([[0.0000, 4.0000, 3.0000],
                [3.0000, 2.5000, 2.0000],
                [5.0000, 3.5000, 2.0000]])
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.outputs = features + 2

    def forward(self, features: Tensor) -> Tensor:
        n = len(features)
        if n < 2:
            return torch.cat([features, features.new_zeros(n, 2)], 1)
        others = (torch.arange(1, n)[None] + torch.arange(n)[:, None]) % n
        apart = torch.linalg.vector_norm(features[:, None] - features[others.to(features.device)], dim=2)
        return torch.cat([features, apart.mean(1, keepdim=True), apart.amin(1, keepdim=True)], 1)


class MinibatchDeviation(nn.Module):
    """Minibatch standard deviation: one number for the batch, the mean over features of their deviation over events.

    `s = mean_f sqrt(mean_i (phi_if - mean_j phi_jf)^2)`, the same for all events; 0 where all are equal. On maps
    [B, C, H, W] it is the mean over places too, and one more constant channel.

    Shapes: [B, F, *] -> [B, F + 1, *].

    Source: Karras et al. (2018), section 3, arXiv 1710.10196.

    Example:
        >>> MinibatchDeviation(1)(torch.tensor([[-2.0], [2.0]]))
        tensor([[-2.,  2.],
                [ 2.,  2.]])
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.outputs = features + 1

    def forward(self, features: Tensor) -> Tensor:
        variance = features.var(0, correction=0)
        spread = torch.where(variance > 0, variance, 1.0).sqrt() * (variance > 0)  # the root has no slope at 0
        return torch.cat([features, spread.mean().expand_as(features[:, :1])], 1)


class BatchHead(nn.Module):
    """A head that sees the features after a layer over the batch: (features [B, F], given) -> score [B].

    Args:
        layer: [B, F] -> [B, layer.outputs].
        head: made for `layer.outputs` features.
    """

    def __init__(self, layer: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.layer, self.head = layer, head

    def forward(self, features: Tensor, given: Given = {}) -> Tensor:
        return self.head(self.layer(features), given)


LAYERS: dict[str, type[MinibatchDiscrimination] | type[PairwiseDistances] | type[MinibatchDeviation]] = {
    "discrimination": MinibatchDiscrimination,
    "distances": PairwiseDistances,
    "deviation": MinibatchDeviation,
}
