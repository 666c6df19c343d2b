"""Layer energies for those who see encoded showers only."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from simulacra.batch import Given
from simulacra.domains.calorimeter.codec import ShowerCodec


class LayerEnergies(nn.Module):
    """Reads layer energies [B, L] in MeV off what comes before the cells of an encoded shower, and its energy [B, 2].

    Args:
        codec: its fitted constants say what the numbers mean; the module holds them as its own.

    Example:
        >>> import torch
        >>> from simulacra.domains.calorimeter.geometry import LAR3
        >>> codec = ShowerCodec(LAR3)
        >>> told = codec.encode_given({"energy": torch.tensor([[20e3]])})
        >>> LayerEnergies(codec)({**told, "codes": torch.zeros(1, 3)}).sum().round()
        tensor(20000.)
    """

    def __init__(self, codec: ShowerCodec) -> None:
        super().__init__()
        self.codec = codec

    def forward(self, given: Given) -> Tensor:
        head = torch.cat([given[name] for name in ("codes", "layers") if name in given], 1)
        return self.codec.layer_energies(head, self.codec.incident(given))
