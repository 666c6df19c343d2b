"""Layer energies for those who see encoded showers only."""

from __future__ import annotations

from torch import Tensor, nn

from simulacra.batch import Given
from simulacra.domains.calorimeter.codec import GEV, ShowerCodec


class LayerEnergies(nn.Module):
    """Reads layer energies in MeV off encoded conditions: given["energy"] [B, 2] and given["codes"] [B, L] -> [B, L].

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
        energy = (given["energy"][:, :1] * self.codec.energy_spread + self.codec.energy_mean).exp() * GEV
        return self.codec.layer_energies(given["codes"], energy)
