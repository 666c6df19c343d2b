"""Which noise goes with which event."""

from __future__ import annotations

from dataclasses import replace

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from simulacra.batch import Batch
from simulacra.errors import UserError


def optimal_pairing(x: Tensor, e: Tensor) -> Tensor:
    """Optimal transport of a minibatch: the order of e that makes `sum_i |x_i - e_order(i)|^2` smallest, [B].

    Lines between paired ends cross less, so that the mean velocity changes less along them and few steps follow it; the
    pairing of a batch is not that of the distributions, and with conditions it tilts the noise that each one sees. The
    assignment costs about B^3.

    Args:
        x, e: [B, D].

    Source: Tong et al. (2023), arXiv:2302.00482; Pooladian et al. (2023), arXiv:2304.14772.

    >>> optimal_pairing(torch.tensor([[0.0], [1.0]]), torch.tensor([[0.9], [0.2]]))
    tensor([1, 0])
    """
    cost = torch.cdist(x.detach().float(), e.detach().float()).square().cpu().double()
    _, order = linear_sum_assignment(cost.numpy())
    return torch.as_tensor(order, device=x.device)


def unweighted(batch: Batch) -> Batch:
    """As many events without weights, drawn from a batch by their weights; the batch itself where it has none.

    Pairs are of equal mass: a loss that weighs an event would weigh its noise as well, which then is not that from
    which samples start.

    Raises:
        UserError: a weight is negative, or all are 0.

    >>> unweighted(Batch(torch.tensor([[1.0], [2.0]]), weight=torch.tensor([0.0, 3.0]))).x.flatten()
    tensor([2., 2.])
    """
    if batch.weight is None:
        return batch
    if (batch.weight < 0).any() or not batch.weight.any():
        raise UserError("expected weights of at least 0 where noise is paired, came others; leave the pairing out")
    rows = torch.multinomial(batch.weight, len(batch), replacement=True)
    return replace(batch[rows], weight=None)
