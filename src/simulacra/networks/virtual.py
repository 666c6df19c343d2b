"""Batch normalisation without a batch: the statistics of a reference batch that stays the same."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from simulacra.batch import Given, Noise
from simulacra.errors import UserError


class VirtualBatchNorm(nn.Module):
    """Virtual batch normalisation: an event is normalised with a fixed reference batch and itself, nobody else.

    `weight (x - m) / sqrt(v + eps) + bias` per channel, with mean m and variance v over the n reference events and x:
    those of the reference weighted by n/(n + 1), those of x over its places by 1/(n + 1). The reference events, which
    are the first n rows, are normalised with their own statistics alone. The same in training and evaluation.

    Shapes: [n + B, C, *] -> [n + B, C, *].

    Args:
        features: C.
        reference: n.

    Source: Salimans et al. (2016), section 3.4, arXiv 1606.03498.

    Example:
        >>> layer = VirtualBatchNorm(1, reference=2)
        >>> layer(torch.tensor([[-1.0], [1.0], [0.0], [9.0]]))[:3, 0].round(decimals=3).tolist()
        [-1.0, 1.0, 0.0]
    """

    def __init__(self, features: int, reference: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.reference, self.eps = reference, eps
        self.weight, self.bias = nn.Parameter(torch.ones(features)), nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        rows, share = x.flatten(2) if x.dim() > 2 else x[:, :, None], 1 / (self.reference + 1)
        first, rest = rows[: self.reference], rows[self.reference :]
        mean, variance = first.mean((0, 2), keepdim=True), first.var((0, 2), correction=0, keepdim=True)
        own, spread = rest.mean(2, keepdim=True), rest.var(2, correction=0, keepdim=True)
        both = torch.lerp(mean, own, share)
        pooled = torch.lerp(variance, spread, share) + share * (1 - share) * (own - mean).square()
        out = torch.cat([self._normal(first, mean, variance), self._normal(rest, both, pooled)])
        return (out * self.weight[:, None] + self.bias[:, None]).view_as(x)

    def _normal(self, rows: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        return (rows - mean) * (variance + self.eps).rsqrt()


class Referenced(nn.Module):
    """A network before whose every batch a reference batch goes through it: for `VirtualBatchNorm` inside.

    The reference is a buffer, saved with the weights; zeros until `refer` sets it. An event's output depends on it and
    on the event alone. It costs a pass of the reference per call, and the gradient flows through it. Conditions are
    not told.

    Shapes: as of the network: a generator's {"z": [B, latent]} -> x, a body's x [B, *event] -> features [B, F].

    Args:
        network: without conditions; its batch norms become virtual ones.
        reference: n, events in the reference batch.
        shape: of one row of the reference.

    Raises:
        UserError: the network has no batch norm.

    Example:
        >>> from simulacra.networks.dcgan import DCBody
        >>> body = DCBody((1, 16, 16), base=4)
        >>> net = Referenced(body, 8, (1, 16, 16))
        >>> net.refer(torch.randn(8, 1, 16, 16))
        >>> x = torch.randn(5, 1, 16, 16)
        >>> torch.allclose(net(x)[:1], net(x[:1]), atol=1e-6)
        True

    Source: Salimans et al. (2016), section 3.4, arXiv 1606.03498.
    """

    reference: Tensor

    def __init__(self, network: nn.Module, reference: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("reference", torch.zeros(reference, *shape))
        found = False
        for parent in list(network.modules()):
            for name, child in parent.named_children():
                if isinstance(child, _BatchNorm):
                    virtual = VirtualBatchNorm(child.num_features, reference, child.eps)
                    virtual.load_state_dict({"weight": child.weight, "bias": child.bias})
                    setattr(parent, name, virtual)
                    found = True
        if not found:
            raise UserError(
                f"expected batch norm to make virtual, came {type(network).__name__} without any; give it batch norm"
            )

    def refer(self, rows: Tensor) -> None:
        """Makes `rows` the reference; where there are fewer than n, they are repeated."""
        self.reference.copy_(rows[torch.arange(len(self.reference), device=rows.device) % len(rows)])

    def forward(self, event: Tensor | Noise, given: Given = {}) -> Tensor:
        x = event if isinstance(event, Tensor) else event["z"]
        joined = torch.cat([self.reference.to(x.dtype), x])
        return self.network(joined if isinstance(event, Tensor) else {"z": joined}, {})[len(self.reference) :]
