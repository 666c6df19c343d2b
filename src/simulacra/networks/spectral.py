"""Dense and convolutional maps of bounded gain."""

from __future__ import annotations

from torch import nn
from torch.nn.utils import parametrizations


def spectrally_normalised(network: nn.Module, iterations: int = 1) -> nn.Module:
    """Divides every weight of `network` by its spectral norm, found by power iteration; returns `network`.

    `W / sigma(W)`, one iteration per training forward, its vectors kept as buffers. Convolutions are taken as
    matrices (outputs, inputs * kernel), whose norm is not the operator's: that can exceed it by the root of the
    kernel's area. A chain of such dense layers has slope at most 1; of convolutions it has not.

    Source: Miyato et al. (2018), arXiv 1802.05957.

    Example:
        >>> import torch
        >>> layer = spectrally_normalised(nn.Linear(8, 8), iterations=20)
        >>> abs(torch.linalg.matrix_norm(layer.weight, 2).item() - 1) < 1e-2
        True
    """
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Embedding)
    for module in list(network.modules()):
        if isinstance(module, kinds):
            parametrizations.spectral_norm(module, n_power_iterations=iterations)
    return network
